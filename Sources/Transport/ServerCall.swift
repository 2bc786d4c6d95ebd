package import Core
package import EventLoop

/// A call as its service sees it: valid from its first callback until it is finished, failed or
/// cancelled, on its own loop only.
package struct ServerCall {
  private let stream: StreamPointer

  /// From the pointer that the callbacks of a `ServiceMethod` are given.
  package init(_ pointer: UnsafeMutableRawPointer) {
    stream = pointer.assumingMemoryBound(to: ServerStream.self)
  }

  /// The message, without its prefix. It lives until `handle` returns; a service that answers later
  /// copies what it needs.
  package var message: ByteSlice { stream.pointee.message }

  /// When the client stops waiting; monotonic, nanoseconds; `UInt64.max` = it does not say.
  package var deadlineNanoseconds: UInt64 { stream.pointee.call.deadlineNanoseconds }
  /// When its headers came; monotonic, nanoseconds.
  package var startedNanoseconds: UInt64 { stream.pointee.call.startedNanoseconds }
  /// `crescendo-priority: batch`: shed before others.
  package var isBatch: Bool { stream.pointee.headers.isBatch }

  /// The service's own pointer, nil at first.
  package var attachment: UnsafeMutableRawPointer? {
    get { stream.pointee.call.attachment }
    nonmutating set { stream.pointee.call.attachment = newValue }
  }

  /// For the record of the call.
  package func noteRequestID(_ id: ByteSlice) {
    let count = min(id.count, stream.pointee.call.requestID.count)
    for index in 0..<count { stream.pointee.call.requestID[index] = id[index] }
    stream.pointee.call.requestIDCount = count
  }

  package var timing: CallTiming {
    get { stream.pointee.call.timing }
    nonmutating set { stream.pointee.call.timing = newValue }
  }

  /// When the read began that brought what is being handled; monotonic, nanoseconds.
  package var nowNanoseconds: UInt64 {
    stream.pointee.connection.pointee.loop.pointee.nowNanoseconds
  }

  /// The loop that everything of this call happens on.
  package var eventLoop: EventLoop { stream.pointee.connection.pointee.loop.pointee.eventLoop }

  /// Where a buffer goes that is not sent.
  package var buffers: LoopBuffers {
    LoopBuffers(loop: stream.pointee.connection.pointee.loop)
  }

  /// A buffer for a message, to be given to `send` or back to `buffers`. RESOURCE_EXHAUSTED when
  /// the connection, or the process, holds as many bytes of answers as it may: a client that does
  /// not read gets no new ones.
  package func takeBuffer(_ byteCount: Int) throws(CallFailure) -> UnsafeMutableRawPointer {
    try stream.takeBuffer(byteCount)
  }

  /// Takes a buffer back that was not sent, while the call is open.
  package func giveBack(_ buffer: UnsafeMutableRawPointer) {
    stream.release(buffer)
  }

  /// Queues the first `count` bytes of a buffer from `takeBuffer`: a whole message. What its
  /// framing puts in front of it has room of its own.
  package func send(_ buffer: UnsafeMutableRawPointer, count: Int) {
    stream.send(buffer, count: count)
  }

  /// Ends the call with OK, after what was sent.
  package func finish() {
    stream.finish()
  }

  /// `send`, then `finish`: the whole answer of a unary call.
  package func respond(_ buffer: UnsafeMutableRawPointer, count: Int) {
    stream.send(buffer, count: count)
    stream.finish()
  }

  /// Ends the call with a status and a sentence: Trailers-Only if nothing was sent, else after what
  /// was.
  package func fail(_ code: StatusCode, _ message: String) {
    stream.fail(CallFailure(code, message))
  }

  package func fail(_ failure: CallFailure) {
    stream.fail(failure)
  }

  /// Bytes that were sent and have not gone.
  package var unsentBytes: Int { stream.pointee.outbound.unsentBytes }

  /// Whether the service should produce no more for now: this stream's bytes that have not gone,
  /// or its connection's, are over their mark. `writable` is called when they are below it.
  package func wantsMore() -> Bool {
    stream.wantsMore()
  }

  /// Stops taking messages from the client (many messages only): its window closes.
  package func pauseReading() {
    stream.pointee.isReadingPaused = true
  }

  /// Takes them again. Not from within `handle`.
  package func resumeReading() {
    stream.resumeReading()
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
