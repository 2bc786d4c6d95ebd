package import Ledger

/// The statements of a compaction, kept from one slice to the next.
final class SQLiteCompacting {
  private let connection: SQLiteConnection
  private let selectEntries: SQLiteStatement
  private let dropEntries: SQLiteStatement
  private let dropReserve: SQLiteStatement
  private let findOpening: SQLiteStatement
  private let findLease: SQLiteStatement
  private let dropOpening: SQLiteStatement
  private let insertOpening: SQLiteStatement
  private let lastPosition: SQLiteStatement
  private let dropThrough: SQLiteStatement
  private let insertThrough: SQLiteStatement
  private let dropAllocations: SQLiteStatement
  private static let operation = "compact"

  init(_ connection: SQLiteConnection) throws(StorageError) {
    self.connection = connection
    func prepare(_ sql: String) throws(StorageError) -> SQLiteStatement {
      try connection.prepare(sql, Self.operation)
    }
    selectEntries = try prepare(
      SQLiteRecords.select("journal", where: "sequence > ?") + " LIMIT ?")
    dropEntries = try prepare("DELETE FROM journal WHERE sequence BETWEEN ? AND ?")
    dropReserve = try prepare("DELETE FROM journal WHERE kind = 4 AND reservation = ?")
    findOpening = try prepare(
      "SELECT position FROM openings WHERE kind = 10 AND campaign = ? AND reservation = ?")
    findLease = try prepare("SELECT position FROM openings WHERE kind = 2 AND lease = ?")
    dropOpening = try prepare("DELETE FROM openings WHERE position = ?")
    insertOpening = try prepare(SQLiteSchema.insertOpening)
    lastPosition = try prepare("SELECT position FROM openings ORDER BY position DESC LIMIT 1")
    dropThrough = try prepare("DELETE FROM compactions WHERE through < ?")
    insertThrough = try prepare("INSERT OR IGNORE INTO compactions VALUES (?)")
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
      """)
  }

  func entries(
    after sequence: Int64, limit: Int
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)] {
    selectEntries.bind(1, sequence)
    selectEntries.bind(2, Int64(limit))
    defer { selectEntries.reset() }
    var entries: [(sequence: Int64, entry: JournalEntry)] = []
    while try selectEntries.step(Self.operation) {
      let sequence = selectEntries.integer(0)
      entries.append((sequence, try selectEntries.entry("journal", Self.operation)))
    }
    return entries
  }

  // MARK: Within a transaction

  /// Returns how many allocations went.
  func compact(_ compaction: Compaction) throws(StorageError) -> Int {
    if compaction.through > 0 {
      try drop(compaction)
      for entry in compaction.openings { try put(entry) }
      for lease in compaction.endedLeases {
        findLease.bind(1, lease)
        if let position = try position(findLease) { try drop(position) }
      }
      // An earlier start may have come further than this one has yet.
      for statement in [dropThrough, insertThrough] {
        statement.bind(1, compaction.through)
        try statement.run(Self.operation)
      }
    }
    guard compaction.allocationsBefore > .min, compaction.allocations > 0 else { return 0 }
    dropAllocations.bind(1, compaction.allocationsBefore)
    dropAllocations.bind(2, Int64(compaction.allocations))
    try dropAllocations.run(Self.operation)
    return connection.rowsChanged
  }

  private func drop(_ compaction: Compaction) throws(StorageError) {
    for range in compaction.dropped {
      dropEntries.bind(1, range.lowerBound)
      dropEntries.bind(2, range.upperBound)
      try dropEntries.run(Self.operation)
    }
    for reservation in compaction.ended {
      dropReserve.bind(1, reservation)
      try dropReserve.run(Self.operation)
    }
  }

  /// An opening at the place of the one before it, or behind all others.
  private func put(_ entry: JournalEntry) throws(StorageError) {
    let find = entry.kind == .opening ? findOpening : findLease
    if entry.kind == .opening {
      find.bind(1, entry.campaign)
      find.bind(2, entry.reservation)
    } else {
      find.bind(1, entry.lease)
    }
    let place: Int64
    if let position = try position(find) {
      try drop(position)
      place = position
    } else {
      place = (try position(lastPosition) ?? -1) + 1
    }
    insertOpening.bind(entry, at: place)
    try insertOpening.run(Self.operation)
  }

  private func position(_ find: SQLiteStatement) throws(StorageError) -> Int64? {
    defer { find.reset() }
    return try find.step(Self.operation) ? find.integer(0) : nil
  }

  private func drop(_ position: Int64) throws(StorageError) {
    dropOpening.bind(1, position)
    try dropOpening.run(Self.operation)
  }
}

extension SQLiteStorage {
  package func entries(
    after sequence: Int64, limit: Int
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)] {
    try usable()
    return try compactor().entries(after: sequence, limit: limit)
  }

  @discardableResult
  package func compact(_ compaction: Compaction) throws(StorageError) -> Int {
    var allocations = 0
    try transaction { () throws(StorageError) in
      allocations = try compactor().compact(compaction)
    }
    return allocations
  }

  private func compactor() throws(StorageError) -> SQLiteCompacting {
    if let compacting { return compacting }
    let made = try SQLiteCompacting(connection)
    compacting = made
    return made
  }
}
