internal import Core
internal import EventLoop

/// How a call's messages travel: which memory begins with a `CallState`.
enum Framing: UInt8 {
  /// A stream of its own: `ServerStream`.
  case grpc
  /// Frames of a session: `SessionCall`.
  case session
}

/// What is kept of a call for the log and not looked at before: beside its memory, so that a new
/// tenant need not be made to forget it.
struct CallNote: BitwiseCopyable {
  var requestID = InlineArray<64, UInt8>(repeating: 0)
  var traceParent = InlineArray<55, UInt8>(repeating: 0)

  static let traceParentOffset = MemoryLayout<CallNote>.offset(of: \.traceParent) ?? 0
}

/// What every call has, whatever its framing; the first field of its memory, so that a service
/// can be given one address.
struct CallState {
  let framing: Framing
  /// Rises each time that the memory gets a new tenant: timers compare it.
  var generation: UInt64
  var hasTimer = false
  /// Monotonic, nanoseconds.
  var startedNanoseconds: UInt64 = 0
  var deadlineNanoseconds: UInt64 = 0
  var status = StatusCode.ok
  var cancellation: CancellationSource?
  var refusal: RefusalReason?

  var receivedBytes = 0
  var sentBytes = 0
  var receivedMessages = 0
  var sentMessages = 0
  var timing = CallTiming()
  let note: UnsafeMutablePointer<CallNote>
  /// Of the note's request id, the first so many bytes.
  var requestIDCount: UInt8 = 0
  /// The call brought one of its own.
  var hasTraceParent = false

  /// The service's own pointer.
  var attachment: UnsafeMutableRawPointer?

  @inline(__always)
  init(framing: Framing, generation: UInt64, note: UnsafeMutablePointer<CallNote>) {
    self.framing = framing
    self.generation = generation
    self.note = note
  }
}

/// Where a call came from, for its record.
struct CallOrigin {
  var method: Int
  var descriptor: Int32
  /// Of the call's stream or session, where it has none of its own: it lives until that is told.
  var traceParent: ByteSlice
}

extension UnsafeMutablePointer where Pointee == CallState {
  /// Timers are never taken back, so none is set for longer than a bound: a call that is still
  /// open then gets another.
  func setTimer(_ loop: LoopPointer) {
    guard !pointee.hasTimer else { return }
    pointee.hasTimer = true
    let latest = loop.pointee.nowNanoseconds + Limits.serving.messageArrivalNanoseconds
    loop.pointee.eventLoop.schedule(
      TimerEntry(
        deadlineNanoseconds: Swift.min(pointee.deadlineNanoseconds, latest), token: self,
        generation: pointee.generation))
  }
}

extension CallState {
  /// The call has ended: who counts and logs hears of it.
  func tellEnded(_ loop: LoopPointer, _ origin: CallOrigin, now: UInt64? = nil) {
    guard let callEnded = loop.pointee.callEnded else { return }
    let now = now ?? loop.pointee.eventLoop.clock.monotonicNanoseconds()
    let bytes = UnsafeRawPointer(note)
    let own = ByteSlice(
      bytes + CallNote.traceParentOffset, count: InlineArray<55, UInt8>.count)
    var record = CallRecord(
      method: origin.method, status: status, cancellation: cancellation, refusal: refusal,
      receivedBytes: receivedBytes, sentBytes: sentBytes,
      receivedMessages: receivedMessages, sentMessages: sentMessages,
      durationNanoseconds: now - min(now, startedNanoseconds), timing: timing,
      traceParent: hasTraceParent ? own : origin.traceParent,
      requestID: ByteSlice(bytes, count: Int(requestIDCount)), descriptor: origin.descriptor)
    callEnded(loop.pointee.serviceContext, &record)
  }
}
