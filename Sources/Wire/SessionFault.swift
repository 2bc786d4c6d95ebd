package import Core

/// Why a session ends: a row X of proto/SESSION.md §8.1.
package struct SessionFault: Error, Sendable, Equatable {
  /// The number of the row.
  package var row: Int
  package var code: StatusCode
  package var text: String

  private init(_ row: Int, _ code: StatusCode, _ text: String) {
    self.row = row
    self.code = code
    self.text = text
  }

  static let checksum = SessionFault(1, .dataLoss, "a frame's checksum is wrong")
  static let endedInsideFrame = SessionFault(2, .dataLoss, "the stream ended inside a frame")
  static func tooLong(_ length: UInt32, _ limit: Int) -> SessionFault {
    SessionFault(3, .resourceExhausted, "a frame of \(length) bytes: at most \(limit) are taken")
  }
  package static func incomplete(_ seconds: UInt64) -> SessionFault {
    SessionFault(4, .deadlineExceeded, "a frame was incomplete for \(seconds) s")
  }
  package static func noHello(_ seconds: UInt64) -> SessionFault {
    SessionFault(5, .deadlineExceeded, "no HELLO within \(seconds) s")
  }
  static let notHello = SessionFault(6, .internalError, "the first frame is not HELLO")
  static let secondHello = SessionFault(7, .internalError, "a second HELLO")
  static func version(_ version: UInt16) -> SessionFault {
    SessionFault(8, .unimplemented, "version \(version) is not spoken here")
  }
  static func malformedHello(_ what: String) -> SessionFault {
    SessionFault(9, .internalError, "HELLO is malformed: \(what)")
  }
  static func unknownType(_ type: UInt8) -> SessionFault {
    SessionFault(10, .internalError, "unknown frame type \(type)")
  }
  static func notForThisEnd(_ type: UInt8) -> SessionFault {
    SessionFault(11, .internalError, "\(SessionFrameType.name(type)) is not for this end")
  }
  static func mustBeZero(_ type: UInt8) -> SessionFault {
    SessionFault(
      12, .internalError,
      "\(SessionFrameType.name(type)): a field or flag that must be 0 is not")
  }
  static func malformed(_ type: UInt8) -> SessionFault {
    SessionFault(13, .internalError, "\(SessionFrameType.name(type)) is malformed")
  }
  static func doesNotRise(_ call: UInt32) -> SessionFault {
    SessionFault(14, .internalError, "call \(call) does not rise")
  }
  static func neverOpened(_ call: UInt32) -> SessionFault {
    SessionFault(15, .internalError, "call \(call) was never opened")
  }
  static func overdrawn(_ balance: Int64) -> SessionFault {
    SessionFault(16, .resourceExhausted, "credit is overdrawn: the balance is \(balance)")
  }
  static func tooManyCalls(_ limit: Int) -> SessionFault {
    SessionFault(17, .resourceExhausted, "more than \(limit) calls are open")
  }
  static let callAfterDrain = SessionFault(18, .internalError, "a CALL after DRAIN")
  static let secondDrain = SessionFault(19, .internalError, "a second DRAIN")
  static func endedWithCalls(_ count: Int) -> SessionFault {
    SessionFault(20, .unavailable, "the stream ended with \(count) calls open")
  }
  package static func silence(_ seconds: UInt64) -> SessionFault {
    SessionFault(21, .unavailable, "nothing was received for \(seconds) s")
  }
  package static let stopped = SessionFault(22, .unavailable, "the server has stopped")
  static let idle = SessionFault(23, .resourceExhausted, "too many frames that do nothing")
  package static func unread(_ seconds: UInt64) -> SessionFault {
    SessionFault(24, .resourceExhausted, "answers were not read for \(seconds) s")
  }
  static func notOpen(_ call: UInt32) -> SessionFault {
    SessionFault(25, .internalError, "call \(call) is not open")
  }
  static let tooMuchCredit = SessionFault(26, .internalError, "credit is over \(Int32.max)")
  static func drainOfUnsent(_ call: UInt32) -> SessionFault {
    SessionFault(27, .internalError, "DRAIN names call \(call), which was never sent")
  }
  package static func noRoom(_ length: Int) -> SessionFault {
    SessionFault(28, .resourceExhausted, "no room for a frame of \(length) bytes")
  }
}

/// Why a call ends that the framing itself ends: rows Y of proto/SESSION.md §8.2.
package enum SessionRefusal {
  static func noMethod(_ id: UInt16) -> CallFailure {
    CallFailure(.unimplemented, "the session has no method \(id)")
  }
  static var malformedPrelude: CallFailure {
    CallFailure(.internalError, "the prelude is malformed")
  }
  static var notFin: CallFailure {
    CallFailure(.unimplemented, "the method takes one message: CALL without FIN")
  }
  static func metadataTooLong(_ count: Int) -> CallFailure {
    CallFailure(
      .resourceExhausted,
      "\(count) bytes of metadata: at most \(Limits.sessionMetadataBytes) are taken",
      retryPushbackMilliseconds: -1)
  }
  static func malformedMetadata(_ offset: Int) -> CallFailure {
    CallFailure(.internalError, "metadata is malformed at byte \(offset)")
  }
  static func messageTooLong(_ count: Int, _ limit: Int) -> CallFailure {
    CallFailure(
      .resourceExhausted, "a message of \(count) bytes: at most \(limit) are taken",
      retryPushbackMilliseconds: -1)
  }
  package static var late: CallFailure {
    CallFailure(.deadlineExceeded, "the deadline passed before the call was answered")
  }
  package static var tooLate: CallFailure {
    CallFailure(.deadlineExceeded, "the deadline had passed before any work was done")
  }
  package static func wrongWork(_ work: UInt32, candidates: Int) -> CallFailure {
    var failure = CallFailure(
      .invalidArgument, "work is \(work), and the message has \(candidates) candidates")
    failure.endsCall = true
    return failure
  }
  package static var messageAfterFin: CallFailure {
    CallFailure(.internalError, "a MESSAGE after FIN")
  }
  package static var cancelled: CallFailure {
    CallFailure(.cancelled, "the client cancelled the call")
  }
  package static func answerTooLong(_ count: Int, _ limit: Int) -> CallFailure {
    CallFailure(
      .resourceExhausted, "an answer of \(count) bytes: the client takes \(limit)",
      retryPushbackMilliseconds: -1)
  }
}
