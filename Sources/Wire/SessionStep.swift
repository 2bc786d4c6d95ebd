package import Core

/// What the server's end of a session does with a frame that came: proto/SESSION.md §6.1.
package enum SessionStep {
  case nothing
  /// The client's HELLO was taken: the server's own goes out.
  case hello
  /// A PING to answer with the same 8 bytes.
  case ping(UInt64)
  /// A further message (T4); its cost is counted.
  case message(UnsafeMutableRawPointer, ByteSlice, work: UInt32, cost: Int64, isLast: Bool)
  /// The client will send no more (T5).
  case halfClosed(UnsafeMutableRawPointer)
  /// A message that ends its call (T7, T8); its cost is counted.
  case refuseMessage(UnsafeMutableRawPointer, cost: Int64, CallFailure)
  case cancel(UnsafeMutableRawPointer)
  /// The client has given up (S23).
  case failed
}

/// A `CALL` that was accepted.
package struct SessionCallRequest {
  package var id: UInt32
  /// Place of its method in the server's HELLO.
  package var method: Int
  package var prelude: SessionPrelude
  package var metadata: ByteSlice
  package var message: ByteSlice
  /// What it took of the balance.
  package var cost: Int64
  package var isLast: Bool

  package init() {
    id = 0
    method = 0
    prelude = SessionPrelude(timeoutMicroseconds: 0, work: 0)
    metadata = .empty
    message = .empty
    cost = 0
    isLast = false
  }
}
