/// Time as a value: whoever needs it is given one, so that a test can own time.
package struct Clock: Sendable {
  /// Nanoseconds of a clock that never goes back; its zero means nothing.
  package let monotonicNanoseconds: @Sendable () -> UInt64
  /// Milliseconds since 1970-01-01T00:00:00Z.
  package let unixMilliseconds: @Sendable () -> Int64

  package init(
    monotonicNanoseconds: @escaping @Sendable () -> UInt64,
    unixMilliseconds: @escaping @Sendable () -> Int64
  ) {
    self.monotonicNanoseconds = monotonicNanoseconds
    self.unixMilliseconds = unixMilliseconds
  }
}

/// A monotonic instant that no clock reaches: "no deadline".
@inlinable
package var distantFutureNanoseconds: UInt64 { UInt64.max }
