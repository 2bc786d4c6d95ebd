internal import Core

/// The money of one shard's users: leases that it spends from, reservations, and which of them have
/// ended. A pure state machine with one owner. What it decides goes into `outbox`, and nobody is
/// told of it before that is durable. Campaign keys and ids are ours; claims have been checked by
/// their MAC.
package struct ShardLedger: Sendable {
  package struct Bounds: Sendable, Equatable {
    /// Reservations that are open.
    package var open: Int
    /// Reservations that are open, or have ended and are remembered.
    package var remembered: Int

    package init(
      open: Int = Limits.openReservations, remembered: Int = Limits.rememberedReservations
    ) {
      self.open = open
      self.remembered = remembered
    }
  }

  package let times: LedgerTimes
  package let bounds: Bounds
  /// In the order in which things were decided. The owner empties it (`takeOutbox`), and may add
  /// records of its own between.
  package var outbox: [StoredRecord] = []
  var open = ExpiringTable<Reservation>()
  var ended: EndedReservations
  var wallets: [Wallet] = []
  var walletOf = IDIndex()
  /// Of every lease that is held, its wallet.
  var leaseEnds = ExpiringTable<Int>()
  var wished: [LeaseWish] = []
  private var ids: IDSequence

  /// - Parameters:
  ///   - start: counts the starts of the server on its data, from 1.
  ///   - index: which shard of `shards`; it only keeps ids apart.
  package init(
    times: LedgerTimes = LedgerTimes(), bounds: Bounds = Bounds(), start: UInt64, index: Int,
    shards: Int
  ) {
    self.times = times
    self.bounds = bounds
    ended = EndedReservations(times: times)
    ids = IDSequence(start: start, offset: index, stride: shards)
  }

  package var openReservations: Int { open.count }
  package var rememberedReservations: Int { ended.count }
  package var rememberedBytes: Int { ended.bytes }

  package subscript(reservation id: UInt64) -> Reservation? { open[id] }

  package mutating func takeOutbox() -> [StoredRecord] {
    defer { outbox = [] }
    return outbox
  }

  // MARK: Reservations

  /// Takes a placement's cost from a lease of its campaign.
  package mutating func reserve(_ placement: Placement, at now: Int64) -> ReserveOutcome {
    precondition(placement.amount >= .zero)
    guard open.count < bounds.open, open.count + ended.count < bounds.remembered else {
      return .full
    }
    guard let lease = draw(placement.campaign, placement.amount, at: now) else {
      return .noBudget
    }
    guard let id = ids.next() else { return .full }
    let reservation = Reservation(
      id: id, lease: lease, placement: placement, at: now, expires: now + times.reservation)
    open.insert(id, reservation, expires: reservation.expires)
    outbox.append(.entry(reservation.entry))
    return .reserved(reservation)
  }

  /// An exposure. One that comes after its time settles as long as its reservation is open.
  package mutating func settle(_ claim: PlacementClaim, at now: Int64) -> SettleOutcome {
    if let reservation = open[claim.reservation] {
      guard reservation.placement.isClaimed(by: claim) else { return .unknown }
      end(reservation, .settled, .settle, at: now)
      return .settled(reservation)
    }
    ended.advance(to: now)
    guard let (end, hasGoal) = ended[claim.reservation] else { return missing(claim, at: now) }
    guard end == .released else { return .duplicate }
    ended.change(claim.reservation, to: .late, hasGoal: hasGoal)
    outbox.append(.entry(claim.entry(.settleLate, at: now)))
    return .late
  }

  /// Gives a reservation back that will not be shown.
  package mutating func release(_ claim: PlacementClaim, at now: Int64) -> ReleaseOutcome {
    if let reservation = open[claim.reservation] {
      guard reservation.placement.isClaimed(by: claim) else { return .unknown }
      end(reservation, .released, .release, at: now)
      return .released(reservation)
    }
    ended.advance(to: now)
    switch ended[claim.reservation]?.end {
    case .settled, .late: return .settled
    case .released: return .alreadyReleased
    case nil: return now > claim.expires + times.report ? .expired : .unknown
    }
  }

  /// The goal was reached after an exposure: counted once for a reservation.
  package mutating func goal(_ claim: PlacementClaim, at now: Int64) -> GoalOutcome {
    if open[claim.reservation] != nil { return .noExposure }
    ended.advance(to: now)
    guard let (end, hasGoal) = ended[claim.reservation] else {
      return now > claim.expires + times.report ? .expired : .unknown
    }
    if end == .released { return .noExposure }
    if hasGoal { return .duplicate }
    ended.change(claim.reservation, to: end, hasGoal: true)
    var entry = claim.entry(.goal, at: now)
    entry.amount = .zero
    outbox.append(.entry(entry))
    return .recorded
  }

  /// Forgets a reservation that the store has refused (`LedgerFault.Kind.leaseIsOver`).
  package mutating func withdraw(reservation id: UInt64) -> Reservation? { open.remove(id) }

  /// When something ends next, in ledger time: a reservation, or the use of a lease.
  package var nextExpiry: Int64? {
    [open.first?.expires, leaseEnds.first?.expires].compactMap(\.self).min()
  }

  /// Releases reservations whose time is over, and returns leases that are of no more use: at most
  /// `limit` of both. Whether there may be more.
  package mutating func expire(
    upTo now: Int64, limit: Int, released: (Reservation) -> Void
  ) -> Bool {
    ended.advance(to: now)
    var count = 0
    while count < limit, let first = leaseEnds.first, first.expires <= now {
      returnLease(first.id, at: now)
      count += 1
    }
    while count < limit, let first = open.first, first.expires <= now {
      end(first.record, .released, .release, at: now)
      released(first.record)
      count += 1
    }
    return count == limit
  }

  private func missing(_ claim: PlacementClaim, at now: Int64) -> SettleOutcome {
    now > claim.expires + times.report ? .expired : .unknown
  }

  private mutating func end(
    _ reservation: Reservation, _ end: ReservationEnd, _ kind: JournalEntry.Kind, at now: Int64
  ) {
    ended.advance(to: now)
    open.remove(reservation.id)
    ended.insert(reservation.id, end)
    var entry = JournalEntry(
      kind: kind, at: now, campaign: reservation.placement.campaign,
      amount: reservation.placement.amount)
    entry.lease = reservation.lease
    entry.reservation = reservation.id
    outbox.append(.entry(entry))
  }
}

extension Placement {
  /// Whether a claim is of this placement: a token may leave artist and release out.
  func isClaimed(by claim: PlacementClaim) -> Bool {
    let other = claim.placement
    return user == other.user && campaign == other.campaign && amount == other.amount
      && item == other.item
  }

  func fill(_ entry: inout JournalEntry) {
    entry.user = user
    entry.item = item
    entry.artist = artist
    entry.release = release
  }
}

extension Reservation {
  var entry: JournalEntry {
    var entry = JournalEntry(
      kind: .reserve, at: at, campaign: placement.campaign, amount: placement.amount)
    entry.lease = lease
    entry.reservation = id
    placement.fill(&entry)
    entry.expires = expires
    return entry
  }

  /// From a `reserve`.
  init(_ entry: JournalEntry) {
    self.init(
      id: entry.reservation, lease: entry.lease, placement: Placement(entry), at: entry.at,
      expires: entry.expires)
  }
}

extension Placement {
  init(_ entry: JournalEntry) {
    self.init(
      user: entry.user, campaign: entry.campaign, amount: entry.amount, item: entry.item,
      artist: entry.artist, release: entry.release)
  }
}

extension PlacementClaim {
  func entry(_ kind: JournalEntry.Kind, at now: Int64) -> JournalEntry {
    var entry = JournalEntry(
      kind: kind, at: now, campaign: placement.campaign, amount: placement.amount)
    entry.reservation = reservation
    placement.fill(&entry)
    entry.expires = expires
    return entry
  }
}
