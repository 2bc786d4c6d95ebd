internal import Ledger

extension SQLiteOwner {
  /// Within a transaction.
  func compact(_ compaction: Compaction, _ sums: inout StoredSums) throws(StorageError) {
    if compaction.through > 0 { try compactJournal(compaction, &sums) }
    // They lie in the order of their commits, which is nearly that of their ends: those that
    // ended early among later ones go another time.
    let drop = try connection.prepare(
      """
      DELETE FROM allocations WHERE position < coalesce(
        (SELECT position FROM allocations WHERE expires >= ?1 ORDER BY position LIMIT 1),
        9223372036854775807)
      """, "compact")
    drop.bind(1, compaction.allocationsBefore)
    try drop.run("compact")
  }

  private func compactJournal(
    _ compaction: Compaction, _ sums: inout StoredSums
  ) throws(StorageError) {
    let operation = "compact"
    try connection.run(
      """
      CREATE TEMP TABLE IF NOT EXISTS kept (reservation INTEGER PRIMARY KEY);
      DELETE FROM kept; DELETE FROM compactions;
      """, operation)
    let keep = try connection.prepare("INSERT INTO kept VALUES (?)", operation)
    for reservation in compaction.kept {
      keep.bind(1, reservation)
      try keep.run(operation)
    }
    try drop(.openings, "position <= ?", .max, &sums)
    try drop(
      .journal,
      "sequence <= ? AND NOT (kind = 4 AND reservation IN (SELECT reservation FROM kept))",
      compaction.through, &sums)
    let insertOpening = try connection.prepare(SQLiteSchema.insertOpening, operation)
    for (position, entry) in compaction.openings.enumerated() {
      let place = SQLiteRecords.EntryTable.openings.place(Int64(position))
      let seal = RowSeal.of(entry, place: place)
      sums.add(entry: seal)
      insertOpening.bind(entry, at: Int64(position), seal: seal)
      try insertOpening.run(operation)
    }
    let note = try connection.prepare("INSERT INTO compactions VALUES (?)", operation)
    note.bind(1, compaction.through)
    try note.run(operation)
    try connection.run("DELETE FROM kept", operation)
  }

  /// Takes rows out of a table and of the sums.
  private func drop(
    _ table: SQLiteRecords.EntryTable, _ condition: String, _ bound: Int64,
    _ sums: inout StoredSums
  ) throws(StorageError) {
    let operation = "compact"
    let rows = try connection.prepare(table.select(where: condition), operation)
    rows.bind(1, bound)
    while try rows.step(operation) {
      let entry = try rows.entry(table, operation)
      sums.remove(entry: RowSeal.of(entry, place: table.place(rows.integer(0))))
    }
    rows.reset()
    let drop = try connection.prepare(
      "DELETE FROM \(table.rawValue) WHERE \(condition)", operation)
    drop.bind(1, bound)
    try drop.run(operation)
  }
}
