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
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Self.error("open \(path)") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let error =
        errno == EWOULDBLOCK
        ? StorageError(operation: "lock \(path)", reason: "another process uses this data")
        : Self.error("lock \(path)")
      close(descriptor)
      throw error
    }
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
