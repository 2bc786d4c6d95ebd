internal import Core
internal import Ledger

/// `Storage` on a disk that forgets: a log of groups.
final class SimulatedStorage: Storage {
  private struct RequestKey: Hashable {
    var user: UInt64
    var requestID: RequestID
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
  private(set) var openings: [JournalEntry] = []
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

  /// Keys of notes that are the storage's own, of a compacted log.
  private static let openingsNote = "storage.openings"
  private static let sequenceNote = "storage.sequence"

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
    try write(GroupCoding.encode(records, number: group + 1), asWhole: false)
    group += 1
    keep(records)
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

  /// Writes the whole log anew, as one group that has the number of the last one.
  func compact(_ compaction: Compaction) throws(StorageError) {
    try usable()
    let kept = Set(compaction.kept)
    var records: [StoredRecord] = notes.keys.sorted().map { .note(key: $0, value: notes[$0] ?? []) }
    records += campaigns.values.sorted { $0.id < $1.id }.map { .campaign($0) }
    records += allocations.filter { $0.expires >= compaction.allocationsBefore }
      .map { .allocation($0) }
    records.append(.note(key: SimulatedStorage.openingsNote, value: []))
    records += (compaction.through > 0 ? compaction.openings : openings).map { .entry($0) }
    for (sequence, entry) in entries
    where sequence > compaction.through
      || entry.kind == .reserve && kept.contains(entry.reservation)
    {
      var value: [UInt8] = []
      value.append(value: sequence)
      records.append(.note(key: SimulatedStorage.sequenceNote, value: value))
      records.append(.entry(entry))
    }
    try write(GroupCoding.encode(records, number: group), asWhole: true)
    (openings, entries, allocations) = ([], [], [])
    placeOf.removeAll(keepingCapacity: true)
    marks.removeAll(keepingCapacity: true)
    keep(records)
  }

  private func write(_ bytes: [UInt8], asWhole: Bool) throws(StorageError) {
    do throws(SimulatedDisk.Failure) {
      if asWhole { try disk.replace(bytes) } else { try disk.append(bytes) }
    } catch {
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
    var isOpening = false
    for record in records {
      switch record {
      case .note(SimulatedStorage.openingsNote, _): isOpening = true
      case .note(SimulatedStorage.sequenceNote, let value):
        isOpening = false
        nextSequence = value.withUnsafeBytes { $0.loadUnaligned(as: Int64.self) }
      case .note(let key, let value): notes[key] = value
      case .campaign(let campaign): campaigns[campaign.id] = campaign
      case .allocation(let allocation): keep(allocation)
      case .entry(let entry) where isOpening: openings.append(entry)
      case .entry(let entry):
        entries.append((nextSequence, entry))
        nextSequence += 1
        let more = SimulatedStorage.marks(entry)
        if !more.isEmpty { marks[entry.reservation, default: []].formUnion(more) }
      }
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
