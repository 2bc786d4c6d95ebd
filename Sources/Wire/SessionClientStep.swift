package import Core

/// What a client's end of a session has for its owner. Contexts are those that the calls were
/// begun with; bytes live until the next step is asked for.
package enum SessionClientStep {
  /// The server's HELLO is there: calls may begin.
  case opened
  /// There is more credit than before, or a place for a call: who waits may begin.
  case room
  /// An answer message; more come, or an end (D8).
  case message(UnsafeMutableRawPointer?, ByteSlice)
  /// The last answer message: the call went well (D9).
  case answered(UnsafeMutableRawPointer?, ByteSlice, SessionEndRecord)
  /// The call's end without a message (D10 to D12).
  case ended(UnsafeMutableRawPointer?, SessionCallEnd)
  /// The server never started the call: it may go to another session (L1).
  case notStarted(UnsafeMutableRawPointer?)
  /// The session is gone, and with it a call that may have run (L3).
  case lost(UnsafeMutableRawPointer?)
  /// No new calls here: the server has said DRAIN, or ids are used up (C33).
  case draining
  /// The session has failed: X rows, the server's ERROR, or what `SessionClient.end` was told.
  case failed(SessionFailure)
}

/// Why a session is over.
package struct SessionFailure: Error, Sendable, Equatable {
  package var code: StatusCode
  package var text: String
  /// The server said so, by ERROR.
  package var isTold = false
  /// What answers speaks no session of this version: a client uses gRPC, and remembers it (§2).
  package var isNotSpoken = false

  package init(_ code: StatusCode, _ text: String, isNotSpoken: Bool = false) {
    self.code = code
    self.text = text
    self.isNotSpoken = isNotSpoken
  }
}

/// The end of a call (proto/SESSION.md §4.5).
package struct SessionCallEnd {
  package var code: StatusCode
  package var record: SessionEndRecord
  /// UTF-8, for people.
  package var text: ByteSlice
  /// A `google.rpc.Status`, or nothing.
  package var details: ByteSlice
  /// Found at this end: the server said something else.
  package var isLocal = false
}

/// A call as a client begins it.
package struct SessionCallStart {
  /// From `SessionClient.method`.
  package var method: UInt16
  /// Candidates in the message.
  package var work: UInt32
  /// Microseconds from now; 0 = the server's default.
  package var timeoutMicroseconds: UInt32
  package var isBatch = false
  /// Earlier attempts of the same call.
  package var attempt: UInt8 = 0
  /// The only request message.
  package var isLast = true
  /// At most one answer message is legal.
  package var isUnary = true
  /// Entries as proto/SESSION.md §4.2 has them.
  package var metadata = ByteSlice.empty
  package var messageBytes: Int
  /// Handed back with everything that comes for the call.
  package var context: UnsafeMutableRawPointer?

  package init(
    method: UInt16, work: UInt32, timeoutMicroseconds: UInt32, messageBytes: Int,
    context: UnsafeMutableRawPointer?
  ) {
    self.method = method
    self.work = work
    self.timeoutMicroseconds = timeoutMicroseconds
    self.messageBytes = messageBytes
    self.context = context
  }
}

/// A call that is open, or abandoned.
struct SessionClientCall: BitwiseCopyable {
  var id: UInt32
  var isUnary: Bool
  var isHalfClosed: Bool
  var isAbandoned = false
  var hasAnswer = false
  /// What its CALL took of the balance.
  var cost: Int64
  /// While the slot is free: the next free one.
  var context: UnsafeMutableRawPointer?
}
