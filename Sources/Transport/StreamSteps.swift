internal import Core
internal import EventLoop
internal import HTTP2
internal import Wire

/// Three arrays as bytes that `body` may read.
private func withBytes(
  _ first: [UInt8], _ second: [UInt8], _ third: [UInt8],
  _ body: (ByteSlice, ByteSlice, ByteSlice) -> Void
) {
  first.withUnsafeBytes { first in
    second.withUnsafeBytes { second in
      third.withUnsafeBytes { third in
        body(ByteSlice(first), ByteSlice(second), ByteSlice(third))
      }
    }
  }
}

typealias StreamPointer = UnsafeMutablePointer<ServerStream>

let okHeaders = HTTP2HeaderBlock(permanent: [
  HTTP2Header(":status", "200"), HTTP2Header("content-type", "application/grpc"),
])
let okTrailers = HTTP2HeaderBlock(permanent: [HTTP2Header("grpc-status", "0")])
private let methodNotAllowed = HTTP2HeaderBlock(permanent: [
  HTTP2Header(":status", "405"), HTTP2Header("allow", "POST"),
])
private let unsupportedMediaType = HTTP2HeaderBlock(permanent: [
  HTTP2Header(":status", "415"), HTTP2Header("accept-post", "application/grpc"),
])

extension StreamPointer {
  private var loop: LoopPointer { pointee.connection.pointee.loop }

  /// The deadline of the call: its own timeout, else the server's default, from now on.
  func setDeadline() {
    let asked = pointee.headers.timeoutNanoseconds
    let timeout = asked == .max ? Limits.defaultTimeoutNanoseconds : asked
    let (deadline, overflow) = pointee.startedNanoseconds.addingReportingOverflow(timeout)
    pointee.deadlineNanoseconds = overflow ? .max : deadline
  }

  /// Answers at once what its headers already make impossible.
  func checkHeaders() {
    let headers = pointee.headers
    guard headers.isPost else { return answerOutsideGRPC(methodNotAllowed) }
    guard headers.contentTypeIsGRPC else { return answerOutsideGRPC(unsupportedMediaType) }
    guard !headers.timeoutIsMalformed else {
      return fail(
        .internalError,
        "grpc-timeout is malformed: 1 to 8 digits and a unit of H, M, S, m, u or n are expected")
    }
    guard headers.encodingIsKnown else {
      return fail(
        CallFailure(
          .unimplemented, "grpc-encoding is not supported: send messages uncompressed (identity)"),
        alsoSending: [HTTP2Header("grpc-accept-encoding", "identity")])
    }
    guard headers.method >= 0 else {
      return fail(.unimplemented, "this server has no such method; methods are case-sensitive")
    }
    if let refusal = loop.pointee.methods[headers.method].pointee.refusal {
      fail(.unimplemented, refusal)
    }
  }

  /// Bytes of the message; an error in them ends the call at once. The message may point into
  /// them until the end of this read.
  func feed(_ bytes: ByteSlice) {
    let before = pointee.assembler.bufferedBytes
    do throws(CallFailure) {
      // A body of one message is taken whole, or refused.
      _ = try pointee.assembler.feed(bytes)
    } catch {
      pointee.connection.pointee.bufferedBytes += pointee.assembler.bufferedBytes - before
      return fail(error)
    }
    if !checkBuffered(since: before) { return }
    loop.touch(self)
  }

  /// Counts what the assembler holds more than before; false when that ended the call.
  private func checkBuffered(since before: Int) -> Bool {
    let connection = pointee.connection
    connection.pointee.bufferedBytes += pointee.assembler.bufferedBytes - before
    guard connection.pointee.bufferedBytes > Limits.connectionBufferedBytes else { return true }
    fail(
      CallFailure(
        .resourceExhausted,
        "this connection holds over \(Limits.connectionBufferedBytes) bytes of unfinished messages"
      ))
    return false
  }

  /// The read that brought its last bytes is over, and the message is not whole.
  func waitForMore() {
    let before = pointee.assembler.bufferedBytes
    pointee.assembler.keep()
    guard checkBuffered(since: before), !pointee.hasTimer else { return }
    pointee.hasTimer = true
    let latest = loop.pointee.nowNanoseconds + Limits.messageArrivalNanoseconds
    loop.pointee.eventLoop.schedule(
      TimerEntry(
        deadlineNanoseconds: min(pointee.deadlineNanoseconds, latest), token: self,
        generation: pointee.generation))
  }

  /// The client has ended its half: the message is whole, or never will be.
  func finishMessage() {
    if let failure = pointee.assembler.finish() { return fail(failure) }
    pointee.isComplete = true
    loop.touch(self)
  }

  /// Hands the message to its service.
  func dispatch() {
    guard pointee.deadlineNanoseconds > loop.pointee.nowNanoseconds else {
      return fail(.deadlineExceeded, "the deadline had passed before any work was done")
    }
    pointee.phase = .handling
    let loop = loop
    loop.pointee.methods[pointee.headers.method].pointee.handle(
      loop.pointee.serviceContext, self)
  }

  /// The message had until now to arrive.
  func timerDue() {
    guard pointee.phase == .message else { return }
    fail(.deadlineExceeded, "the time for it passed before the whole request had arrived")
    pointee.connection.markDirty()
  }

  // MARK: Answers

  /// Sends `count` bytes of `buffer`, which came from the loop's pool and goes back to it.
  func respond(_ buffer: UnsafeMutableRawPointer, capacity: Int, count: Int) {
    precondition(pointee.phase == .handling, "a call is answered once")
    pointee.phase = .answered
    pointee.body = buffer
    pointee.bodyCapacity = capacity
    pointee.bodyCount = count
    pointee.connection.pointee.session.submitResponse(pointee.id, okHeaders, endsStream: false)
    pointee.connection.markDirty()
  }

  func fail(_ code: StatusCode, _ message: String) {
    fail(CallFailure(code, message))
  }

  /// Trailers-Only: one block of headers that ends the stream.
  func fail(_ failure: CallFailure, alsoSending more: [HTTP2Header] = []) {
    precondition(pointee.phase != .answered, "a call is answered once")
    pointee.phase = .answered
    pointee.status = failure.code
    dropMessage()
    let message = GRPCMessage.percentEncode(failure.message)
    let pushback = failure.retryPushbackMilliseconds.map { Array("\($0)".utf8) } ?? []
    let details = StatusDetails.header(failure) ?? []
    let (session, id) = (pointee.connection.pointee.session, pointee.id)
    withBytes(message, pushback, details) { message, pushback, details in
      var headers = [
        HTTP2Header(":status", "200"), HTTP2Header("content-type", "application/grpc"),
        HTTP2Header(ByteSlice("grpc-status"), ByteSlice(GRPCStatus.text(failure.code))),
        HTTP2Header(ByteSlice("grpc-message"), message, isVolatile: true),
      ]
      if !pushback.isEmpty {
        headers.append(
          HTTP2Header(ByteSlice("grpc-retry-pushback-ms"), pushback, isVolatile: true))
      }
      if !details.isEmpty {
        headers.append(
          HTTP2Header(ByteSlice("grpc-status-details-bin"), details, isVolatile: true))
      }
      session.submitResponse(id, headers + more, endsStream: true)
    }
    pointee.connection.markDirty()
  }

  /// For requests that are not gRPC at all: a plain HTTP status.
  private func answerOutsideGRPC(_ block: HTTP2HeaderBlock) {
    pointee.phase = .answered
    pointee.status = .unknown
    pointee.connection.pointee.session.submitResponse(pointee.id, block, endsStream: true)
  }

  /// The request's bytes are no longer needed.
  func dropMessage() {
    pointee.connection.pointee.bufferedBytes -= pointee.assembler.bufferedBytes
    pointee.assembler.dispose()
  }

  // MARK: The end

  /// HTTP/2 has closed the stream, or its connection has gone: everything it held goes back.
  func ended() {
    let connection = pointee.connection
    let loop = connection.pointee.loop
    if pointee.phase == .handling {
      pointee.status = .cancelled
      loop.pointee.methods[pointee.headers.method].pointee.cancelled(
        loop.pointee.serviceContext, self)
    }
    if pointee.phase != .answered { loop.pointee.counters.callsCancelled += 1 }
    tellEnded()
    dropMessage()
    if let body = pointee.body {
      loop.pointee.buffers.giveBack(body, byteCount: pointee.bodyCapacity)
      pointee.body = nil
    }
    unlink()
    loop.pointee.counters.callsEnded += 1
    pointee.isClosed = true
    if !pointee.isTouched { loop.pointee.slab.giveBack(self) }
  }

  private func tellEnded() {
    guard let callEnded = loop.pointee.callEnded else { return }
    let now = loop.pointee.eventLoop.clock.monotonicNanoseconds()
    var record = CallRecord(
      method: Int(pointee.headers.method),
      status: pointee.phase == .answered ? pointee.status : .cancelled,
      receivedBytes: pointee.receivedBytes, sentBytes: pointee.bodySent,
      durationNanoseconds: now - pointee.startedNanoseconds)
    callEnded(loop.pointee.serviceContext, &record)
  }

  private func unlink() {
    let connection = pointee.connection
    if let previous = pointee.previous {
      previous.pointee.next = pointee.next
    } else {
      connection.pointee.streams = pointee.next
    }
    pointee.next?.pointee.previous = pointee.previous
    connection.pointee.streamCount -= 1
  }
}
