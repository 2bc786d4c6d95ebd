import Core
import Ledger

/// `Storage` on a disk that crashes: a log of groups, each with its length and checksum.
final class FakeStorage: Storage {
  private let disk: FakeDisk
  /// What is durable, decoded.
  private(set) var groups: [[StoredRecord]]
  private var through: Int64 = 0
  private var next: Int64 = 1
  private var entries: [(sequence: Int64, entry: JournalEntry)] = []
  private(set) var openings: [JournalEntry] = []
  private var notes: [String: [UInt8]] = [:]
  private var campaigns: [String: StoredCampaign] = [:]
  private var allocations: [StoredAllocation] = []
  private var once: Set<Once> = []
  private var isFailed = false

  /// What may be journaled once.
  private struct Once: Hashable {
    var reservation: UInt64
    var what: UInt8
  }

  /// Opens what a disk holds after a restart.
  init(_ disk: FakeDisk) {
    self.disk = disk
    let (groups, bytes) = RecordCoding.decode(disk.restart())
    disk.truncate(to: bytes)
    self.groups = groups
    for group in groups { take(group) }
  }

  var commits: Int { groups.count }

  func commit(_ records: [StoredRecord]) throws(StorageError) {
    try usable()
    for record in records {
      guard case .entry(let entry) = record else { continue }
      if let reason = refused(entry) { throw fail(reason) }
    }
    do throws(FakeDisk.Crash) { try disk.append(RecordCoding.encode(records)) } catch {
      throw fail("crash")
    }
    groups.append(records)
    take(records)
  }

  func recover(_ visit: (StoredRecord, Int64) -> Bool) throws(StorageError) {
    for (key, value) in notes.sorted(by: { $0.key < $1.key }) where !key.hasPrefix("fake.") {
      guard visit(.note(key: key, value: value), 0) else { return }
    }
    for campaign in campaigns.values.sorted(by: { $0.id < $1.id }) {
      guard visit(.campaign(campaign), 0) else { return }
    }
    for var allocation in allocations {
      allocation.answer = []
      guard visit(.allocation(allocation), 0) else { return }
    }
    for entry in openings { guard visit(.entry(entry), 0) else { return } }
    for (sequence, entry) in entries { guard visit(.entry(entry), sequence) else { return } }
  }

  func answer(user: UInt64, requestID: RequestID) throws(StorageError) -> [UInt8]? {
    allocations.last { $0.user == user && $0.requestID == requestID }?.answer
  }

  /// The whole log anew: what was kept is one group, behind a note of where it came from.
  func compact(_ compaction: Compaction) throws(StorageError) {
    try usable()
    let kept = Set(compaction.kept)
    let rest = entries.filter {
      $0.sequence > compaction.through
        || $0.entry.kind == .reserve && kept.contains($0.entry.reservation)
    }
    var records: [StoredRecord] = notes.filter { !$0.key.hasPrefix("fake.") }
      .map { .note(key: $0.key, value: $0.value) }
    records += campaigns.values.map { .campaign($0) }
    records += allocations.filter { $0.expires >= compaction.allocationsBefore }
      .map { .allocation($0) }
    records.append(
      .note(key: "fake.openings", value: [UInt8(compaction.through > 0 ? 1 : 0)]))
    records += (compaction.through > 0 ? compaction.openings : openings).map { .entry($0) }
    for (sequence, entry) in rest {
      records.append(
        .note(key: "fake.at", value: (0..<8).map { UInt8(sequence >> ($0 * 8) & 255) }))
      records.append(.entry(entry))
    }
    do throws(FakeDisk.Crash) { try disk.replace(RecordCoding.encode(records)) } catch {
      throw fail("crash")
    }
    (entries, openings, once, allocations) = ([], [], [], [])
    groups = [records]
    take(records)
  }

  private func usable() throws(StorageError) {
    if isFailed { throw StorageError(operation: "use", reason: "it has failed") }
  }

  private func fail(_ reason: String) -> StorageError {
    isFailed = true
    return StorageError(operation: "commit", reason: reason)
  }

  private func take(_ records: [StoredRecord]) {
    var isOpening = false
    for record in records {
      switch record {
      case .note("fake.openings", _): isOpening = true
      case .note("fake.at", let value):
        isOpening = false
        next = value.enumerated().reduce(0) { $0 | Int64($1.element) << ($1.offset * 8) }
      case .note(let key, let value): notes[key] = value
      case .campaign(let campaign): campaigns[campaign.id] = campaign
      case .allocation(let allocation):
        allocations.removeAll {
          $0.user == allocation.user && $0.requestID == allocation.requestID
        }
        allocations.append(allocation)
      case .entry(let entry) where isOpening: openings.append(entry)
      case .entry(let entry):
        entries.append((next, entry))
        next += 1
        once.formUnion(marks(entry))
      }
    }
  }

  private func marks(_ entry: JournalEntry) -> [Once] {
    let what: [UInt8] =
      switch entry.kind {
      case .reserve: [0]
      case .release: [1]
      case .settle: [1, 2]
      case .settleLate, .unpaid: [2]
      case .goal: [3]
      default: []
      }
    return what.map { Once(reservation: entry.reservation, what: $0) }
  }

  private func refused(_ entry: JournalEntry) -> String? {
    marks(entry).contains { once.contains($0) } ? "twice: \(entry)" : nil
  }
}
