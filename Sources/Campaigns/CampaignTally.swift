package import Core

/// What became of a campaign's candidates; the places in a tally.
package enum TallyPlace: Int, Sendable, CaseIterable {
  case candidates = 0
  /// It won, with a gain over 0.
  case boosted = 1
  case notInFlight = 2
  case market = 3
  case surface = 4
  case tier = 5
  case segment = 6
  case budgetSpent = 7
  case capped = 8
  case paced = 9
  case holdout = 10
  /// Another campaign of the item had a larger gain.
  case outbid = 11
  /// It won with a gain of 0, and not for its price.
  case worthless = 12
  case paused = 13
  /// The surface takes no boosts.
  case surfaceOff = 14

  /// The reason that `Diagnose` reports it under; nil: none.
  package var reason: BoostReason? {
    switch self {
    case .candidates, .boosted, .outbid: nil
    case .notInFlight: .notInFlight
    case .paused: .paused
    case .surfaceOff: .surfaceOff
    case .worthless: .worthless
    case .market: .market
    case .surface: .surface
    case .tier: .tier
    case .segment: .segment
    case .budgetSpent: .budgetSpent
    case .capped: .capped
    case .paced: .paced
    case .holdout: .holdout
    }
  }
}

/// How often each campaign was kept from a boost, by reason: of one loop, for one set.
///
/// One cache line for each campaign, and one batch in `stride`, chosen by its seed, is
/// counted: counting all of them would cost as much as boosting. Every number counts for
/// `stride` of its kind.
package struct CampaignTally: ~Copyable {
  private static var line: Int { 16 }
  private let counts: UnsafeMutablePointer<UInt32>
  package let count: Int

  package init(campaigns: Int) {
    count = campaigns
    let total = max(campaigns, 1) * CampaignTally.line
    let room = UnsafeMutableRawPointer.allocate(byteCount: total * 4, alignment: 64)
    counts = room.initializeMemory(as: UInt32.self, repeating: 0, count: total)
  }

  deinit { counts.deallocate() }

  /// Whether the batch of this seed is one of those that are counted.
  package static func isCounted(seed: UInt64, campaigns: Int) -> Bool {
    splitmix64(seed) & UInt64(stride(campaigns: campaigns) - 1) == 0
  }

  /// Of so many batches with so many campaigns one is counted: a power of two.
  package static func stride(campaigns: Int) -> Int {
    campaigns > Limits.tallyCached ? 4 * Limits.tallyStride : Limits.tallyStride
  }

  /// Counts every pair of a batch. `served` are the campaigns that `BoostRequest.boost` wrote.
  package mutating func add(
    _ request: BoostRequest, rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>,
    count: Int, served: UnsafePointer<Int32>
  ) {
    precondition(request.tables.count == self.count, "a tally of another set")
    let counts = self.counts
    let isControl = request.audience.arm == .control
    let isOff = request.audience.isOff
    request.forEachPair(rows: rows, calibrated: calibrated, count: count) {
      position, pair, block, stage in
      let campaign = block.campaigns[pair]
      let place = CampaignTally.place(
        stage, gain: block.gains[pair], free: block.values[pair] * block.hot[pair].worth,
        isWinner: campaign == served[position])
      CampaignTally.bump(counts, campaign, .candidates)
      CampaignTally.bump(
        counts, campaign,
        isControl ? .holdout : isOff && stage == .eligible ? .surfaceOff : place)
    }
  }

  private static func place(
    _ stage: CheckStage, gain: Double, free: Double, isWinner: Bool
  ) -> TallyPlace {
    switch stage {
    case .notInFlight: .notInFlight
    case .paused: .paused
    case .market: .market
    case .surface: .surface
    case .tier: .tier
    case .segment: .segment
    case .budgetSpent: .budgetSpent
    case .capped: .capped
    case .eligible: gain > 0 ? (isWinner ? .boosted : .outbid) : free > 0 ? .paced : .worthless
    }
  }

  private static func bump(
    _ counts: UnsafeMutablePointer<UInt32>, _ campaign: Int32, _ place: TallyPlace
  ) {
    let at = Int(campaign) * CampaignTally.line + place.rawValue
    // Stays at the end rather than to begin anew.
    if counts[at] < .max { counts[at] += 1 }
  }

  /// Candidates that had a boost, or another campaign's in its place, and were kept from a slot after
  /// all: in totals in the order of `TallyPlace`.
  package static func move(_ count: UInt64, to place: TallyPlace, _ totals: inout [UInt64]) {
    guard totals.count == TallyPlace.allCases.count else { return }
    var left = count
    for from in [TallyPlace.boosted, .outbid] {
      let moved = min(left, totals[from.rawValue])
      totals[from.rawValue] -= moved
      totals[place.rawValue] += moved
      left -= moved
    }
  }

  /// Scaled to all batches.
  package func total(_ campaign: Int32, _ place: TallyPlace) -> UInt64 {
    let at = Int(campaign) * CampaignTally.line + place.rawValue
    return UInt64(counts[at]) * UInt64(CampaignTally.stride(campaigns: count))
  }

  /// Adds a campaign's numbers, scaled, to `totals`, in the order of `TallyPlace`, and forgets
  /// them.
  package mutating func drain(_ campaign: Int32, into totals: inout [UInt64]) {
    for place in TallyPlace.allCases {
      totals[place.rawValue] += total(campaign, place)
      counts[Int(campaign) * CampaignTally.line + place.rawValue] = 0
    }
  }
}
