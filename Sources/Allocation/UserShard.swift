package import Campaigns
package import Core
package import Ledger

/// The owner of what is written about its users while serving: caps, reservations and the leases
/// that pay for them. A pure state machine; time is an argument, and one thread at a time calls it.
///
/// What it decides goes into its outbox. Nobody is told before that is durable.
package final class UserShard {
  package let index: Int
  var ledger: ShardLedger
  var caps: CapTable
  var requests: IdempotencyTable
  private var rules = CapRules.none
  let signer: TokenSigner
  let presence: UserPresence
  package private(set) var figures = ShardFigures()
  /// What new reservations are expected to bring, by campaign.
  var expected: [UInt64: Expectation] = [:]
  /// By campaign, of the batches that `CampaignTally` counts, each for as many as it stands for.
  private var kept: [UInt64: KeptAway] = [:]

  /// - Parameters:
  ///   - index: which of `shards`.
  ///   - seed: random; users cannot choose ids that fall on one place.
  package init(
    index: Int, shards: Int, times: LedgerTimes = LedgerTimes(), capClock: CapClock, seed: UInt64,
    signer: TokenSigner, presence: UserPresence
  ) {
    self.index = index
    self.presence = presence
    self.signer = signer
    ledger = ShardLedger(times: times, start: 1, index: index, shards: shards)
    requests = IdempotencyTable(seed: seed)
    caps = CapTable(clock: capClock, longestWindowSeconds: 0, seed: seed)
  }

  /// What recovery found, before anything is decided.
  package func resume(_ ledger: ShardLedger, _ requests: IdempotencyTable) {
    self.ledger = ledger
    self.requests = requests
  }

  // MARK: Campaigns

  /// The caps that hold from now on.
  package func keep(_ rules: CapRules) {
    self.rules = rules
    caps.longestWindowSeconds = rules.longestWindowSeconds
  }

  /// Where an exposure counts.
  func uses(of placement: Placement) -> [CapUse] {
    var uses: [CapUse] = []
    rules.own[placement.campaign]?.append(
      .userCampaign, key: placement.campaign, to: &uses)
    if placement.artist != .min {
      rules.shared.append(
        .userArtist, key: UInt64(bitPattern: placement.artist), to: &uses)
    }
    if placement.release != .min {
      rules.shared.append(
        .userRelease, key: UInt64(bitPattern: placement.release), to: &uses)
    }
    return uses
  }

  /// A rule as it is counted here.
  func requirement(_ rule: CapRule, key: UInt64) -> CapRequirement {
    let counted = rule.scope == .userCampaign ? rule : rules.shared.counted(rule)
    return CapRequirement(rule: counted, key: key)
  }

  /// Nil: the item has no such number, and the rule does not bind.
  func requirement(_ rule: CapRule, _ placement: Placement) -> CapRequirement? {
    let number: Int64
    switch rule.scope {
    case .userCampaign: return requirement(rule, key: placement.campaign)
    case .userArtist: number = placement.artist
    case .userRelease: number = placement.release
    }
    guard number != .min else { return nil }
    return requirement(rule, key: UInt64(bitPattern: number))
  }

  /// What still may count, from before a restart; in its order, after `keep`.
  package func restore(_ event: CapEvent) {
    switch event {
    case .reserved(let placement, let time), .late(let placement, let time):
      _ = caps.reserve(user: placement.user, uses(of: placement), now: time)
      presence.add(splitmix64(placement.user))
    case .released(let placement, let time):
      caps.release(user: placement.user, uses(of: placement), reservedAt: time)
    }
  }

  // MARK: Reading

  /// What a user has had, to be read by another thread: `CapTable.copyScopes`.
  package func copyScopes(of user: UInt64, into words: UnsafeMutableBufferPointer<UInt32>) -> Int {
    caps.copyScopes(of: user, into: words)
  }

  // MARK: What comes back

  /// An exposure whose token was found good. Nil: its reservation had been released, and the store
  /// says whether it is paid (`AllocationStore.take`).
  package func report(_ claims: PlacementClaims, goal: Bool, at now: Int64) -> ExposureOutcome? {
    let claim = claims.claim
    let outcome = ledger.settle(claim, at: now)
    var hasNewGoal = false
    if goal {
      switch outcome {
      case .settled, .duplicate, .late:
        if case .recorded = ledger.goal(claim, at: now) { hasNewGoal = true }
      case .expired, .unknown: break
      }
    }
    if hasNewGoal { figures.goals += 1 }
    switch outcome {
    case .settled:
      figures.settled += 1
      return .settled
    case .duplicate:
      figures.duplicates += 1
      return hasNewGoal ? .goalAdded : .duplicate
    case .late:
      // It was heard after all: it counts as what it is.
      _ = caps.reserve(user: claim.placement.user, uses(of: claim.placement), now: now)
      presence.add(claims.userHash)
      return nil
    case .expired: return .expired
    case .unknown: return .unknownReservation
    }
  }

  package func release(_ claims: PlacementClaims, at now: Int64) -> Core.ReleaseOutcome {
    switch ledger.release(claims.claim, at: now) {
    case .released(let reservation):
      giveBack(reservation)
      return .released
    case .alreadyReleased, .expired: return .alreadyReleased
    case .settled: return .settled
    case .unknown: return .unknown
    }
  }

  private func giveBack(_ reservation: Reservation) {
    caps.release(
      user: reservation.placement.user, uses(of: reservation.placement), reservedAt: reservation.at)
  }

  // MARK: Time

  /// Ends what is over: at most `limit` reservations and leases. Whether there may be more.
  package func expire(upTo now: Int64, limit: Int) -> Bool {
    var released: [Reservation] = []
    let hasMore = ledger.expire(upTo: now, limit: limit) { released.append($0) }
    for reservation in released { giveBack(reservation) }
    figures.expired += released.count
    requests.expire(upTo: now, limit: limit)
    caps.expire(now: now, budget: limit)
    return hasMore
  }

  // MARK: Leases

  /// Campaigns for which the store is to be asked for a lease: each is answered by `grant` or
  /// `refuse`.
  package func takeWishes() -> [LeaseWish] { ledger.takeWishes() }

  package func grant(_ lease: Lease, at now: Int64) { ledger.grant(lease, at: now) }

  /// `isSpent`: nothing is left; else there is nothing ahead of need.
  package func refuse(_ campaign: UInt64, isSpent: Bool, until: Int64) {
    ledger.refuse(campaign, isSpent: isSpent, until: until)
  }

  package func returnLeases(of campaign: UInt64, at now: Int64) {
    ledger.returnLeases(of: campaign, at: now)
  }

  /// What reservations since the last call are expected to bring, for `AllocationStore.expect`.
  package func takeExpected() -> [UInt64: Expectation] {
    // Not kept: an empty one would be shared with the thread that reads it.
    defer { expected = [:] }
    return expected
  }

  /// What is to be committed, in its order.
  package func takeOutbox() -> [StoredRecord] { ledger.takeOutbox() }

  // MARK: Figures

  func count(_ change: (inout ShardFigures) -> Void) { change(&figures) }

  /// Counts what was kept from a slot, if its batch is one of those that are counted.
  func note(_ fates: SlotFates) {
    let (request, campaigns) = (fates.request.request, fates.request.board.set.count)
    guard CampaignTally.isCounted(seed: request.seed, campaigns: campaigns) else { return }
    fates.add(to: &kept, scale: UInt64(CampaignTally.stride(campaigns: campaigns)))
  }

  /// Candidates of a campaign that were kept from a slot since the last call, as `CampaignTally`
  /// counts.
  package func takeKept(of campaign: UInt64) -> KeptAway {
    kept.removeValue(forKey: campaign) ?? KeptAway()
  }

  package var openReservations: Int { ledger.openReservations }
  package var rememberedBytes: Int { ledger.rememberedBytes }
  package var cappedUsers: Int { caps.users }
  package var capBytes: Int { caps.bytes }
  package var keptRequests: Int { requests.count }
}

/// What a shard has done since it began.
package struct ShardFigures: Sendable, Equatable {
  package var allocations = 0
  package var repeated = 0
  package var placements = 0
  package var settled = 0
  package var duplicates = 0
  package var goals = 0
  package var expired = 0
  /// Candidates that were kept away by a cap when slots were filled.
  package var capped = 0

  package init() {}

  package mutating func add(_ other: ShardFigures) {
    allocations += other.allocations
    repeated += other.repeated
    placements += other.placements
    settled += other.settled
    duplicates += other.duplicates
    goals += other.goals
    expired += other.expired
    capped += other.capped
  }
}

extension PlacementClaims {
  /// As the ledger takes it: artist and release are not in a token.
  package var claim: PlacementClaim {
    PlacementClaim(
      reservation: reservation,
      placement: Placement(
        user: splitmix64Inverse(userHash), campaign: campaign, amount: amount, item: item),
      expires: expires)
  }
}

extension CapEvent {
  package var placement: Placement {
    switch self {
    case .reserved(let placement, _), .released(let placement, _), .late(let placement, _):
      placement
    }
  }
}
