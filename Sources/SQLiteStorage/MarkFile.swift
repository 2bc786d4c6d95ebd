internal import Glibc
internal import Ledger

/// `ledger.mark` in a folder.
enum MarkFile {
  static let name = "ledger.mark"
  private static let byteBound = 512

  /// nil = there is none.
  static func read(_ folder: String) throws(StorageError) -> LedgerMark? {
    let path = "\(folder)/\(name)"
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw failure("open \(path)")
    }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: byteBound)
    let count = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
    guard count >= 0 else { throw failure("read \(path)") }
    guard let mark = LedgerMark(String(decoding: bytes[..<count], as: UTF8.self)) else {
      throw StorageError(
        operation: "read \(path)",
        reason: "it is damaged, and was not by a crash: look at the disk, and whether "
          + "`crescendo ledger audit` finds the ledger whole once this file is removed; a server "
          + "then starts, and does not see what may be lost",
        isDamage: true)
    }
    return mark
  }

  /// Whole or not at all, and durably. What it tells of is durable already.
  static func write(_ mark: LedgerMark, _ folder: String) throws(StorageError) {
    let (path, new) = ("\(folder)/\(name)", "\(folder)/\(name).new")
    guard unlink(new) == 0 || errno == ENOENT else { throw failure("remove \(new)") }
    let file = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure("make \(new)") }
    defer { close(file) }
    let bytes = Array(mark.text.utf8)
    let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
    guard count == bytes.count else {
      if count >= 0 { errno = ENOSPC }
      throw failure("write \(new)")
    }
    guard fsync(file) == 0 else { throw failure("sync \(new)") }
    guard rename(new, path) == 0 else { throw failure("rename \(new)") }
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure("open \(folder)") }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw failure("sync \(folder)") }
  }

  private static func failure(_ operation: String) -> StorageError {
    StorageError(operation: operation, reason: String(cString: strerror(errno)))
  }
}
