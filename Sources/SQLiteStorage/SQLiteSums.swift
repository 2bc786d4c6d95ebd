internal import CSQLite
internal import Ledger

/// `StoredSums` as the one row of the table `state`.
enum SQLiteSums {
  static let table = """
    CREATE TABLE state (
      id INTEGER PRIMARY KEY CHECK (id = 0), ledger INTEGER NOT NULL, commits INTEGER NOT NULL,
      sequence INTEGER NOT NULL, entries INTEGER NOT NULL, entry_sum INTEGER NOT NULL,
      campaign_sum INTEGER NOT NULL, note_sum INTEGER NOT NULL, allocation_sum INTEGER NOT NULL);
    INSERT INTO state VALUES (0, random(), 0, 0, 0, 0, 0, 0, 0);
    """

  static let update = """
    UPDATE state SET commits = ?, sequence = ?, entries = ?, entry_sum = ?, campaign_sum = ?,
      note_sum = ?, allocation_sum = ? WHERE id = 0
    """

  /// - Parameter layout: from 2.
  static func read(
    _ connection: SQLiteConnection, layout: Int64 = SQLiteSchema.version
  ) throws(StorageError) -> StoredSums {
    let operation = "read the ledger's state"
    let hasAnswers = layout >= SQLiteSchema.versionWithSealedAnswers
    let row = try connection.prepare(
      """
      SELECT ledger, commits, sequence, entries, entry_sum, campaign_sum, note_sum,
        \(hasAnswers ? "allocation_sum" : "NULL") FROM state WHERE id = 0
      """, operation)
    defer { row.reset() }
    guard try row.step(operation) else {
      throw StorageError(
        operation: operation, reason: "the one row of the table state is missing", isDamage: true)
    }
    var sums = StoredSums(ledger: row.integer(0))
    (sums.commits, sums.sequence, sums.entries) = (row.integer(1), row.integer(2), row.integer(3))
    (sums.entrySum, sums.campaignSum, sums.noteSum) = (row.word(4), row.word(5), row.word(6))
    sums.allocationSum = row.isNull(7) ? nil : row.word(7)
    return sums
  }

  /// Layout 1 had neither seals nor sums, layout 2 none of allocations: rows of their time are
  /// trusted as they are, and counted.
  static func upgrade(
    _ connection: SQLiteConnection, from layout: Int64
  ) throws(StorageError) {
    let operation = "bring the ledger's layout up to date"
    let hadSums = layout >= SQLiteSchema.versionWithSums
    try connection.run(
      "BEGIN IMMEDIATE; ALTER TABLE allocations ADD COLUMN seal INTEGER;"
        + SQLiteSchema.openingIndexes
        + (hadSums
          ? "ALTER TABLE state ADD COLUMN allocation_sum INTEGER NOT NULL DEFAULT 0;"
          : """
          ALTER TABLE journal ADD COLUMN seal INTEGER;
          ALTER TABLE openings ADD COLUMN seal INTEGER; \(table)
          """),
      operation)
    var (sums, tally) = (try read(connection), RowTally())
    if hadSums {
      _ = try SQLiteRecords.visitAllocations(connection, &tally) { _, _, _ in true }
    } else {
      let last = try connection.number("SELECT max(sequence) FROM journal", operation) ?? 0
      let through = try connection.number("SELECT max(through) FROM compactions", operation) ?? 0
      sums.sequence = max(last, through)
      try SQLiteRecords.visitAll(connection, &tally) { _, _, _ in true }
      (sums.entries, sums.entrySum) = (tally.sums.entries, tally.sums.entrySum)
      (sums.campaignSum, sums.noteSum) = (tally.sums.campaignSum, tally.sums.noteSum)
      sums.commits = tally.isEmpty && sums.sequence == 0 ? 0 : 1
    }
    sums.allocationSum = tally.sums.allocationSum
    let write = try connection.prepare(update, operation)
    write.bind(sums)
    try write.run(operation)
    try connection.run("PRAGMA user_version = \(SQLiteSchema.version); COMMIT", operation)
  }
}

extension SQLiteStatement {
  /// To the parameters of `SQLiteSums.update`.
  func bind(_ sums: StoredSums) {
    bind(1, sums.commits)
    bind(2, sums.sequence)
    bind(3, sums.entries)
    bind(4, sums.entrySum)
    bind(5, sums.campaignSum)
    bind(6, sums.noteSum)
    bind(7, sums.allocationSum ?? 0)
  }
}

/// What the rows come to that were read.
struct RowTally {
  var sums = StoredSums(ledger: 0)
  var isEmpty = true
  /// Whether it was read to the end.
  var isWhole = false
}
