package import Core
internal import Glibc

extension Clock {
  /// The machine's own clocks: CLOCK_MONOTONIC and CLOCK_REALTIME.
  package static let system = Clock(
    monotonicNanoseconds: { Syscalls.monotonicNanoseconds() },
    unixMilliseconds: {
      var now = timespec()
      clock_gettime(CLOCK_REALTIME, &now)
      return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
    })
}

/// CLOCK_MONOTONIC, nanoseconds.
package func monotonicNanoseconds() -> UInt64 {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// CPU time of the calling thread, nanoseconds.
package func threadCPUNanoseconds() -> UInt64 {
  var now = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
  return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// CLOCK_BOOTTIME, milliseconds: goes on while the machine sleeps, and no one can set it.
package func boottimeMilliseconds() -> Int64 {
  var now = timespec()
  clock_gettime(CLOCK_BOOTTIME, &now)
  return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}

/// The kernel's name of this boot: another after each start of the machine.
package func bootID() throws(SystemError) -> String {
  let contents = try Folder(path: "/proc/sys/kernel/random")
    .readUnsized("boot_id", limitBytes: 64)
  return String(decoding: contents, as: UTF8.self).filter { !$0.isWhitespace }
}
