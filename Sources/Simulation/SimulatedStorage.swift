internal import Core
internal import Ledger

/// `Storage` on a disk that forgets: a log of groups.
final class SimulatedStorage: Storage {
  private struct RequestKey: Hashable {
    var user: UInt64
    var requestID: RequestID
  }

  private struct OpeningKey: Hashable {
    var campaign: UInt64
    var subject: UInt64

    init(_ entry: JournalEntry) { (campaign, subject) = (entry.campaign, entry.reservation) }
  }

  /// What of a reservation is journaled: each at most once.
  private struct Marks: OptionSet {
    var rawValue: UInt8
    static let reserved = Marks(rawValue: 1)
    static let moneyOut = Marks(rawValue: 2)
    static let exposed = Marks(rawValue: 4)
    static let goal = Marks(rawValue: 8)
  }

  private let disk: SimulatedDisk
  private let refusesTwice: Bool
  private(set) var group: UInt64 = 0
  private var accountOpenings: [OpeningKey: JournalEntry] = [:]
  private var leaseOpenings: [UInt64: JournalEntry] = [:]
  private(set) var entries: [(sequence: Int64, entry: JournalEntry)] = []
  private var nextSequence: Int64 = 1
  private var notes: [String: [UInt8]] = [:]
  private var campaigns: [String: StoredCampaign] = [:]
  private var allocations: [StoredAllocation] = []
  private var placeOf: [RequestKey: Int] = [:]
  private var marks: [UInt64: Marks] = [:]
  private var hasFailed = false
  /// Why a group was refused; nil: none was.
  private(set) var refusal: String?

  /// A mistake on purpose, in every compaction.
  var spoil: ((inout Compaction) -> Void)?

  /// The key of a note that is the storage's own: a compaction, whose openings come after it.
  private static let compactionNote = "storage.compaction"

  /// Opens what a disk holds. `refusesTwice`: what a storage must do.
  init(_ disk: SimulatedDisk, afterPowerLoss: Bool, refusesTwice: Bool) {
    self.disk = disk
    self.refusesTwice = refusesTwice
    let (groups, bytes) = GroupCoding.decode(disk.restart(afterPowerLoss: afterPowerLoss))
    disk.truncate(to: bytes)
    for one in groups {
      group = one.number
      keep(one.records)
    }
  }

  func commit(_ records: [StoredRecord]) throws(StorageError) {
    try usable()
    for record in records {
      guard case .entry(let entry) = record, refusesTwice else { continue }
      let more = SimulatedStorage.marks(entry)
      if !(marks[entry.reservation] ?? []).isDisjoint(with: more), !more.isEmpty {
        refusal = "\(entry.kind) of reservation \(entry.reservation) a second time"
        throw fail(refusal ?? "")
      }
    }
    try write(GroupCoding.encode(records, number: group + 1))
    group += 1
    keep(records)
  }

  /// Those of accounts, then those of leases.
  var openings: [JournalEntry] {
    accountOpenings.values.sorted { ($0.campaign, $0.reservation) < ($1.campaign, $1.reservation) }
      + leaseOpenings.values.sorted { $0.lease < $1.lease }
  }

  func recover(_ visit: (StoredRecord, Int64) -> Bool) throws(StorageError) {
    for key in notes.keys.sorted() {
      guard let value = notes[key], visit(.note(key: key, value: value), 0) else { return }
    }
    for id in campaigns.keys.sorted() {
      guard let campaign = campaigns[id], visit(.campaign(campaign), 0) else { return }
    }
    for var allocation in allocations {
      allocation.answer = []
      guard visit(.allocation(allocation), 0) else { return }
    }
    for entry in openings { guard visit(.entry(entry), 0) else { return } }
    for (sequence, entry) in entries { guard visit(.entry(entry), sequence) else { return } }
  }

  func answer(user: UInt64, requestID: RequestID) throws(StorageError) -> [UInt8]? {
    try usable()
    return placeOf[RequestKey(user: user, requestID: requestID)].map { allocations[$0].answer }
  }

  func entries(
    after sequence: Int64, limit: Int
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)] {
    try usable()
    let first = entries.partitionPoint { $0.sequence > sequence }
    return Array(entries[first...].prefix(limit))
  }

  /// One more group of the log, which has the number of the last one.
  @discardableResult
  func compact(_ compaction: Compaction) throws(StorageError) -> Int {
    try usable()
    var compaction = compaction
    spoil?(&compaction)
    let records: [StoredRecord] =
      [.note(key: SimulatedStorage.compactionNote, value: CompactionCoding.encode(compaction))]
      + compaction.openings.map { .entry($0) }
    try write(GroupCoding.encode(records, number: group))
    let before = allocations.count
    keep(records)
    return before - allocations.count
  }

  private func write(_ bytes: [UInt8]) throws(StorageError) {
    do throws(SimulatedDisk.Failure) { try disk.append(bytes) } catch {
      throw fail("\(error)")
    }
  }

  private func usable() throws(StorageError) {
    if hasFailed { throw StorageError(operation: "use", reason: "it has failed") }
  }

  private func fail(_ reason: String) -> StorageError {
    hasFailed = true
    return StorageError(operation: "write", reason: reason)
  }

  private func keep(_ records: [StoredRecord]) {
    if case .note(SimulatedStorage.compactionNote, let value) = records.first {
      return apply(CompactionCoding.decode(value), openings: records.dropFirst())
    }
    for record in records {
      switch record {
      case .note(let key, let value): notes[key] = value
      case .campaign(let campaign): campaigns[campaign.id] = campaign
      case .allocation(let allocation): keep(allocation)
      case .entry(let entry):
        entries.append((nextSequence, entry))
        nextSequence += 1
        let more = SimulatedStorage.marks(entry)
        if !more.isEmpty { marks[entry.reservation, default: []].formUnion(more) }
      }
    }
  }

  private func apply(_ compaction: Compaction, openings records: ArraySlice<StoredRecord>) {
    let ended = Set(compaction.ended)
    var ranges = compaction.dropped[...]
    entries.removeAll { sequence, entry in
      while let range = ranges.first, range.upperBound < sequence { ranges.removeFirst() }
      let goes =
        ranges.first?.contains(sequence) ?? false
        || entry.kind == .reserve && ended.contains(entry.reservation)
      if goes { marks[entry.reservation]?.subtract(SimulatedStorage.marks(entry)) }
      return goes
    }
    for lease in compaction.endedLeases { leaseOpenings[lease] = nil }
    for case .entry(let entry) in records {
      if entry.kind == .lease {
        leaseOpenings[entry.lease] = entry
      } else {
        accountOpenings[OpeningKey(entry)] = entry
      }
    }
    if let time = compaction.time {
      notes[Compaction.timeKey] = NoteWords.encode([UInt64(bitPattern: time)])
    }
    allocations.removeAll { $0.expires < compaction.allocationsBefore }
    placeOf.removeAll(keepingCapacity: true)
    for (place, one) in allocations.enumerated() {
      placeOf[RequestKey(user: one.user, requestID: one.requestID)] = place
    }
  }

  private func keep(_ allocation: StoredAllocation) {
    let key = RequestKey(user: allocation.user, requestID: allocation.requestID)
    if let place = placeOf[key] {
      allocations[place] = allocation
    } else {
      placeOf[key] = allocations.count
      allocations.append(allocation)
    }
  }

  private static func marks(_ entry: JournalEntry) -> Marks {
    switch entry.kind {
    case .reserve: .reserved
    case .release: .moneyOut
    case .settle: [.moneyOut, .exposed]
    case .settleLate, .unpaid: .exposed
    case .goal: .goal
    case .fund, .lease, .leaseReturn, .opening: []
    }
  }
}

extension Array {
  /// Where the elements begin for which `isBehind`, if those for which it is not come first.
  fileprivate func partitionPoint(_ isBehind: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
