internal import Glibc

/// The folder that a server keeps its state in: made if it is not there.
package final class DataFolder: Sendable {
  package let path: String
  private let descriptor: Int32

  /// Opens or makes `path` (mode 0700).
  package init(path: String) throws(SystemError) {
    self.path = path
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      throw SystemError(call: "mkdir", number: errno, subject: path)
    }
    descriptor = Int32(
      try blockingSystemCall("open", subject: path) {
        Int(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
      })
  }

  deinit {
    _ = close(descriptor)
  }

  /// A file that only we may read: its bytes, or nil if there is none. EPERM: others may read or
  /// write it, or it is no regular file.
  package func secret(_ name: String, byteCount: Int) throws(SystemError) -> [UInt8]? {
    let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw SystemError(call: "open", number: errno, subject: path + "/" + name)
    }
    defer { _ = close(file) }
    var status = stat()
    _ = try blockingSystemCall("fstat", subject: name) { Int(fstat(file, &status)) }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 == 0 else {
      throw SystemError(call: "read", number: EPERM, subject: path + "/" + name)
    }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount + 1, alignment: 1)
    defer { room.deallocate() }
    let got = try blockingSystemCall("read", subject: name) {
      Glibc.read(file, room.baseAddress, room.count)
    }
    guard got == byteCount else {
      throw SystemError(call: "read", number: EINVAL, subject: path + "/" + name)
    }
    return Array(room[..<got])
  }

  /// When a file was last written, seconds since 1970; nil = there is none.
  package func lastWritten(_ name: String) -> Int64? {
    var status = stat()
    guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
    return Int64(status.st_mtim.tv_sec)
  }

  /// Writes a file that only we may read, whole or not at all, and durably.
  package func writeSecret(_ name: String, _ bytes: [UInt8]) throws(SystemError) {
    let temporary = name + ".new"
    _ = unlinkat(descriptor, temporary, 0)
    let file = Int32(
      try blockingSystemCall("open", subject: temporary) {
        Int(openat(descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600))
      })
    defer { _ = close(file) }
    var done = 0
    while done < bytes.count {
      done += try blockingSystemCall("write", subject: temporary) {
        bytes.withUnsafeBytes {
          Glibc.write(file, $0.baseAddress.map { $0 + done }, $0.count - done)
        }
      }
    }
    _ = try blockingSystemCall("fsync", subject: temporary) { Int(fsync(file)) }
    try rename(temporary, to: name)
  }

  /// Renames a file of the folder, durably.
  package func rename(_ name: String, to newName: String) throws(SystemError) {
    _ = try blockingSystemCall("rename", subject: name) {
      Int(renameat(descriptor, name, descriptor, newName))
    }
    _ = try blockingSystemCall("fsync", subject: path) { Int(fsync(descriptor)) }
  }
}
