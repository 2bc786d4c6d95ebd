/// What is to be done after an event of a call, in this order: cancel, start, set the timer, give
/// the caller the result. A value of a few words; nothing is allocated.
package struct CallActions: Sendable, Equatable {
  /// An attempt to send.
  package struct Start: Sendable, Equatable {
    /// Its name from now on: 0, 1, …, each given out once.
    package var index: Int
    /// Attempts of the call before it that count: `grpc-previous-rpc-attempts` (0: not sent), and
    /// `attempt` of a session's CALL.
    package var previousAttempts: Int
    /// Times that the call was sent again because it was not started:
    /// `grpc-transparent-retry-attempts` (0: not sent).
    package var previousRestarts: Int
  }

  package enum Conclusion: Sendable, Equatable {
    /// What this attempt came to. It is the one of the event, or the last that failed.
    case attempt(Int)
    /// By the caller.
    case cancelled
    case deadlineExceeded
  }

  /// Attempts under way that are not wanted any more. What they still say is dropped.
  package var cancel = AttemptSet()
  package var start: Start?
  /// When a `timer` event is wanted. Takes the place of an earlier one.
  package var timer: UInt64?
  /// The call is over: exactly once, and nothing follows.
  package var conclusion: Conclusion?

  package init() {}
}

/// Indexes of attempts of one call, below 16: one bit each.
package struct AttemptSet: Sendable, Equatable, Sequence, IteratorProtocol {
  private var bits: UInt16 = 0

  package init() {}

  package var isEmpty: Bool { bits == 0 }

  package func contains(_ index: Int) -> Bool { bits & 1 << UInt16(index) != 0 }

  mutating func insert(_ index: Int) { bits |= 1 << UInt16(index) }

  mutating func remove(_ index: Int) { bits &= ~(1 << UInt16(index)) }

  /// Takes the lowest out.
  package mutating func next() -> Int? {
    guard bits != 0 else { return nil }
    defer { bits &= bits - 1 }
    return bits.trailingZeroBitCount
  }
}
