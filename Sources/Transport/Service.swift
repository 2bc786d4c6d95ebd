package import Core

/// A method that this server answers, and who answers it. All callbacks run on the call's loop.
package struct ServiceMethod {
  package typealias Service = UnsafeMutableRawPointer?
  package typealias Call = UnsafeMutableRawPointer

  /// How many messages a method takes; how many it answers with is its own affair.
  package enum Kind: Sendable {
    /// One: `handle` is called with it, once, when the client has ended its half.
    case oneMessage
    /// Any number: `started` comes with the headers, `handle` with each message, `halfClosed` when
    /// there will be no more.
    case manyMessages
  }

  /// As in `:path`: `/package.Service/Method`.
  package var path: StaticString
  package var kind = Kind.oneMessage
  /// Whether its message may be a campaign file, which has bounds of its own (by gRPC; a session's
  /// messages are all bounded alike).
  package var takesCampaigns = false
  /// Whether a call that names no deadline gets the server's default.
  package var hasDefaultDeadline = true
  /// Headers are there (many messages only).
  package var started: @convention(c) (_ service: Service, _ call: Call) -> Void = { _, _ in }
  /// A message is there; it lives until this returns. The call is answered with `send` and
  /// `finish`, or with `fail`, now or later.
  package var handle: @convention(c) (_ service: Service, _ call: Call) -> Void
  /// The client will send no more (many messages only).
  package var halfClosed: @convention(c) (_ service: Service, _ call: Call) -> Void = { _, _ in }
  /// What was sent has gone so far that more is welcome; only after `wantsMore` was asked.
  package var writable: @convention(c) (_ service: Service, _ call: Call) -> Void = { _, _ in }
  /// Nobody waits for the answer any more: the call's pointer ends with this.
  package var cancelled: @convention(c) (_ service: Service, _ call: Call) -> Void
  /// Why the method answers UNIMPLEMENTED as soon as its headers are there; nil = it is served.
  package var refusal: String?

  package init(
    path: StaticString, handle: @convention(c) (Service, Call) -> Void,
    cancelled: @convention(c) (Service, Call) -> Void
  ) {
    self.path = path
    self.handle = handle
    self.cancelled = cancelled
  }

  /// A method that the contract has and this server does not serve.
  package static func unserved(path: StaticString, because refusal: String) -> ServiceMethod {
    var method = ServiceMethod(path: path, handle: { _, _ in }, cancelled: { _, _ in })
    method.refusal = refusal
    return method
  }
}

/// What is told of a call when it has ended, for logs and counters.
package struct CallRecord {
  /// The method's index in the service table; −1 = no such method.
  package var method: Int
  package var status: StatusCode
  /// Nil when the call was answered.
  package var cancellation: CancellationSource?
  /// Nil unless it was turned away.
  package var refusal: RefusalReason?
  package var receivedBytes: Int
  package var sentBytes: Int
  package var receivedMessages: Int
  package var sentMessages: Int
  package var durationNanoseconds: UInt64
  /// What the service noted of the call's work.
  package var timing: CallTiming
  /// The client's `traceparent` (W3C), empty if it sent none; lives until the callback returns.
  package var traceParent: ByteSlice
  /// What the service noted with `ServerCall.noteRequestID`; lives as long.
  package var requestID: ByteSlice
  /// The client's socket, for its address.
  package var descriptor: Int32
}

/// What a call's work was, and where its time went, nanoseconds.
package struct CallTiming: BitwiseCopyable, Sendable {
  package var candidates = 0
  package var queueNanoseconds: UInt64 = 0
  package var scoreNanoseconds: UInt64 = 0
  package var encodeNanoseconds: UInt64 = 0

  package init() {}
}

/// What a loop holds and has done, told at the end of each turn.
package struct LoopFigures: BitwiseCopyable {
  package var connections = 0
  package var streams = 0
  /// Bytes of messages that are not taken yet.
  package var receivingBytes = 0
  /// Bytes of answers that have not gone.
  package var sendingBytes = 0
  package var turns: UInt64 = 0
  package var writes: UInt64 = 0
}

/// The services of one loop: the methods, the loop's own state behind them, and who hears of
/// calls that began and ended.
package struct ServiceTable {
  package var methods: [ServiceMethod]
  package var context: UnsafeMutableRawPointer?
  /// `record` is the address of a `CallRecord`. Nil costs nothing.
  package var callEnded:
    (@convention(c) (_ service: UnsafeMutableRawPointer?, _ record: UnsafeRawPointer) -> Void)?
  /// Headers of a call are there; −1 = no such method.
  package var callStarted:
    (@convention(c) (_ service: UnsafeMutableRawPointer?, _ method: Int) -> Void)?
  /// `figures` is the address of a `LoopFigures`.
  package var turnEnded:
    (@convention(c) (_ service: UnsafeMutableRawPointer?, _ figures: UnsafeRawPointer) -> Void)?

  package init(
    methods: [ServiceMethod], context: UnsafeMutableRawPointer?,
    callEnded: (@convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer) -> Void)? = nil,
    callStarted: (@convention(c) (UnsafeMutableRawPointer?, Int) -> Void)? = nil,
    turnEnded: (@convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer) -> Void)? = nil
  ) {
    self.methods = methods
    self.context = context
    self.callEnded = callEnded
    self.callStarted = callStarted
    self.turnEnded = turnEnded
  }
}
