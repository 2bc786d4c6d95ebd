internal import Core
internal import Ledger

/// Records as rows.
enum SQLiteRecords {
  /// `isAsWritten`: whether the row has the seal that it was written with.
  typealias Visit = (_ record: StoredRecord, _ sequence: Int64, _ isAsWritten: Bool) -> Bool

  private static let operation = "read the ledger"

  /// Everything as of one moment, in the order of `Storage.recover`: first what `begin` reads.
  static func visit(
    _ connection: SQLiteConnection, layout: Int64 = SQLiteSchema.version,
    begin: () throws(StorageError) -> Void = { () throws(StorageError) in }, _ visit: Visit
  ) throws(StorageError) -> RowTally {
    var tally = RowTally()
    try connection.run("BEGIN", operation)
    do throws(StorageError) {
      try begin()
      try visitAll(connection, layout: layout, &tally, visit)
    } catch {
      if connection.isInTransaction { try connection.run("ROLLBACK", operation) }
      throw error
    }
    try connection.run("COMMIT", operation)
    return tally
  }

  static func visitAll(
    _ connection: SQLiteConnection, layout: Int64 = SQLiteSchema.version,
    _ tally: inout RowTally, _ visit: Visit
  ) throws(StorageError) {
    let (opening, entry) = (EntryTable.openings, EntryTable.journal)
    let hasSeals = layout >= SQLiteSchema.versionWithSums
    guard try visitNotes(connection, &tally, visit),
      try visitCampaigns(connection, &tally, visit),
      try visitAllocations(connection, layout: layout, &tally, visit),
      try visitEntries(connection, opening, hasSeals, &tally, visit),
      try visitEntries(connection, entry, hasSeals, &tally, visit)
    else { return }
    tally.isWhole = true
  }

  private static func visitNotes(
    _ connection: SQLiteConnection, _ tally: inout RowTally, _ visit: Visit
  ) throws(StorageError) -> Bool {
    let rows = try connection.prepare("SELECT key, value FROM notes", operation)
    defer { rows.reset() }
    while try rows.step(operation) {
      let (key, value) = rows.note
      tally.isEmpty = false
      tally.sums.noteSum &+= RowSeal.ofNote(key: key, value: value)
      guard visit(.note(key: key, value: value), 0, true) else { return false }
    }
    return true
  }

  private static func visitCampaigns(
    _ connection: SQLiteConnection, _ tally: inout RowTally, _ visit: Visit
  ) throws(StorageError) -> Bool {
    let rows = try connection.prepare(
      "SELECT id, key, document, is_paused FROM campaigns ORDER BY rowid", operation)
    defer { rows.reset() }
    while try rows.step(operation) {
      let campaign = rows.campaign
      tally.isEmpty = false
      tally.sums.campaignSum &+= RowSeal.of(campaign)
      guard visit(.campaign(campaign), 0, true) else { return false }
    }
    return true
  }

  static func visitAllocations(
    _ connection: SQLiteConnection, layout: Int64 = SQLiteSchema.version,
    _ tally: inout RowTally, _ visit: Visit
  ) throws(StorageError) -> Bool {
    let hasSeals = layout >= SQLiteSchema.versionWithSealedAnswers
    let rows = try connection.prepare(
      SQLiteSchema.allocations(hasSeals: hasSeals, "ORDER BY position"), operation)
    defer { rows.reset() }
    while try rows.step(operation) {
      let (allocation, seal) = rows.allocation
      tally.sums.allocationSum? &+= seal
      guard visit(.allocation(allocation), 0, rows.isAsWritten(seal)) else { return false }
    }
    return true
  }

  /// A table of entries, and what orders it.
  enum EntryTable: String {
    case journal, openings

    private var number: String { self == .journal ? "sequence" : "position" }

    /// Of the openings, those of accounts come first; leases in the order in which they end, so
    /// that each has its place at the end of the line.
    private var order: String { self == .journal ? number : "kind DESC, expires, position" }

    /// As `RowSeal` has it.
    func place(_ number: Int64) -> Int64 { self == .journal ? number : -1 - number }

    /// - Parameter condition: SQL; `?` is bound by whoever runs it.
    func select(hasSeals: Bool = true, where condition: String = "true") -> String {
      """
      SELECT \(number), kind, at, campaign, amount, lease, reservation, user, item, artist, release,
        expires, \(hasSeals ? "seal" : "NULL") FROM \(rawValue) WHERE \(condition) ORDER BY \(order)
      """
    }
  }

  private static func visitEntries(
    _ connection: SQLiteConnection, _ table: EntryTable, _ hasSeals: Bool,
    _ tally: inout RowTally, _ visit: Visit
  ) throws(StorageError) -> Bool {
    let rows = try connection.prepare(table.select(hasSeals: hasSeals), operation)
    defer { rows.reset() }
    while try rows.step(operation) {
      let number = rows.integer(0)
      let entry = try rows.entry(table, operation)
      let seal = RowSeal.of(entry, place: table.place(number))
      tally.isEmpty = false
      tally.sums.add(entry: seal)
      let isAsWritten = rows.isNull(12) || rows.word(12) == seal
      guard visit(.entry(entry), table == .journal ? number : 0, isAsWritten) else { return false }
    }
    return true
  }
}

extension SQLiteStatement {
  /// To the parameters of `insertEntry` and `insertOpening`.
  func bind(_ entry: JournalEntry, at position: Int64, seal: UInt64) {
    bind(1, position)
    bind(2, Int64(entry.kind.rawValue))
    bind(3, entry.at)
    bind(4, entry.campaign)
    bind(5, entry.amount.value)
    bind(6, entry.lease)
    bind(7, entry.reservation)
    bind(8, entry.user)
    bind(9, entry.item)
    if entry.artist == .min { bindNull(10) } else { bind(10, entry.artist) }
    if entry.release == .min { bindNull(11) } else { bind(11, entry.release) }
    bind(12, entry.expires)
    bind(13, seal)
  }

  /// Of a row of `EntryTable.select`.
  func entry(
    _ table: SQLiteRecords.EntryTable, _ operation: String
  ) throws(StorageError) -> JournalEntry {
    guard let kind = UInt8(exactly: integer(1)).flatMap(JournalEntry.Kind.init) else {
      throw StorageError(
        operation: operation,
        reason: "\(table.rawValue), row \(integer(0)): \(integer(1)) is no kind of entry",
        isDamage: true)
    }
    var entry = JournalEntry(
      kind: kind, at: integer(2), campaign: word(3), amount: Micros(integer(4)))
    entry.lease = word(5)
    entry.reservation = word(6)
    entry.user = word(7)
    entry.item = word(8)
    entry.artist = isNull(9) ? .min : integer(9)
    entry.release = isNull(10) ? .min : integer(10)
    entry.expires = integer(11)
    return entry
  }

  /// Of a row of `SQLiteSchema.allocations`, without its answer; and its seal, which the answer is
  /// part of.
  var allocation: (StoredAllocation, seal: UInt64) {
    let allocation = StoredAllocation(
      user: word(0), requestID: RequestID(high: word(1), low: word(2)),
      digest: RequestID(high: word(3), low: word(4)), expires: integer(5), answer: [])
    return (allocation, withBytes(7) { RowSeal.of(allocation, answer: $0) })
  }

  /// Whether that row has this seal, or none.
  func isAsWritten(_ seal: UInt64) -> Bool { isNull(6) || word(6) == seal }

  /// Of a row of `SQLiteSchema.campaign`.
  var campaign: StoredCampaign {
    StoredCampaign(id: text(0), key: word(1), document: text(2), isPaused: integer(3) != 0)
  }

  /// Of a row of `SQLiteSchema.note`.
  var note: (key: String, value: [UInt8]) { (text(0), bytes(1)) }
}

extension StoredRecord {
  /// As messages name it.
  func name(_ sequence: Int64) -> String {
    switch self {
    case .entry: sequence == 0 ? "an opening of the journal" : "journal entry \(sequence)"
    case .allocation(let allocation): allocation.name
    case .campaign(let campaign): "the definition of campaign \(campaign.id)"
    case .note(let key, _): "the note \(key)"
    }
  }
}
