import Core
import Ledger

/// `Storage` on a disk that crashes: a log of groups, each with its length and checksum.
final class FakeStorage: Storage {
  private let disk: FakeDisk
  /// What is durable, decoded.
  private(set) var groups: [[StoredRecord]]
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

  func entries(
    after sequence: Int64, limit: Int
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)] {
    Array(entries.lazy.filter { $0.sequence > sequence }.prefix(limit))
  }

  /// The whole log anew: what was kept is one group, behind a note of where it came from.
  @discardableResult
  func compact(_ compaction: Compaction) throws(StorageError) -> Int {
    try usable()
    let ended = Set(compaction.ended)
    let rest = entries.filter { sequence, entry in
      !compaction.dropped.contains { $0.contains(sequence) }
        && !(entry.kind == .reserve && ended.contains(entry.reservation))
    }
    if let time = compaction.time {
      notes[Compaction.timeKey] = NoteWords.encode([UInt64(bitPattern: time)])
    }
    var records: [StoredRecord] = notes.filter { !$0.key.hasPrefix("fake.") }
      .map { .note(key: $0.key, value: $0.value) }
    records += campaigns.values.map { .campaign($0) }
    let stay = allocations.filter { $0.expires >= compaction.allocationsBefore }
    let gone = allocations.count - stay.count
    records += stay.map { .allocation($0) }
    records.append(.note(key: "fake.openings", value: []))
    records += openings(after: compaction).map { .entry($0) }
    for (sequence, entry) in rest {
      records.append(
        .note(key: "fake.at", value: (0..<8).map { UInt8(sequence >> ($0 * 8) & 255) }))
      records.append(.entry(entry))
    }
    // What comes next has the next number, even if nothing is left.
    records.append(.note(key: "fake.at", value: (0..<8).map { UInt8(next >> ($0 * 8) & 255) }))
    do throws(FakeDisk.Crash) { try disk.replace(RecordCoding.encode(records)) } catch {
      throw fail("crash")
    }
    (entries, openings, once, allocations) = ([], [], [], [])
    groups = [records]
    take(records)
    return gone
  }

  /// An array is searched for each: the plainest way.
  private func openings(after compaction: Compaction) -> [JournalEntry] {
    var all = openings.filter { one in
      !(one.kind == .lease && compaction.endedLeases.contains(one.lease))
        && !compaction.openings.contains { new in
          new.kind == one.kind && new.lease == one.lease
            && (one.kind == .lease
              || new.campaign == one.campaign && new.reservation == one.reservation)
        }
    }
    all += compaction.openings
    return all.filter { $0.kind == .opening } + all.filter { $0.kind == .lease }
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
