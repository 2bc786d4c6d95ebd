import Core
import Ledger

/// One seed's world: a store and its shards over a disk that crashes, clients that allocate, report
/// in time, late, twice and out of order, a clock that jumps; and an account kept apart.
struct World {
  enum Flaw {
    /// The disk says that it has synced, and has not.
    case syncIgnored
    /// A duplicate is settled again.
    case settledTwice
  }

  static let times = LedgerTimes(reservation: 60_000, lease: 120_000, report: 240_000)
  static let costs: [UInt64: Int64] = [11: 1_000, 12: 7, 13: 250_000, 14: 0, 15: 999]

  let shardCount: Int
  let flaw: Flaw?
  var random: SplitMix64
  let disk: FakeDisk
  var storage: FakeStorage
  var ledger: RecoveredLedger
  var plain = PlainAccount()
  /// Decided, and not yet durable.
  var facts: [PlainAccount.Fact] = []
  /// What the store has done itself since its last turn.
  var funded: [JournalEntry] = []
  /// What clients hold: acknowledged placements.
  var claims: [PlacementClaim] = []
  var boot: Int64 = 5_000
  var bootID = RequestID(high: 1, low: 1)
  var unix: Int64 = 1_700_000_000_000
  var turns: UInt64 = 0
  var crashes = 0
  var reports = [String: Int]()
  /// What must never be, in words.
  var wrongs: [String] = []

  init(seed: UInt64, flaw: Flaw? = nil) throws {
    random = SplitMix64(seed: seed)
    self.flaw = flaw
    shardCount = 1 + Int(random.next() % 4)
    disk = FakeDisk(seed: random.next())
    disk.ignoresSync = flaw == .syncIgnored
    storage = FakeStorage(disk)
    ledger = try Self.recover(storage, shardCount, boot, bootID, unix) { _ in }
    try storage.commit(ledger.records)
  }

  private static func recover(
    _ storage: FakeStorage, _ shards: Int, _ boot: Int64, _ bootID: RequestID, _ unix: Int64,
    _ caps: (CapEvent) -> Void
  ) throws(RecoveryError) -> RecoveredLedger {
    try Recovery.recover(
      storage,
      RecoverySetup(
        times: times, shards: shards,
        shardOf: { Int(truncatingIfNeeded: splitmix64($0) % UInt64(shards)) },
        reading: LedgerClock.Reading(
          bootMilliseconds: boot, bootID: bootID, unixMilliseconds: unix), seed: 7),
      caps: caps)
  }

  mutating func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

  /// - Parameter exposures: how many are paid before it ends.
  mutating func run(exposures: Int64) throws {
    for campaign in Self.costs.keys.sorted() {
      fund(campaign, 40 * (Self.costs[campaign] ?? 0) + 100)
    }
    try turn()
    while plain.exposures < exposures, wrongs.isEmpty {
      for _ in 0..<(1 + pick(80)) { step() }
      try turn()
    }
    try check()
  }

  // MARK: Steps

  private mutating func now() -> Int64 { ledger.clock.now(bootMilliseconds: boot) }

  private func shard(of user: UInt64) -> Int {
    Int(truncatingIfNeeded: splitmix64(user) % UInt64(shardCount))
  }

  private mutating func step() {
    switch pick(100) {
    case 0..<45: reserve()
    case 45..<85: report()
    case 85..<90: release()
    case 90..<93:
      let campaign = Self.costs.keys.sorted()[pick(Self.costs.count)]
      let cost = Self.costs[campaign] ?? 0
      let most = (plain.campaigns[campaign]?.spent ?? 0) + 400 * cost + 100
      fund(campaign, Int64(random.next() % UInt64(most)))
    case 93..<98:
      boot += Int64(pick(3_000))
      unix += Int64(pick(100_000)) - 40_000
    default: if pick(5) == 0 { boot += Int64(pick(pick(10) == 0 ? 900_000 : 90_000)) }
    }
    if pick(8) == 0 { expire() }
  }

  private mutating func fund(_ campaign: UInt64, _ budget: Int64) {
    switch ledger.store.fund(campaign: campaign, to: Micros(budget), at: now()) {
    case .changed(let entry):
      funded.append(entry)
      facts.append(.funded(campaign: campaign, to: budget))
    case .unchanged: break
    case .refused(let committed):
      if committed.value <= budget { wrongs.append("a budget above \(committed) was refused") }
    case .full: wrongs.append("no room for a campaign")
    }
  }

  private mutating func reserve() {
    let user = UInt64(pick(200)) + 1
    let campaign = Self.costs.keys.sorted()[pick(Self.costs.count)]
    let placement = Placement(
      user: user, campaign: campaign, amount: Micros(Self.costs[campaign] ?? 0),
      item: random.next(), artist: Int64(pick(50)))
    let outcome = ledger.shards[shard(of: user)].reserve(placement, at: now())
    if case .reserved(let reservation) = outcome {
      facts.append(.reserved(PlacementClaim(reservation)))
    }
    if outcome == .full { wrongs.append("full") }
  }

  private mutating func report() {
    guard !claims.isEmpty else { return }
    // Mostly a recent one; now and then anything that ever was.
    let span = pick(12) == 0 ? claims.count : min(claims.count, 60)
    let claim = claims[claims.count - 1 - pick(span)]
    let index = shard(of: claim.placement.user)
    let outcome = ledger.shards[index].settle(claim, at: now())
    switch outcome {
    case .settled(let reservation):
      reports["settled", default: 0] += 1
      if PlacementClaim(reservation) != claim { wrongs.append("settled something else") }
      facts.append(.paid(claim))
    case .late:
      reports["late", default: 0] += 1
    case .duplicate:
      reports["duplicate", default: 0] += 1
      if flaw == .settledTwice {
        var entry = JournalEntry(
          kind: .settle, at: now(), campaign: claim.placement.campaign,
          amount: claim.placement.amount)
        entry.reservation = claim.reservation
        ledger.shards[index].outbox.append(.entry(entry))
      }
    case .expired:
      reports["expired", default: 0] += 1
      if now() <= claim.expires + Self.times.report { wrongs.append("expired too early") }
    case .unknown: wrongs.append("unknown: \(claim)")
    }
    if pick(3) == 0, ledger.shards[index].goal(claim, at: now()) == .recorded {
      facts.append(.goal(claim.reservation))
    }
  }

  private mutating func release() {
    guard !claims.isEmpty else { return }
    let claim = claims[claims.count - 1 - pick(min(claims.count, 30))]
    if case .released = ledger.shards[shard(of: claim.placement.user)].release(claim, at: now()) {
      facts.append(.released(claim.reservation))
    }
  }

  private mutating func expire() {
    let (index, time) = (pick(shardCount), now())
    var released: [UInt64] = []
    _ = ledger.shards[index].expire(upTo: time, limit: 1 + pick(50)) { released.append($0.id) }
    facts += released.map { .released($0) }
  }
}
