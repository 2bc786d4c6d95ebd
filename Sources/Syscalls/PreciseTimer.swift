internal import CLinux
internal import Glibc

/// A timer as a descriptor, for waits that milliseconds are too coarse for.
package struct PreciseTimer: ~Copyable {
  /// Readable from the instant that it was armed for.
  package let descriptor: Int32

  package init() throws(SystemError) {
    descriptor = Int32(try blockingSystemCall("timerfd_create") { Int(crescendo_timer_create()) })
  }

  deinit {
    _ = close(descriptor)
  }

  /// Arms it for an instant of `monotonicNanoseconds()`, in place of what it was armed for; until
  /// then it is not readable.
  package func arm(atNanoseconds instant: UInt64) throws(SystemError) {
    // Arming also forgets an expiration that nobody has read.
    let latest = UInt64(Int64.max)
    _ = try blockingSystemCall("timerfd_settime") {
      Int(crescendo_timer_arm(descriptor, min(instant, latest)))
    }
  }
}
