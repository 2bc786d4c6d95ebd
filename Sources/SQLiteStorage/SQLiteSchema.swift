internal import CSQLite
internal import Ledger

/// The file's layout.
enum SQLiteSchema {
  static let fileName = "ledger.sqlite"
  static let lockName = "ledger.lock"
  /// "CRLG": whose file this is.
  static let applicationID: Int64 = 0x4352_4C47
  static let version: Int64 = 3
  /// The first with seals and the table of sums.
  static let versionWithSums: Int64 = 2
  /// The first with seals of allocations and a sum of them.
  static let versionWithSealedAnswers: Int64 = 3

  private static let entryColumns = """
    kind INTEGER NOT NULL, at INTEGER NOT NULL, campaign INTEGER NOT NULL,
    amount INTEGER NOT NULL, lease INTEGER NOT NULL, reservation INTEGER NOT NULL,
    user INTEGER NOT NULL, item INTEGER NOT NULL, artist INTEGER, release INTEGER,
    expires INTEGER NOT NULL, seal INTEGER
    """

  /// Kinds are `JournalEntry.Kind`'s; `seal` is `RowSeal`'s, NULL in rows of layout 1, and in
  /// allocations of layout 2. The indexes
  /// refuse what would move money twice: a second `reserve`, a second way out of it (`release`,
  /// `settle`), a second late exposure, a second goal. A late one beside a `settle` is the
  /// trigger's: an index of both would cost every row.
  private static let tables = """
    CREATE TABLE journal (sequence INTEGER PRIMARY KEY, \(entryColumns));
    CREATE UNIQUE INDEX journal_lease ON journal (lease) WHERE kind = 2;
    CREATE UNIQUE INDEX journal_reserve ON journal (reservation) WHERE kind = 4;
    CREATE UNIQUE INDEX journal_end ON journal (reservation) WHERE kind IN (5, 6);
    CREATE UNIQUE INDEX journal_late ON journal (reservation) WHERE kind IN (7, 8);
    CREATE UNIQUE INDEX journal_goal ON journal (reservation) WHERE kind = 9;
    CREATE TRIGGER journal_paid BEFORE INSERT ON journal WHEN NEW.kind IN (7, 8) BEGIN
      SELECT RAISE(ABORT, 'a late exposure of a reservation that was settled')
      FROM journal
      WHERE kind IN (5, 6) AND reservation = NEW.reservation AND kind = 6;
    END;
    CREATE TABLE openings (position INTEGER PRIMARY KEY, \(entryColumns));
    CREATE TABLE allocations (
      position INTEGER PRIMARY KEY, user INTEGER NOT NULL, id_high INTEGER NOT NULL,
      id_low INTEGER NOT NULL, digest_high INTEGER NOT NULL, digest_low INTEGER NOT NULL,
      expires INTEGER NOT NULL, seal INTEGER, answer BLOB NOT NULL);
    CREATE UNIQUE INDEX allocations_id ON allocations (user, id_high, id_low);
    CREATE TABLE campaigns (
      id TEXT PRIMARY KEY NOT NULL, key INTEGER NOT NULL, document TEXT NOT NULL,
      is_paused INTEGER NOT NULL);
    CREATE TABLE notes (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE compactions (through INTEGER PRIMARY KEY);
    \(openingIndexes)
    \(SQLiteSums.table)
    PRAGMA application_id = \(applicationID);
    PRAGMA user_version = \(version);
    """

  /// To find the opening that another takes the place of.
  static let openingIndexes = """
    CREATE INDEX IF NOT EXISTS openings_subject ON openings (campaign, reservation) WHERE kind = 10;
    CREATE INDEX IF NOT EXISTS openings_lease ON openings (lease) WHERE kind = 2;
    """

  /// Makes the tables of an empty file, unless it is no new one. Whether it did.
  static func make(
    _ connection: SQLiteConnection, _ files: LedgerFiles
  ) throws(StorageError) -> Bool {
    try checkIsThere(connection, files)
    guard try isEmpty(connection) else { return false }
    try connection.run("BEGIN IMMEDIATE; \(tables) COMMIT", "make the ledger")
    return true
  }

  /// Refuses a file without tables that has had some.
  static func checkIsThere(
    _ connection: SQLiteConnection, _ files: LedgerFiles
  ) throws(StorageError) {
    guard let witness = files.witness, try isEmpty(connection) else { return }
    throw files.lost("there is nothing in it, and \(witness) shows that there was a ledger")
  }

  private static func isEmpty(_ connection: SQLiteConnection) throws(StorageError) -> Bool {
    let tables = try connection.number("SELECT count(*) FROM sqlite_schema", openOperation)
    let application = try connection.number("PRAGMA application_id", openOperation)
    return tables == 0 && application == 0
  }

  /// Brings an earlier layout up to date, and refuses a file that is not ours or is of a later
  /// version. Whether the layout was an earlier one.
  static func upgrade(_ connection: SQLiteConnection) throws(StorageError) -> Bool {
    let found = try version(of: connection)
    guard found < version else { return false }
    try SQLiteSums.upgrade(connection, from: found)
    return true
  }

  /// Of a ledger's file: 1 to `version`.
  static func version(of connection: SQLiteConnection) throws(StorageError) -> Int64 {
    let application = try connection.number("PRAGMA application_id", openOperation)
    guard application == applicationID else {
      throw StorageError(operation: openOperation, reason: "the file is not a ledger's")
    }
    let stored = try connection.number("PRAGMA user_version", openOperation) ?? 0
    guard (1...version).contains(stored) else {
      throw StorageError(
        operation: openOperation,
        reason: "its layout has version \(stored), and this program knows \(version)")
    }
    return stored
  }

  private static let openOperation = "open the ledger"

  static let insertEntry = """
    INSERT INTO journal (sequence, kind, at, campaign, amount, lease, reservation, user, item,
      artist, release, expires, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """

  static let insertOpening = """
    INSERT INTO openings (position, kind, at, campaign, amount, lease, reservation, user, item,
      artist, release, expires, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """

  static let insertAllocation = """
    INSERT INTO allocations (user, id_high, id_low, digest_high, digest_low, expires, seal, answer)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user, id_high, id_low) DO NOTHING
    """

  /// In the place of one that is over; parameters are those of `insertAllocation`.
  static let replaceAllocation = """
    UPDATE allocations SET digest_high = ?4, digest_low = ?5, expires = ?6, seal = ?7, answer = ?8
    WHERE user = ?1 AND id_high = ?2 AND id_low = ?3
    """

  static let insertCampaign = """
    INSERT INTO campaigns (id, key, document, is_paused) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET key = excluded.key, document = excluded.document,
      is_paused = excluded.is_paused
    """

  static let insertNote = """
    INSERT INTO notes (key, value) VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value
    """

  static let campaign = "SELECT id, key, document, is_paused FROM campaigns WHERE id = ?"
  static let note = "SELECT key, value FROM notes WHERE key = ?"

  /// - Parameters:
  ///   - hasSeals: whether the layout has them.
  ///   - condition: SQL; `?` is bound by whoever runs it.
  static func allocations(hasSeals: Bool = true, _ condition: String) -> String {
    """
    SELECT user, id_high, id_low, digest_high, digest_low, expires,
      \(hasSeals ? "seal" : "NULL"), answer FROM allocations \(condition)
    """
  }
}
