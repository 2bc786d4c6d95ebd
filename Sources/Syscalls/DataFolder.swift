internal import Glibc

/// Why a file of secrets is not read.
package enum SecretFileError: Error, Sendable, Equatable, CustomStringConvertible {
  case system(SystemError)
  case notRegular(path: String)
  /// Others than its owner may read or write it. `mode`: its permissions.
  case open(path: String, mode: UInt32)
  /// More than `wanted` counts as one more.
  case size(path: String, found: Int, wanted: Int)

  package var description: String {
    switch self {
    case .system(let error): error.description
    case .notRegular(let path): "\(path) is no regular file"
    case .open(let path, let mode):
      "\(path) may be read or written by others (mode \(String(mode, radix: 8))): "
        + "`chmod 600 \(path)`"
    case .size(let path, let found, let wanted):
      "\(path) has \(found > wanted ? "more than \(wanted)" : "\(found)") bytes, wanted \(wanted)"
    }
  }
}

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

  /// A file that only we may read: its bytes, or nil if there is none.
  package func secret(_ name: String, byteCount: Int) throws(SecretFileError) -> [UInt8]? {
    let path = path + "/" + name
    let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      switch errno {
      case ENOENT: return nil
      case ELOOP: throw .notRegular(path: path)
      default: throw .system(SystemError(call: "open", number: errno, subject: path))
      }
    }
    defer { _ = close(file) }
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount + 1, alignment: 1)
    defer { room.deallocate() }
    var status = stat()
    do throws(SystemError) {
      _ = try blockingSystemCall("fstat", subject: path) { Int(fstat(file, &status)) }
    } catch {
      throw .system(error)
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path: path) }
    guard status.st_mode & 0o077 == 0 else {
      throw .open(path: path, mode: status.st_mode & 0o777)
    }
    let got: Int
    do throws(SystemError) {
      got = try blockingSystemCall("read", subject: path) {
        Glibc.read(file, room.baseAddress, room.count)
      }
    } catch {
      throw .system(error)
    }
    guard got == byteCount else { throw .size(path: path, found: got, wanted: byteCount) }
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
