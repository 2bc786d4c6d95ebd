internal import Glibc
internal import Ledger

/// Who holds it owns the folder. The kernel lets it go when the process ends, however it ends.
final class LockFile {
  private let descriptor: Int32

  /// Makes the folder if it is not there.
  init(folder: String, name: String) throws(StorageError) {
    if mkdir(folder, 0o700) != 0, errno != EEXIST { throw Self.error("make \(folder)") }
    // Whoever made it: it may have been made without a sync, or by a process that was killed first.
    try Self.syncParent(of: folder)
    let path = "\(folder)/\(name)"
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw Self.error("open \(path)") }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      let error =
        errno == EWOULDBLOCK
        ? StorageError(operation: "lock \(path)", reason: "another process uses this data")
        : Self.error("lock \(path)")
      close(file)
      throw error
    }
    descriptor = file
  }

  /// Keeps owners away from a folder that this process may not write; nil = there is no lock file,
  /// and never was an owner.
  init?(reading folder: String, name: String) throws(StorageError) {
    let path = "\(folder)/\(name)"
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    if file < 0, errno == ENOENT { return nil }
    guard file >= 0 else { throw Self.error("open \(path)") }
    guard flock(file, LOCK_SH | LOCK_NB) == 0 else {
      close(file)
      throw StorageError(
        operation: "read \(folder)",
        reason: "a server uses it, and whoever reads beside it has to be able to write there")
    }
    descriptor = file
  }

  deinit { close(descriptor) }

  /// So that the folder itself outlives a power cut.
  private static func syncParent(of folder: String) throws(StorageError) {
    let parent = open("\(folder)/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard parent >= 0 else { throw error("open the parent of \(folder)") }
    defer { close(parent) }
    guard fsync(parent) == 0 else { throw error("sync the parent of \(folder)") }
  }

  private static func error(_ operation: String) -> StorageError {
    StorageError(operation: operation, reason: String(cString: strerror(errno)))
  }
}
