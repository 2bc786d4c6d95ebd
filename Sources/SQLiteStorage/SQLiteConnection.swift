internal import CSQLite
internal import Ledger

/// One connection to a database file, for one thread.
final class SQLiteConnection {
  private let handle: OpaquePointer

  /// - Parameter flags: SQLite's; the file is made only by `SQLITE_OPEN_CREATE`.
  init(path: String, flags: Int32) throws(StorageError) {
    var opened: OpaquePointer?
    let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
    guard code == SQLITE_OK, let opened else {
      let reason = opened.map(Self.message) ?? "no memory"
      sqlite3_close_v2(opened)
      throw StorageError(operation: "open \(path)", reason: reason)
    }
    handle = opened
    sqlite3_extended_result_codes(handle, 1)
  }

  deinit { sqlite3_close_v2(handle) }

  private static func message(_ handle: OpaquePointer) -> String {
    let code = sqlite3_extended_errcode(handle)
    return "\(String(cString: sqlite3_errmsg(handle))) (SQLite \(code))"
  }

  func error(_ operation: String) -> StorageError {
    let code = sqlite3_extended_errcode(handle)
    let kind = code & 0xFF
    var error = StorageError(
      operation: operation, reason: Self.message(handle),
      isDamage: kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB)
    error.isTransient = Self.isTransient(code)
    return error
  }

  /// Whether a write that was refused may be allowed later: the disk is full, or a file may not
  /// grow, or somebody else holds the database. SQLite takes the transaction back, and writes its
  /// frames anew in the same place of the log. Not after a failed sync: what the system has lost of
  /// earlier writes then it tells only once.
  private static func isTransient(_ code: Int32) -> Bool {
    code & 0xff == SQLITE_FULL || code & 0xff == SQLITE_BUSY
      || code == SQLITE_IOERR | (3 << 8)  // SQLITE_IOERR_WRITE
  }

  /// Statements without parameters or rows.
  func run(_ sql: String, _ operation: String) throws(StorageError) {
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw error(operation) }
  }

  /// A statement that is kept.
  func prepare(_ sql: String, _ operation: String) throws(StorageError) -> SQLiteStatement {
    var statement: OpaquePointer?
    let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
    guard sqlite3_prepare_v3(handle, sql, -1, flags, &statement, nil) == SQLITE_OK, let statement
    else { throw error(operation) }
    return SQLiteStatement(statement, of: self)
  }

  /// The first column of the first row; nil = there is none.
  func number(_ sql: String, _ operation: String) throws(StorageError) -> Int64? {
    let statement = try prepare(sql, operation)
    defer { statement.reset() }
    return try statement.step(operation) ? statement.integer(0) : nil
  }

  /// By the statement that ended last.
  var rowsChanged: Int { Int(sqlite3_changes64(handle)) }

  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Whether the last connection leaves the write-ahead log as it is: else it copies it into the
  /// file and removes it.
  var keepsLog = false {
    didSet { crescendo_keep_log(handle, keepsLog ? 1 : 0) }
  }

  func setBusyMilliseconds(_ milliseconds: Int32) { sqlite3_busy_timeout(handle, milliseconds) }
}

/// A prepared statement. Parameters count from 1, columns from 0.
final class SQLiteStatement {
  private let handle: OpaquePointer
  private let connection: SQLiteConnection

  fileprivate init(_ handle: OpaquePointer, of connection: SQLiteConnection) {
    self.handle = handle
    self.connection = connection
  }

  deinit { sqlite3_finalize(handle) }

  /// Whether there is a row.
  func step(_ operation: String) throws(StorageError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default:
      let error = connection.error(operation)
      sqlite3_reset(handle)
      throw error
    }
  }

  /// One that gives no rows, whole.
  func run(_ operation: String) throws(StorageError) {
    _ = try step(operation)
    sqlite3_reset(handle)
  }

  func reset() { sqlite3_reset(handle) }

  // MARK: Parameters. They fail for lack of memory or a wrong index, and then the step does too.

  func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }
  func bind(_ index: Int32, _ value: UInt64) { bind(index, Int64(bitPattern: value)) }
  func bindNull(_ index: Int32) { sqlite3_bind_null(handle, index) }

  /// `run` with bytes or text that need not be copied: they stay while the closure runs.
  func bind(_ index: Int32, _ bytes: UnsafeRawBufferPointer) {
    crescendo_bind_bytes(handle, index, bytes.baseAddress, UInt64(bytes.count))
  }

  func bind(_ index: Int32, text: UnsafeBufferPointer<UInt8>) {
    let characters = UnsafeRawPointer(text.baseAddress)?.assumingMemoryBound(to: CChar.self)
    if let characters {
      crescendo_bind_text(handle, index, characters, UInt64(text.count))
    } else {
      crescendo_bind_text(handle, index, "", 0)
    }
  }

  // MARK: Columns

  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
  func word(_ column: Int32) -> UInt64 { UInt64(bitPattern: integer(column)) }

  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

  func bytes(_ column: Int32) -> [UInt8] { withBytes(column) { Array($0) } }

  /// The bytes themselves, for as long as the closure runs.
  func withBytes<Result>(
    _ column: Int32, _ body: (UnsafeRawBufferPointer) -> Result
  ) -> Result {
    let start = sqlite3_column_blob(handle, column)
    let count = Int(sqlite3_column_bytes(handle, column))
    return body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
  }

  func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }
}
