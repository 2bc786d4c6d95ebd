internal import Glibc
internal import Ledger

/// A ledger's folder, looked at before SQLite is let at it: it would make what is not there, and
/// throw away the log of an empty file.
struct LedgerFiles {
  let folder: String
  let mark: LedgerMark?
  /// What is in the folder that came only after a ledger did.
  let witness: String?

  /// - Parameter witnesses: names of files that are never made before the ledger is.
  init(_ folder: String, witnesses: [String]) throws(StorageError) {
    self.folder = folder
    mark = try MarkFile.read(folder)
    let found = witnesses.first { access("\(folder)/\($0)", F_OK) == 0 }
    witness = mark == nil ? found : MarkFile.name
  }

  var path: String { "\(folder)/\(SQLiteSchema.fileName)" }
  private var logPath: String { path + "-wal" }

  /// Bytes of the write-ahead log; 0 = there is none.
  var logBytes: Int { Self.size(logPath) ?? 0 }

  /// Refuses a file that cannot be the ledger that was here.
  func check() throws(StorageError) {
    guard let witness else { return }
    guard let size = Self.size(path) else {
      throw lost("it is missing, and \(witness) shows that there was a ledger")
    }
    guard size > 0 else {
      throw lost("it is empty, and \(witness) shows that there was a ledger in it")
    }
    guard try hasHeader() else {
      throw lost("it does not begin as a database does: it was overwritten, or is another file")
    }
  }

  /// A whole ledger is gone. Nothing is changed, so that it can be put back.
  func lost(_ reason: String) -> StorageError {
    StorageError(
      operation: "open \(path)",
      reason: "\(reason). Put all files of the folder back as they were at one moment, from where "
        + "they went or from a backup; to begin with an empty ledger, name another folder",
      isDamage: true)
  }

  /// The end of a ledger is gone.
  func cut(_ reason: String) -> StorageError {
    StorageError(
      operation: "open \(path)",
      reason: "\(reason). Put all files of the folder back as they were at one moment, from where "
        + "they went or from a backup. Whoever accepts that the end is forgotten, with exposures "
        + "in it that were acknowledged, removes \(folder)/\(MarkFile.name) and starts again",
      isDamage: true)
  }

  private func hasHeader() throws(StorageError) -> Bool {
    let magic = Array("SQLite format 3\0".utf8)
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      throw StorageError(operation: "open \(path)", reason: String(cString: strerror(errno)))
    }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: magic.count)
    let count = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
    guard count >= 0 else {
      throw StorageError(operation: "read \(path)", reason: String(cString: strerror(errno)))
    }
    return count == magic.count && bytes == magic
  }

  private static func size(_ path: String) -> Int? {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : nil
  }
}
