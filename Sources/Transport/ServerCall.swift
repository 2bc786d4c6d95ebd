package import Core
package import EventLoop
internal import Wire

/// A call as its service sees it: valid from its first callback until it is finished, failed or
/// cancelled, on its own loop only.
package struct ServerCall {
  private let state: UnsafeMutablePointer<CallState>

  /// From the pointer that the callbacks of a `ServiceMethod` are given.
  package init(_ pointer: UnsafeMutableRawPointer) {
    state = pointer.assumingMemoryBound(to: CallState.self)
  }

  private var isSession: Bool { state.pointee.framing == .session }

  /// Of a call with a stream of its own.
  private var stream: StreamPointer {
    UnsafeMutableRawPointer(state).assumingMemoryBound(to: ServerStream.self)
  }

  /// Of a session's call.
  private var sessionCall: SessionCallPointer {
    UnsafeMutableRawPointer(state).assumingMemoryBound(to: SessionCall.self)
  }

  /// The stream that carries it, maybe with others.
  private var carrier: StreamPointer {
    isSession ? sessionCall.pointee.session.pointee.stream : stream
  }

  private var loop: LoopPointer { carrier.pointee.connection.pointee.loop }

  // MARK: What came

  /// The message, without its prefix. It lives until `handle` returns; a service that answers later
  /// copies what it needs.
  package var message: ByteSlice {
    isSession ? sessionCall.pointee.message : stream.pointee.message
  }

  /// When the client stops waiting; monotonic, nanoseconds; `UInt64.max` = it does not say.
  package var deadlineNanoseconds: UInt64 { state.pointee.deadlineNanoseconds }
  /// When its headers came; monotonic, nanoseconds.
  package var startedNanoseconds: UInt64 { state.pointee.startedNanoseconds }
  /// Of priority batch: shed before others.
  package var isBatch: Bool {
    isSession ? sessionCall.pointee.isBatch : stream.pointee.headers.isBatch
  }

  /// The credit that the message took and that its answer gives back (`send`); 0 where there is
  /// none.
  package var messageCredit: Int64 { isSession ? sessionCall.pointee.messageCost : 0 }

  /// A session's client says how many candidates each message has (row Y10): what is wrong with
  /// that, now that they are counted: `item_ids` plus `item_uris`.
  package func workFault(_ candidates: Int) -> CallFailure? {
    guard isSession, Int(sessionCall.pointee.work) != candidates else { return nil }
    return SessionRefusal.wrongWork(sessionCall.pointee.work, candidates: candidates)
  }

  // MARK: The service's own

  /// The service's own pointer, nil at first.
  package var attachment: UnsafeMutableRawPointer? {
    get { state.pointee.attachment }
    nonmutating set { state.pointee.attachment = newValue }
  }

  /// For the record of the call.
  package func noteRequestID(_ id: ByteSlice) {
    let note = state.pointee.note
    let count = min(id.count, note.pointee.requestID.count)
    for index in 0..<count { note.pointee.requestID[index] = id[index] }
    state.pointee.requestIDCount = UInt8(count)
  }

  package var timing: CallTiming {
    get { state.pointee.timing }
    nonmutating set { state.pointee.timing = newValue }
  }

  /// When the read began that brought what is being handled; monotonic, nanoseconds.
  package var nowNanoseconds: UInt64 { loop.pointee.nowNanoseconds }

  /// The loop that everything of this call happens on.
  package var eventLoop: EventLoop { loop.pointee.eventLoop }

  // MARK: Answers

  /// Where a buffer goes that is not sent.
  package var buffers: LoopBuffers { LoopBuffers(loop: loop) }

  /// A buffer for a message, to be given to `send` or back to `buffers`. RESOURCE_EXHAUSTED when
  /// the connection, or the process, holds as many bytes of answers as it may: a client that does
  /// not read gets no new ones.
  package func takeBuffer(_ byteCount: Int) throws(CallFailure) -> UnsafeMutableRawPointer {
    isSession ? try sessionCall.takeBuffer(byteCount) : try stream.takeBuffer(byteCount)
  }

  /// Takes a buffer back that was not sent, while the call is open.
  package func giveBack(_ buffer: UnsafeMutableRawPointer) {
    carrier.release(buffer)
  }

  /// Queues the first `count` bytes of a buffer from `takeBuffer`: a whole message. What its
  /// framing puts in front of it has room of its own. `answering`: the `messageCredit` of the
  /// message that it answers.
  package func send(_ buffer: UnsafeMutableRawPointer, count: Int, answering credit: Int64 = 0) {
    if isSession {
      sessionCall.send(buffer, count: count, answering: credit)
    } else {
      stream.send(buffer, count: count)
    }
  }

  /// Ends the call with OK, after what was sent.
  package func finish() {
    if isSession { sessionCall.finish() } else { stream.finish() }
  }

  /// `send`, then `finish`: the whole answer of a unary call. `now`: the clock, where the service
  /// has just read it.
  package func respond(_ buffer: UnsafeMutableRawPointer, count: Int, now: UInt64? = nil) {
    if isSession { return sessionCall.respond(buffer, count: count, now: now) }
    stream.send(buffer, count: count)
    stream.finish()
  }

  /// Ends the call with a status and a sentence: Trailers-Only if nothing was sent, else after what
  /// was.
  package func fail(_ code: StatusCode, _ message: String) {
    fail(CallFailure(code, message))
  }

  package func fail(_ failure: CallFailure) {
    if isSession { sessionCall.fail(failure) } else { stream.fail(failure) }
  }

  // MARK: Flow

  /// Bytes that were sent and have not gone.
  package var unsentBytes: Int { carrier.pointee.outbound.unsentBytes }

  /// Whether the service should produce no more for now: this stream's bytes that have not gone,
  /// or its connection's, are over their mark. `writable` is called when they are below it.
  package func wantsMore() -> Bool {
    guard isSession else { return stream.wantsMore() }
    let isFull = carrier.isFull()
    if isFull {
      sessionCall.pointee.wantsWritable = true
      sessionCall.pointee.session.pointee.hasWaiting = true
    }
    return !isFull
  }

  /// Stops taking messages from the client (many messages only): its window closes, or, in a
  /// session, they wait.
  package func pauseReading() {
    if isSession {
      sessionCall.pointee.isReadingPaused = true
    } else {
      stream.pointee.isReadingPaused = true
    }
  }

  /// Takes them again. Not from within `handle`.
  package func resumeReading() {
    if isSession { sessionCall.resumeReading() } else { stream.resumeReading() }
  }
}

/// Gives buffers back that no answer took: on the loop that they came from, also after their call
/// has ended.
package struct LoopBuffers {
  fileprivate let loop: LoopPointer

  package func giveBack(_ buffer: UnsafeMutableRawPointer) {
    loop.giveBack(buffer)
  }
}
