import Core
import Glibc

/// A file that is there whole or not at all: written beside its place, and put there at the end.
enum PageFile {
  /// Whether a file can be made at `path`, before a run of minutes.
  static func check(_ path: String) throws(CommandFailure) {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw failure(path, "it is there, and no file")
    }
    guard access(folder(path), W_OK | X_OK) == 0 else { throw failure(path, reason(errno)) }
  }

  static func write(_ text: String, to path: String) throws(CommandFailure) {
    var template = Array((path + ".XXXXXX").utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw failure(path, reason(errno)) }
    let number = fill(descriptor, Array(text.utf8))
    let closed = close(descriptor) == 0 ? 0 : errno
    guard number == 0, closed == 0, rename(template, path) == 0 else {
      let why = number != 0 ? number : closed != 0 ? closed : errno
      unlink(template)
      throw failure(path, reason(why))
    }
  }

  /// Writes all of `bytes`, for everybody to read; 0, or the error's number.
  private static func fill(_ descriptor: Int32, _ bytes: [UInt8]) -> Int32 {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        return errno
      }
      rest = rest.dropFirst(count)
    }
    let mask = umask(0)
    umask(mask)
    return fchmod(descriptor, 0o666 & ~mask) == 0 ? 0 : errno
  }

  private static func folder(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func reason(_ number: Int32) -> String {
    String(cString: strerror(number)).lowercased()
  }

  private static func failure(_ path: String, _ why: String) -> CommandFailure {
    CommandFailure(.usage, "cannot write \(path): \(why)")
  }
}
