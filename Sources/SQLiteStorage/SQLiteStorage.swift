internal import Core
package import Ledger

/// The ledger's storage in one SQLite file: write-ahead log, synced at each commit. It belongs to
/// whoever holds the lock file; readers (`SQLiteReader`) may look on meanwhile. One thread at a
/// time.
///
/// What was lost is not taken for what never was: a file beside it (`LedgerMark`) tells how far it
/// had come, and rows have seals and sums (`StoredSums`). A ledger that is less or other than they
/// say is refused as it lies, with its log.
package final class SQLiteStorage: Storage {
  private let folder: String
  // nil = closed.
  private var lock: LockFile?
  private var open: SQLiteOwner?
  private var sums: StoredSums
  /// The last mark that was written, or may be.
  private var marked: LedgerMark?
  /// Whether a group of this process is durable, and so all that was there before: what a process
  /// that was killed has written may be read again before it is.
  private var hasCommitted = false
  /// What made this unusable.
  private var failure: StorageError?
  /// What an operator should know of how it was found; nil = nothing.
  package let warning: String?
  /// The last group was taken back: the journal is looked at before the next is written.
  private var wasTakenBack = false

  /// - Parameters:
  ///   - path: a folder; it is made if it is not there, for its owner alone.
  ///   - witnesses: names of files that are in the folder only if a ledger was: beside them none is
  ///     made anew.
  package init(path: String, witnesses: [String] = []) throws(StorageError) {
    folder = path
    lock = try LockFile(folder: path, name: SQLiteSchema.lockName)
    let files = try LedgerFiles(path, witnesses: witnesses)
    try files.check()
    let owner = try SQLiteOwner(files)
    let found = try SQLiteSums.read(owner.connection)
    (sums, marked) = (found, files.mark)
    if let objection = files.mark?.objection(to: found) { throw files.cut(objection) }
    let isNew = files.mark == nil && found.commits == 0
    warning =
      isNew || files.mark != nil || owner.wasUpgraded
      ? nil
      : "\(path)/\(MarkFile.name) is missing: whether the end of the ledger is lost cannot be seen"
    let last = try owner.connection.number("SELECT max(sequence) FROM journal", "open the ledger")
    sums.sequence = max(sums.sequence, last ?? 0)
    open = owner
    guard isNew else { return }
    // Made by a process that was killed before it had synced it, perhaps.
    if !owner.wasMade { try owner.copyLog() }
    try write(LedgerMark(sums))
  }

  /// Whether anything was ever committed.
  package var isUsed: Bool { sums.commits > 0 }

  package func commit(_ records: [StoredRecord]) throws(StorageError) {
    try transaction { owner throws(StorageError) in
      for record in records { try insert(record, owner) }
    }
  }

  package func recover(
    _ visit: (_ record: StoredRecord, _ sequence: Int64) -> Bool
  ) throws(StorageError) {
    let owner = try usable()
    var changed: String?
    let tally = try SQLiteRecords.visit(owner.connection) { record, sequence, isAsWritten in
      if !isAsWritten, changed == nil { changed = record.name(sequence) }
      return visit(record, sequence)
    }
    let operation = "read the ledger"
    let advice = "; `crescendo ledger audit` says more, and a backup has it as it was"
    if let changed {
      throw StorageError(
        operation: operation, reason: changed + " is not as it was written" + advice,
        isDamage: true)
    }
    if tally.isWhole, let reason = tally.sums.difference(from: sums) {
      throw StorageError(operation: operation, reason: reason + advice, isDamage: true)
    }
  }

  package func answer(user: UInt64, requestID: RequestID) throws(StorageError) -> [UInt8]? {
    let select = try usable().selectAnswer
    select.bind(1, user)
    select.bind(2, requestID.high)
    select.bind(3, requestID.low)
    defer { select.reset() }
    let operation = "read an answer"
    guard try select.step(operation) else { return nil }
    let (allocation, seal) = select.allocation
    guard select.isAsWritten(seal) else {
      throw StorageError(
        operation: operation, reason: "\(allocation.name) is not as it was written",
        isDamage: true)
    }
    return select.bytes(7)
  }

  package func entries(
    after sequence: Int64, limit: Int
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)] {
    try usable().compacting.entries(after: sequence, limit: limit)
  }

  @discardableResult
  package func compact(_ compaction: Compaction) throws(StorageError) -> Int {
    guard try usable().compacting.hasWork(compaction) else { return 0 }
    var allocations = 0
    try transaction { owner throws(StorageError) in
      allocations = try owner.compacting.compact(compaction, &sums)
      guard let time = compaction.time else { return }
      try owner.insertNote(
        Compaction.timeKey, NoteWords.encode([UInt64(bitPattern: time)]), &sums)
    }
    return allocations
  }

  package func mark() throws(StorageError) {
    _ = try usable()
    let mark = LedgerMark(sums)
    if hasCommitted, mark != marked { try write(mark) }
  }

  private func write(_ mark: LedgerMark) throws(StorageError) {
    do throws(StorageError) {
      try MarkFile.write(mark, folder)
      marked = mark
    } catch {
      // The one that is there stays.
      var error = error
      error.isTransient = true
      throw error
    }
  }

  /// Copies the log into the file, so that the folder has nothing but the ledger, its mark and its
  /// lock. After an error, and where a reader is at work, the log stays, and nothing is lost.
  package func close() throws(StorageError) {
    try copyAndMark()
    lock = nil
  }

  /// And closes the file, whatever becomes of it.
  private func copyAndMark() throws(StorageError) {
    let owner = try usable()
    open = nil
    owner.connection.setBusyMilliseconds(Limits.storageStopMilliseconds)
    try owner.copyLog()
    owner.connection.keepsLog = false
    // The copying has made all of it durable.
    let mark = LedgerMark(sums)
    if mark != marked { try write(mark) }
  }

  // MARK: Transactions

  private func usable() throws(StorageError) -> SQLiteOwner {
    if let failure {
      throw StorageError(operation: "use the ledger after an error", reason: failure.description)
    }
    guard let open else {
      throw StorageError(operation: "use the ledger", reason: "it was closed")
    }
    return open
  }

  private func transaction(
    _ body: (SQLiteOwner) throws(StorageError) -> Void
  ) throws(StorageError) {
    let owner = try usable()
    let before = sums
    do throws(StorageError) {
      try owner.begin.run("begin")
      try compare(owner)
      try body(owner)
      sums.commits += 1
      owner.updateSums.bind(sums)
      try owner.updateSums.run("write the ledger's state")
      try owner.end.run("commit")
      hasCommitted = true
    } catch {
      sums = before
      throw takeBack(error, owner)
    }
  }

  /// What was begun is undone; after what is not transient, or cannot be undone, this is unusable.
  private func takeBack(_ error: StorageError, _ owner: SQLiteOwner) -> StorageError {
    if owner.connection.isInTransaction {
      do throws(StorageError) {
        try owner.connection.run("ROLLBACK", "roll back")
      } catch let second {
        let both = StorageError(
          operation: error.operation, reason: "\(error.reason); \(second)")
        failure = both
        return both
      }
    }
    if error.isTransient { wasTakenBack = true } else { failure = error }
    return error
  }

  /// Within a transaction: nothing that was taken back is in the journal.
  private func compare(_ owner: SQLiteOwner) throws(StorageError) {
    guard wasTakenBack else { return }
    let last = try owner.connection.number("SELECT max(sequence) FROM journal", "compare") ?? 0
    guard last <= sums.sequence else {
      throw StorageError(
        operation: "compare", reason: "the journal has entry \(last), which was taken back")
    }
    wasTakenBack = false
  }

  private func insert(_ record: StoredRecord, _ owner: SQLiteOwner) throws(StorageError) {
    switch record {
    case .entry(let entry):
      sums.sequence += 1
      let seal = RowSeal.of(entry, place: sums.sequence)
      sums.add(entry: seal)
      owner.insertEntry.bind(entry, at: sums.sequence, seal: seal)
      try owner.insertEntry.run("write a journal entry")
    case .allocation(let allocation): try owner.insert(allocation, &sums)
    case .campaign(let campaign): try owner.insert(campaign, &sums)
    case .note(let key, let value): try owner.insertNote(key, value, &sums)
    }
  }
}
