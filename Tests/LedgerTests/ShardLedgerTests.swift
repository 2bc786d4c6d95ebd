import Core
import Testing

@testable import Ledger

@Suite struct ShardLedgerTests {
  static let times = LedgerTimes(reservation: 1_000, lease: 2_000, report: 10_000)
  var shard = ShardLedger(times: times, start: 3, index: 1, shards: 4)

  static func lease(_ id: UInt64, _ amount: Int64, at: Int64 = 0) -> Lease {
    Lease(
      id: id, campaign: 7, holder: 0, amount: Micros(amount), at: at, expires: at + times.lease)
  }

  static func placement(_ amount: Int64 = 10, campaign: UInt64 = 7) -> Placement {
    Placement(user: 5, campaign: campaign, amount: Micros(amount), item: 6, artist: 8)
  }

  mutating func reserved(at now: Int64 = 0) throws -> PlacementClaim {
    guard case .reserved(let reservation) = shard.reserve(Self.placement(), at: now) else {
      throw StorageError(operation: "reserve", reason: "refused")
    }
    return PlacementClaim(reservation)
  }

  mutating func kinds() -> [JournalEntry.Kind] {
    shard.takeOutbox().compactMap { if case .entry(let entry) = $0 { entry.kind } else { nil } }
  }

  @Test mutating func aReservationEndsOnce() throws {
    shard.grant(Self.lease(1, 100), at: 0)
    let first = try reserved()
    let second = try reserved()
    #expect(first.reservation == 3 << 40 | 2 && second.reservation == 3 << 40 | 6)
    #expect(first.expires == 1_000)
    guard case .settled(let reservation) = shard.settle(first, at: 5) else {
      Issue.record("not settled")
      return
    }
    #expect(PlacementClaim(reservation) == first && reservation.lease == 1)
    #expect(shard.settle(first, at: 5) == .duplicate)
    #expect(shard.release(first, at: 5) == .settled)
    #expect(shard.goal(second, at: 5) == .noExposure)
    #expect(shard.goal(first, at: 5) == .recorded && shard.goal(first, at: 6) == .duplicate)
    guard case .released = shard.release(second, at: 6) else {
      Issue.record("not released")
      return
    }
    #expect(shard.release(second, at: 6) == .alreadyReleased)
    #expect(shard.goal(second, at: 7) == .noExposure)
    #expect(shard.settle(second, at: 7) == .late && shard.settle(second, at: 8) == .duplicate)
    #expect(shard.release(second, at: 8) == .settled)
    #expect(shard.goal(second, at: 8) == .recorded && shard.goal(second, at: 8) == .duplicate)
    #expect(kinds() == [.reserve, .reserve, .settle, .goal, .release, .settleLate, .goal])
    #expect(shard.openReservations == 0 && shard.rememberedReservations == 2)
  }

  @Test mutating func claimsOfNothingAreTold() throws {
    shard.grant(Self.lease(1, 100), at: 0)
    let claim = try reserved()
    var other = claim
    other.reservation += 4
    #expect(shard.settle(other, at: 1) == .unknown && shard.release(other, at: 1) == .unknown)
    #expect(shard.goal(other, at: 1) == .unknown)
    #expect(shard.settle(other, at: claim.expires + 10_001) == .expired)
    #expect(shard.release(other, at: claim.expires + 10_001) == .expired)
    #expect(shard.goal(other, at: claim.expires + 10_001) == .expired)
    for change in [
      { (claim: inout PlacementClaim) in claim.placement.amount = Micros(11) },
      { $0.placement.user = 9 }, { $0.placement.campaign = 9 }, { $0.placement.item = 9 },
    ] {
      var changed = claim
      change(&changed)
      #expect(shard.settle(changed, at: 1) == .unknown && shard.release(changed, at: 1) == .unknown)
    }
    #expect(kinds() == [.reserve])
    #expect(shard.withdraw(reservation: claim.reservation) != nil)
    #expect(shard.settle(claim, at: 1) == .unknown)
  }

  @Test mutating func whatEndsIsReleasedInPieces() throws {
    shard.grant(Self.lease(1, 100), at: 0)
    let claims = try (0..<5).map { try reserved(at: $0) }
    _ = shard.settle(claims[1], at: 4)
    _ = shard.takeOutbox()
    #expect(shard.nextExpiry == 1_000)
    var released: [UInt64] = []
    #expect(!shard.expire(upTo: 999, limit: 2) { released.append($0.id) })
    #expect(shard.expire(upTo: 1_003, limit: 2) { released.append($0.id) })
    // The lease goes first: less than a reservation's length of it is left.
    #expect(kinds() == [.leaseReturn, .release] && released == [claims[0].reservation])
    #expect(!shard.expire(upTo: 1_003, limit: 9) { released.append($0.id) })
    #expect(released == [0, 2, 3].map { claims[$0].reservation })
    // Open and beyond its time: its money is still there.
    guard case .settled = shard.settle(claims[4], at: 5_000) else {
      Issue.record("not settled")
      return
    }
    #expect(shard.nextExpiry == nil)
  }

  @Test mutating func boundsRefuseNewReservations() throws {
    shard = ShardLedger(
      times: Self.times, bounds: ShardLedger.Bounds(open: 2, remembered: 3), start: 3, index: 0,
      shards: 1)
    shard.grant(Self.lease(1, 1_000), at: 0)
    let first = try reserved()
    _ = try reserved()
    #expect(shard.reserve(Self.placement(), at: 0) == .full)
    _ = shard.settle(first, at: 0)
    _ = try reserved()
    _ = shard.expire(upTo: 1_000, limit: 9) { _ in }
    shard.grant(Self.lease(2, 1_000, at: 1_000), at: 1_000)
    #expect(shard.reserve(Self.placement(), at: 1_000) == .full)
    // What is old enough is forgotten.
    let later = 1_000 + Self.times.forgotten
    _ = shard.expire(upTo: later, limit: 9) { _ in }
    shard.grant(Self.lease(3, 1_000, at: later), at: later)
    _ = try reserved(at: later)
    #expect(shard.settle(first, at: later) == .expired)
  }

  @Test mutating func leasesAreAskedForAhead() throws {
    #expect(shard.reserve(Self.placement(), at: 0) == .noBudget)
    #expect(shard.reserve(Self.placement(), at: 0) == .noBudget)
    #expect(shard.takeWishes().map(\.campaign) == [7] && shard.takeWishes() == [])
    shard.refuse(7, isSpent: true, until: 50)
    shard.want(7, at: 49)
    #expect(shard.takeWishes() == [])
    shard.want(7, at: 50)
    #expect(shard.takeWishes().map(\.campaign) == [7])
    shard.grant(Self.lease(1, 40, at: 50), at: 50)
    #expect(shard.available(7, at: 50) == (Micros(40), true))
    shard.want(7, at: 50)
    _ = try reserved(at: 50)
    #expect(shard.takeWishes() == [])
    _ = try reserved(at: 50)
    #expect(shard.takeWishes().map(\.campaign) == [7])
    shard.grant(Self.lease(2, 40, at: 51), at: 51)
    #expect(shard.reserve(Self.placement(41), at: 51) == .noBudget)
    #expect(shard.takeWishes().map(\.campaign) == [7])
    // The older is spent first; a third one takes its place.
    _ = shard.takeOutbox()
    _ = try reserved(at: 52)
    shard.grant(Self.lease(3, 40, at: 52), at: 52)
    let entries = shard.takeOutbox()
    guard case .entry(let back) = entries[1] else { return }
    #expect(back.kind == .leaseReturn && back.lease == 1 && back.amount == Micros(10))
    #expect(shard.available(8, at: 52) == (.zero, false))
    shard.returnLeases(of: 7, at: 53)
    #expect(kinds() == [.leaseReturn, .leaseReturn])
    #expect(shard.available(7, at: 53) == (.zero, false) && shard.nextExpiry == 1_050)
  }

  @Test mutating func aHolderStopsBeforeItsLeaseEnds() throws {
    // Nine tenths of 2,000, or 1,000 before its end: the earlier.
    shard.grant(Self.lease(1, 100), at: 0)
    _ = try reserved(at: 999)
    #expect(shard.available(7, at: 1_000) == (.zero, false))
    #expect(shard.reserve(Self.placement(), at: 1_000) == .noBudget)
    let times = LedgerTimes(reservation: 10, lease: 1_000, report: 1)
    #expect(times.holderStops(granted: 0, expires: 1_000) == 900)
    #expect(times.holderStops(granted: 0, expires: 50) == 40)
  }
}
