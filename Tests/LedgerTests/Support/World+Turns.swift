import Core
import Ledger

extension World {
  /// The store's turn: takes what the shards have decided, grants leases, commits; or crashes.
  mutating func turn() throws {
    turns += 1
    if pick(32) == 0 {
      disk.crash = (writes: 0, point: FakeDisk.Point.allCases[pick(4)])
    }
    let time = ledger.clock.now(bootMilliseconds: boot)
    var records: [StoredRecord] = [
      .note(key: "world.turn", value: (0..<8).map { UInt8(turns >> (8 * $0) & 255) })
    ]
    records += funded.map { .entry($0) }
    funded = []
    for index in ledger.shards.indices {
      for record in ledger.shards[index].takeOutbox() { records.append(try accept(record)) }
    }
    let (grants, refusals) = answerWishes(at: time, &records)
    do throws(StorageError) { try storage.commit(records) } catch {
      if disk.isDown { return try restart() }
      throw error
    }
    durable()
    for (index, lease) in grants { ledger.shards[index].grant(lease, at: time) }
    for (index, campaign) in refusals {
      let cost = Micros(World.costs[campaign] ?? 0)
      let isSpent = ledger.store.totals(of: campaign).map { $0.budget < cost } ?? true
      ledger.shards[index].refuse(campaign, isSpent: isSpent, until: time + 100)
    }
    if pick(6) == 0 { try compact(at: time) }
  }

  private mutating func accept(_ record: StoredRecord) throws -> StoredRecord {
    guard case .entry(let entry) = record else { return record }
    let accepted = try ledger.store.accept(entry)
    if entry.kind == .settleLate {
      var claim = PlacementClaim(
        reservation: entry.reservation,
        placement: Placement(
          user: entry.user, campaign: entry.campaign, amount: entry.amount, item: entry.item,
          artist: entry.artist, release: entry.release), expires: entry.expires)
      claim.placement.user = entry.user
      facts.append(accepted.kind == .unpaid ? .unpaid(claim) : .paid(claim))
    }
    return .entry(accepted)
  }

  private mutating func answerWishes(
    at time: Int64, _ records: inout [StoredRecord]
  ) -> (grants: [(Int, Lease)], refusals: [(Int, UInt64)]) {
    var grants: [(Int, Lease)] = []
    var refusals: [(Int, UInt64)] = []
    for index in ledger.shards.indices {
      for wish in ledger.shards[index].takeWishes() {
        let campaign = wish.campaign
        let quantum = Micros(World.costs[campaign] ?? 0)
        if let (lease, entry) = ledger.store.lease(
          campaign: campaign, holder: UInt32(index), quantum: quantum, wanted: wish.wanted,
          at: time)
        {
          grants.append((index, lease))
          records.append(.entry(entry))
        } else {
          refusals.append((index, campaign))
        }
      }
    }
    return (grants, refusals)
  }

  /// What was decided is so, and clients are told.
  private mutating func durable() {
    // A goal is told in the same breath as its exposure, which may have been decided later.
    for fact in facts {
      if case .goal = fact { continue }
      plain.take(fact)
      if case .reserved(let claim) = fact { claims.append(claim) }
    }
    for fact in facts { if case .goal = fact { plain.take(fact) } }
    facts = []
  }

  /// Some slices, of any size.
  private mutating func compact(at time: Int64) throws {
    for _ in 0..<(1 + pick(8)) {
      if pick(20) == 0 { disk.crash = (writes: 0, point: FakeDisk.Point.allCases[pick(4)]) }
      let progress: CompactionProgress
      do throws(CompactionError) {
        progress = try ledger.compactor.compact(
          storage, at: time, before: ledger.compactor.horizon(at: time, kept: 0),
          allocationsBefore: .min, rows: 1 + pick(pick(2) == 0 ? 20 : 1_000))
      } catch {
        guard disk.isDown else { throw error }
        return try restart()
      }
      disk.crash = nil
      if progress.entries > 0 { reports["compactions", default: 0] += 1 }
      if !progress.hasMore { break }
    }
    if pick(4) == 0 { try check() }
  }

  /// Power is gone and comes back, on the same boot or another.
  private mutating func restart() throws {
    crashes += 1
    let before = turns
    storage = FakeStorage(disk)
    if pick(3) == 0 {
      bootID.low += 1
      boot = Int64(pick(50_000))
      unix += Int64(pick(4_000_000)) - 1_000_000
    } else {
      boot += Int64(pick(5_000))
    }
    var caps = 0
    ledger = try Recovery.recover(
      storage,
      RecoverySetup(
        times: World.times, shards: shardCount,
        shardOf: { [shardCount] in
          Int(truncatingIfNeeded: splitmix64($0) % UInt64(shardCount))
        },
        reading: LedgerClock.Reading(
          bootMilliseconds: boot, bootID: bootID, unixMilliseconds: unix), seed: 7)
    ) { event in
      switch event {
      case .reserved: caps += 1
      case .released: caps -= 1
      case .late: caps += 1
      }
    }
    let last = ledger.notes["world.turn"]?.enumerated()
      .reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) }
    // The last turn is there whole or not at all; earlier ones were acknowledged and must be.
    if last == before {
      durable()
    } else {
      facts = []
      if last ?? 0 != before - 1 { wrongs.append("turn \(before - 1) is lost") }
      turns = before - 1
    }
    if storage.openings.isEmpty, caps != plain.open.count + plain.exposed.count {
      wrongs.append("\(caps) count for caps")
    }
    try storage.commit(ledger.records)
    if pick(2) == 0 { try check() }
  }

  /// The store, an audit of the storage and the account kept apart say the same.
  mutating func check() throws {
    var audit = Audit()
    try storage.recover { record, sequence in
      guard case .entry(let entry) = record else { return true }
      return audit.add(entry, sequence: sequence)
    }
    if let finding = audit.finding { wrongs.append("audit: \(finding)") }
    wrongs += plain.disagreements(audit.totals).map { "audit: \($0)" }
    guard facts.isEmpty else { return }
    wrongs += plain.disagreements(ledger.store.totals).map { "store: \($0)" }
    if audit.openReservations != plain.open.count { wrongs.append("open reservations") }
    let inShards = ledger.shards.reduce(0) { $0 + $1.openReservations }
    if inShards != plain.open.count { wrongs.append("\(inShards) are open in shards") }
  }
}
