import Core
import Ledger
import Testing

@testable import Simulation

/// The disk and the storage that simulations stand on: wrong here, they would hide mistakes.
@Suite struct SimulatedStorageTests {
  private func entry(_ kind: JournalEntry.Kind, _ reservation: UInt64, at: Int64 = 1)
    -> JournalEntry
  {
    var entry = JournalEntry(kind: kind, at: at, campaign: 3, amount: Micros(5))
    entry.reservation = reservation
    return entry
  }

  private let records: [StoredRecord] = [
    .note(key: "a", value: [1, 2, 3]),
    .campaign(StoredCampaign(id: "c", key: 9, document: "d", isPaused: true)),
    .allocation(
      StoredAllocation(
        user: 4, requestID: RequestID(high: 5, low: 6), digest: RequestID(high: 7, low: 8),
        expires: 9, answer: [10])),
  ]

  private func entries(_ storage: SimulatedStorage) -> [UInt64] {
    storage.entries.map(\.entry.reservation)
  }

  @Test func recordsComeBackAsTheyWere() throws {
    let all = records + [.entry(entry(.reserve, 7))]
    let (groups, bytes) = GroupCoding.decode(GroupCoding.encode(all, number: 12))
    #expect(groups.map(\.records) == [all] && groups.map(\.number) == [12])
    #expect(bytes == GroupCoding.encode(all, number: 12).count)
  }

  /// Cut or damaged anywhere, a group is not there, and the one before it is.
  @Test func tornGroupsAreNotThere() {
    let first = GroupCoding.encode(records, number: 1)
    let second = GroupCoding.encode([.entry(entry(.reserve, 7))], number: 2)
    for cut in 0..<second.count {
      let (groups, bytes) = GroupCoding.decode(first + second[..<cut])
      #expect(groups.count == 1 && bytes == first.count)
      var damaged = first + second
      damaged[first.count + cut] ^= 4
      #expect(GroupCoding.decode(damaged).groups.count == 1)
    }
    #expect(GroupCoding.decode(first + second).groups.count == 2)
  }

  @Test(arguments: SimulatedDisk.CrashPoint.allCases)
  func aCrashLosesAtMostWhatWasNotSynced(_ point: SimulatedDisk.CrashPoint) throws {
    var found: Set<Int> = []
    for seed in UInt64(1)...50 {
      let disk = SimulatedDisk(seed: seed, ignoresSync: false)
      let storage = SimulatedStorage(disk, afterPowerLoss: false, refusesTwice: true)
      try storage.commit([.entry(entry(.reserve, 1))])
      disk.crash = point
      #expect(throws: StorageError.self) { try storage.commit([.entry(entry(.reserve, 2))]) }
      #expect(disk.isDown)
      found.insert(
        entries(SimulatedStorage(disk, afterPowerLoss: true, refusesTwice: true)).count)
    }
    switch point {
    case .beforeWrite, .duringWrite: #expect(found == [1])
    case .beforeSync: #expect(found == [1, 2])
    case .afterSync: #expect(found == [2])
    }
  }

  @Test func aDiskThatIgnoresSyncLosesWhatItTook() throws {
    let lost = try (UInt64(1)...20).contains { seed in
      let disk = SimulatedDisk(seed: seed, ignoresSync: true)
      let storage = SimulatedStorage(disk, afterPowerLoss: false, refusesTwice: true)
      try storage.commit([.entry(entry(.reserve, 1))])
      disk.stopNow()
      return entries(SimulatedStorage(disk, afterPowerLoss: true, refusesTwice: true)).isEmpty
    }
    #expect(lost)
  }

  @Test func nothingIsStoredThatWouldPayTwice() throws {
    let disk = SimulatedDisk(seed: 1, ignoresSync: false)
    let storage = SimulatedStorage(disk, afterPowerLoss: false, refusesTwice: true)
    try storage.commit([.entry(entry(.reserve, 1)), .entry(entry(.settle, 1))])
    #expect(throws: StorageError.self) { try storage.commit([.entry(entry(.settleLate, 1))]) }
    #expect(storage.refusal != nil)
    let again = SimulatedStorage(disk, afterPowerLoss: true, refusesTwice: true)
    #expect(entries(again) == [1, 1])
    #expect(throws: StorageError.self) { try again.commit([.entry(entry(.release, 1))]) }
  }

  private func compaction() -> Compaction {
    var compaction = Compaction(allocationsBefore: 9, allocations: 9)
    compaction.through = 3
    compaction.dropped = [1...1, 3...3]
    compaction.openings = [entry(.opening, 0), entry(.lease, 0)]
    return compaction
  }

  @Test func compactionKeepsWhatItIsToldTo() throws {
    let disk = SimulatedDisk(seed: 1, ignoresSync: false)
    let storage = SimulatedStorage(disk, afterPowerLoss: false, refusesTwice: true)
    try storage.commit(records + (1...4).map { .entry(entry(.reserve, $0)) })
    try storage.compact(compaction())
    for one in [storage, SimulatedStorage(disk, afterPowerLoss: true, refusesTwice: true)] {
      #expect(one.openings == compaction().openings && one.group == 1)
      #expect(one.entries.map(\.sequence) == [2, 4] && entries(one) == [2, 4])
      #expect(try one.entries(after: 2, limit: 5).map(\.sequence) == [4])
      #expect(try one.answer(user: 4, requestID: RequestID(high: 5, low: 6)) == [10])
    }
    var second = Compaction(allocationsBefore: 10, allocations: 9)
    (second.through, second.ended, second.endedLeases) = (4, [2], [0])
    try storage.compact(second)
    for one in [storage, SimulatedStorage(disk, afterPowerLoss: true, refusesTwice: true)] {
      #expect(one.openings == [entry(.opening, 0)] && one.entries.map(\.sequence) == [4])
      #expect(try one.answer(user: 4, requestID: RequestID(high: 5, low: 6)) == nil)
    }
  }

  @Test(arguments: SimulatedDisk.CrashPoint.allCases)
  func aCrashLeavesACompactionWholeOrNotAtAll(_ point: SimulatedDisk.CrashPoint) throws {
    var found: Set<Int> = []
    for seed in UInt64(1)...50 {
      let disk = SimulatedDisk(seed: seed, ignoresSync: false)
      let storage = SimulatedStorage(disk, afterPowerLoss: false, refusesTwice: true)
      try storage.commit((1...4).map { .entry(entry(.reserve, $0)) })
      disk.crash = point
      #expect(throws: StorageError.self) { try storage.compact(compaction()) }
      let after = SimulatedStorage(disk, afterPowerLoss: true, refusesTwice: true)
      #expect(after.openings.isEmpty == (after.entries.count == 4))
      found.insert(after.entries.count)
    }
    switch point {
    case .beforeWrite, .duringWrite: #expect(found == [4])
    case .beforeSync: #expect(found == [2, 4])
    case .afterSync: #expect(found == [2])
    }
  }
}
