package import Core
package import EventLoop
internal import HTTP2
internal import Wire

/// A unary call as its service sees it: valid from `handle` until it is answered or cancelled,
/// on its own loop only.
package struct UnaryCall {
  private let stream: StreamPointer

  /// From the pointer that `ServiceMethod.handle` and `.cancelled` are given.
  package init(_ pointer: UnsafeMutableRawPointer) {
    stream = pointer.assumingMemoryBound(to: ServerStream.self)
  }

  /// The request message, without its prefix. It lives until `handle` returns; a service that
  /// answers later copies it first.
  package var message: ByteSlice { stream.pointee.assembler.message }

  /// When the client stops waiting; monotonic, nanoseconds.
  package var deadlineNanoseconds: UInt64 { stream.pointee.deadlineNanoseconds }
  /// When its headers came; monotonic, nanoseconds.
  package var startedNanoseconds: UInt64 { stream.pointee.startedNanoseconds }

  /// The service's own pointer, nil at first.
  package var attachment: UnsafeMutableRawPointer? {
    get { stream.pointee.attachment }
    nonmutating set { stream.pointee.attachment = newValue }
  }

  /// The loop that everything of this call happens on.
  package var eventLoop: EventLoop { stream.pointee.connection.pointee.loop.pointee.eventLoop }

  /// Where a buffer goes that is not given to `respond`.
  package var buffers: LoopBuffers {
    LoopBuffers(loop: stream.pointee.connection.pointee.loop)
  }

  /// A buffer for the answer, to be given to `respond` or back to `buffers`.
  package func takeBuffer(_ byteCount: Int) -> UnsafeMutableRawPointer {
    stream.pointee.connection.pointee.loop.pointee.buffers.take(byteCount)
  }

  /// Answers OK with the first `count` bytes of a buffer from `takeBuffer(capacity)`: a whole
  /// gRPC message with its 5-byte prefix.
  package func respond(_ buffer: UnsafeMutableRawPointer, capacity: Int, count: Int) {
    stream.dropMessage()
    stream.respond(buffer, capacity: capacity, count: count)
  }

  /// Answers with a status and a sentence.
  package func fail(_ code: StatusCode, _ message: String) {
    stream.fail(code, message)
  }

  package func fail(_ failure: CallFailure) {
    stream.fail(failure)
  }
}

/// Gives buffers back that no answer took: on the loop that they came from, also after their call
/// has ended.
package struct LoopBuffers {
  fileprivate let loop: LoopPointer

  package func giveBack(_ buffer: UnsafeMutableRawPointer, capacity: Int) {
    loop.pointee.buffers.giveBack(buffer, byteCount: capacity)
  }
}
