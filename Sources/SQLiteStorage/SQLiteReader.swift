internal import CSQLite
internal import Core
package import Ledger

/// Reads a ledger's file and changes nothing, beside a server that uses it or after it.
package final class SQLiteReader {
  private let connection: SQLiteConnection

  /// - Parameter path: the folder.
  package init(path: String) throws(StorageError) {
    connection = try SQLiteConnection(
      path: "\(path)/\(SQLiteSchema.fileName)", flags: SQLITE_OPEN_READONLY)
    connection.setBusyMilliseconds(Limits.storageBusyMilliseconds)
    try SQLiteSchema.check(connection, mayMake: false)
  }

  /// Everything as of one moment, as `Storage.recover` gives it.
  package func recover(
    _ visit: (_ record: StoredRecord, _ sequence: Int64) -> Bool
  ) throws(StorageError) {
    try SQLiteRecords.visit(connection, visit)
  }
}
