internal import Ledger

/// The statements of a compaction, kept from one slice to the next.
final class SQLiteCompacting {
  private typealias Table = SQLiteRecords.EntryTable

  private let selectEntries: SQLiteStatement
  private let selectRange: SQLiteStatement
  private let dropRange: SQLiteStatement
  private let selectReserve: SQLiteStatement
  private let dropReserve: SQLiteStatement
  private let findOpening: SQLiteStatement
  private let findLease: SQLiteStatement
  private let dropOpening: SQLiteStatement
  private let insertOpening: SQLiteStatement
  private let lastPosition: SQLiteStatement
  private let dropThrough: SQLiteStatement
  private let insertThrough: SQLiteStatement
  private let firstIsOver: SQLiteStatement
  private let dropAllocations: SQLiteStatement
  private static let operation = "compact"

  init(_ connection: SQLiteConnection) throws(StorageError) {
    func prepare(_ sql: String) throws(StorageError) -> SQLiteStatement {
      try connection.prepare(sql, Self.operation)
    }
    selectEntries = try prepare(Table.journal.select(where: "sequence > ?") + " LIMIT ?")
    selectRange = try prepare(Table.journal.select(where: "sequence BETWEEN ? AND ?"))
    dropRange = try prepare("DELETE FROM journal WHERE sequence BETWEEN ? AND ?")
    selectReserve = try prepare(Table.journal.select(where: "kind = 4 AND reservation = ?"))
    dropReserve = try prepare("DELETE FROM journal WHERE kind = 4 AND reservation = ?")
    findOpening = try prepare(
      Table.openings.select(where: "kind = 10 AND campaign = ? AND reservation = ?"))
    findLease = try prepare(Table.openings.select(where: "kind = 2 AND lease = ?"))
    dropOpening = try prepare("DELETE FROM openings WHERE position = ?")
    insertOpening = try prepare(SQLiteSchema.insertOpening)
    lastPosition = try prepare("SELECT position FROM openings ORDER BY position DESC LIMIT 1")
    dropThrough = try prepare("DELETE FROM compactions WHERE through < ?")
    insertThrough = try prepare("INSERT OR IGNORE INTO compactions VALUES (?)")
    firstIsOver = try prepare(
      """
      SELECT expires < ? AND position < (SELECT max(position) FROM allocations) FROM allocations
      ORDER BY position LIMIT 1
      """)
    // They lie in the order of their commits, which is nearly that of their ends: those that ended
    // early among later ones go another time.
    dropAllocations = try prepare(
      """
      DELETE FROM allocations WHERE position < (SELECT min(
        coalesce(
          (SELECT position FROM allocations
            WHERE position < first + ?2 AND expires >= ?1 ORDER BY position LIMIT 1), first + ?2),
        last)
        FROM (SELECT (SELECT min(position) FROM allocations) AS first,
          (SELECT max(position) FROM allocations) AS last))
      RETURNING user, id_high, id_low, digest_high, digest_low, expires, seal,
        CASE WHEN seal IS NULL THEN answer END
      """)
  }

  func entries(
    after sequence: Int64, limit: Int
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)] {
    selectEntries.bind(1, sequence)
    selectEntries.bind(2, Int64(limit))
    return try rows(selectEntries, .journal)
  }

  /// Whether anything goes or comes by it: else it is not worth a commit.
  func hasWork(_ compaction: Compaction) throws(StorageError) -> Bool {
    if compaction.through > 0 { return true }
    guard compaction.allocationsBefore > .min, compaction.allocations > 0 else { return false }
    defer { firstIsOver.reset() }
    firstIsOver.bind(1, compaction.allocationsBefore)
    return try firstIsOver.step(Self.operation) && firstIsOver.integer(0) != 0
  }

  // MARK: Within a transaction

  /// Returns how many allocations went.
  func compact(
    _ compaction: Compaction, _ sums: inout StoredSums
  ) throws(StorageError) -> Int {
    for range in compaction.dropped {
      for statement in [selectRange, dropRange] {
        statement.bind(1, range.lowerBound)
        statement.bind(2, range.upperBound)
      }
      try drop(selectRange, dropRange, &sums)
    }
    for reservation in compaction.ended {
      for statement in [selectReserve, dropReserve] { statement.bind(1, reservation) }
      try drop(selectReserve, dropReserve, &sums)
    }
    for entry in compaction.openings { try put(entry, &sums) }
    for lease in compaction.endedLeases {
      findLease.bind(1, lease)
      _ = try drop(opening: findLease, &sums)
    }
    if compaction.through > 0 {
      for statement in [dropThrough, insertThrough] {
        statement.bind(1, compaction.through)
        try statement.run(Self.operation)
      }
    }
    guard compaction.allocationsBefore > .min, compaction.allocations > 0 else { return 0 }
    return try dropAllocations(
      before: compaction.allocationsBefore, most: compaction.allocations, &sums)
  }

  /// Returns how many went.
  private func dropAllocations(
    before: Int64, most: Int, _ sums: inout StoredSums
  ) throws(StorageError) -> Int {
    defer { dropAllocations.reset() }
    dropAllocations.bind(1, before)
    dropAllocations.bind(2, Int64(most))
    var count = 0
    while try dropAllocations.step(Self.operation) {
      count += 1
      // What has no seal goes by what it says.
      let hasSeal = !dropAllocations.isNull(6)
      sums.allocationSum? &-= hasSeal ? dropAllocations.word(6) : dropAllocations.allocation.seal
    }
    return count
  }

  /// Takes entries out of the journal and of the sums.
  private func drop(
    _ select: SQLiteStatement, _ drop: SQLiteStatement, _ sums: inout StoredSums
  ) throws(StorageError) {
    for (sequence, entry) in try rows(select, .journal) {
      sums.remove(entry: RowSeal.of(entry, place: Table.journal.place(sequence)))
    }
    try drop.run(Self.operation)
  }

  /// An opening at the place of the one before it, or behind all others.
  private func put(_ entry: JournalEntry, _ sums: inout StoredSums) throws(StorageError) {
    let find = entry.kind == .opening ? findOpening : findLease
    if entry.kind == .opening {
      find.bind(1, entry.campaign)
      find.bind(2, entry.reservation)
    } else {
      find.bind(1, entry.lease)
    }
    let place: Int64
    if let position = try drop(opening: find, &sums) {
      place = position
    } else {
      defer { lastPosition.reset() }
      place = try lastPosition.step(Self.operation) ? lastPosition.integer(0) + 1 : 0
    }
    let seal = RowSeal.of(entry, place: Table.openings.place(place))
    sums.add(entry: seal)
    insertOpening.bind(entry, at: place, seal: seal)
    try insertOpening.run(Self.operation)
  }

  /// The position of the opening that was there; nil = there was none.
  private func drop(
    opening find: SQLiteStatement, _ sums: inout StoredSums
  ) throws(StorageError) -> Int64? {
    guard let (position, entry) = try rows(find, .openings).first else { return nil }
    sums.remove(entry: RowSeal.of(entry, place: Table.openings.place(position)))
    dropOpening.bind(1, position)
    try dropOpening.run(Self.operation)
    return position
  }

  private func rows(
    _ select: SQLiteStatement, _ table: Table
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)] {
    defer { select.reset() }
    var rows: [(sequence: Int64, entry: JournalEntry)] = []
    while try select.step(Self.operation) {
      let number = select.integer(0)
      rows.append((number, try select.entry(table, Self.operation)))
    }
    return rows
  }
}
