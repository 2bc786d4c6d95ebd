internal import Glibc

/// What this process uses of the machine.
package struct ProcessUsage: Sendable, Equatable {
  /// Pages in memory, bytes.
  package var residentBytes: UInt64
  /// User and system time of all threads, ended ones included, nanoseconds.
  package var cpuNanoseconds: UInt64

  package static func current() throws(SystemError) -> ProcessUsage {
    var usage = rusage()
    // RUSAGE_SELF is 0; Glibc's own name has a type that its own function does not take.
    _ = try blockingSystemCall("getrusage") {
      withUnsafeMutablePointer(to: &usage) { Int(getrusage(__rusage_who_t(0), $0)) }
    }
    return ProcessUsage(
      residentBytes: try residentBytes(),
      cpuNanoseconds: nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime))
  }

  private static func nanoseconds(_ time: timeval) -> UInt64 {
    UInt64(max(time.tv_sec, 0)) * 1_000_000_000 + UInt64(max(time.tv_usec, 0)) * 1_000
  }

  /// The second field of `/proc/self/statm`, in pages.
  private static func residentBytes() throws(SystemError) -> UInt64 {
    let path = "/proc/self/statm"
    let file = Int32(
      try blockingSystemCall("open", subject: path) { Int(open(path, O_RDONLY | O_CLOEXEC)) })
    defer { _ = close(file) }
    var text = [UInt8](repeating: 0, count: 256)
    let count = try blockingSystemCall("read", subject: path) {
      text.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
    }
    let fields = text[..<count].split(separator: UInt8(ascii: " "))
    guard fields.count > 1, let pages = UInt64(String(decoding: fields[1], as: UTF8.self)) else {
      throw SystemError(call: "read", number: EINVAL, subject: path)
    }
    return pages * UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 0))
  }
}
