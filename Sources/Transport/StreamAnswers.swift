internal import Core
internal import HTTP2
internal import Wire

let okHeaders = HTTP2HeaderBlock(permanent: [
  HTTP2Header(":status", "200"), HTTP2Header("content-type", "application/grpc"),
])
let okGzipHeaders = HTTP2HeaderBlock(permanent: [
  HTTP2Header(":status", "200"), HTTP2Header("content-type", "application/grpc"),
  HTTP2Header("grpc-encoding", "gzip"),
  HTTP2Header(ByteSlice("grpc-accept-encoding"), ByteSlice(MessageEncoding.acceptedByUs)),
])
let okTrailers = HTTP2HeaderBlock(permanent: [HTTP2Header("grpc-status", "0")])

extension StreamPointer {
  private var loop: LoopPointer { pointee.connection.pointee.loop }

  // MARK: Buffers

  func takeBuffer(_ byteCount: Int) throws(CallFailure) -> UnsafeMutableRawPointer {
    let (connection, loop) = (pointee.connection, loop)
    // One answer always has room, however large: nothing could ever be sent otherwise.
    let held = connection.pointee.chargedBytes
    if held > 0, held + byteCount > loop.pointee.connectionOutboundBytes {
      throw CallFailure(
        .resourceExhausted,
        "this connection holds \(held) bytes of answers that were not read: read them, then retry",
        refusal: .memory)
    }
    let holdsLittle = held + byteCount <= loop.pointee.littleOutboundBytes
    guard let buffer = loop.takeBuffer(byteCount, holdsLittle: holdsLittle) else {
      throw CallFailure(
        .resourceExhausted, "the server holds as many bytes of answers as it may: retry later",
        refusal: .memory)
    }
    chargeBuffer(buffer)
    return buffer
  }

  func chargeBuffer(_ buffer: UnsafeMutableRawPointer) {
    let capacity = BufferHeader.of(buffer).pointee.capacity
    pointee.chargedBytes += capacity
    pointee.connection.pointee.chargedBytes += capacity
  }

  /// A buffer that was charged to this stream goes back.
  func release(_ buffer: UnsafeMutableRawPointer) {
    let capacity = BufferHeader.of(buffer).pointee.capacity
    pointee.chargedBytes -= capacity
    pointee.connection.discharge(capacity)
    loop.giveBack(buffer)
  }

  // MARK: Messages

  func send(_ buffer: UnsafeMutableRawPointer, count: Int) {
    precondition(pointee.phase == .handling, "a call that has ended sends nothing")
    if answersGzip, let (compressed, compressedCount) = deflate(buffer, count) {
      release(buffer)
      queue(compressed, count: compressedCount, isCompressed: true)
    } else {
      queue(buffer, count: count, isCompressed: false)
    }
    pointee.call.sentMessages += 1
    pump()
  }

  private func queue(_ buffer: UnsafeMutableRawPointer, count: Int, isCompressed: Bool) {
    let prefix = MessageAssembler.prefixBytes
    MessagePrefix.write(to: buffer - prefix, length: count, isCompressed: isCompressed)
    pointee.outbound.append(buffer, headBytes: prefix, count: count)
  }

  /// A client that compresses, and takes it, is answered in kind; nobody else pays for it.
  private var answersGzip: Bool {
    pointee.headers.encoding == .gzip && pointee.headers.acceptsGzip
  }

  /// A message compressed; nil when it would not shrink, or there is no room: then
  /// it goes out as it is, which every call allows.
  private func deflate(_ buffer: UnsafeMutableRawPointer, _ count: Int)
    -> (UnsafeMutableRawPointer, Int)?
  {
    guard count > Limits.serving.gzipFloorBytes, let target = try? takeBuffer(count) else {
      return nil
    }
    let message = ByteSlice(buffer, count: count)
    let room = UnsafeMutableRawBufferPointer(start: target, count: count)
    guard let compressed = loop.deflater.deflate(message, into: room) else {
      release(target)
      return nil
    }
    return (target, compressed)
  }

  func finish() {
    precondition(pointee.phase == .handling, "a call is answered once")
    pointee.phase = .answered
    dropInput()
    pump()
  }

  /// Headers before the first message; then HTTP/2 is told that there is more.
  func pump() {
    let session = pointee.connection.pointee.session
    if !pointee.hasSentHeaders {
      pointee.hasSentHeaders = true
      session.submitResponse(
        pointee.id, answersGzip ? okGzipHeaders : okHeaders, endsStream: false)
    } else if pointee.isDeferred {
      pointee.isDeferred = false
      session.resumeBody(pointee.id)
    }
    pointee.connection.markDirty()
  }

  /// HTTP/2 asks for bytes of the body.
  func read(
    into buffer: UnsafeMutableRawPointer, capacity: Int, end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count = pointee.outbound.read(into: buffer, capacity: capacity) { gone($0) }
    pointee.call.sentBytes += count
    pointee.session?.sent(count)
    if !pointee.outbound.isEmpty { return count }
    if pointee.phase == .answered {
      end.pointee = HTTP2Body.trailersFollow
      submitTrailers()
      return count
    }
    if pointee.wantsWritable { loop.touch(self) }
    guard count == 0 else { return count }
    pointee.isDeferred = true
    return HTTP2Body.deferred
  }

  /// A buffer has been read to its end.
  private func gone(_ buffer: UnsafeMutableRawPointer) {
    pointee.session?.pointee.machine.returned(BufferHeader.of(buffer).pointee.credit)
    release(buffer)
  }

  /// Whether more than enough waits to go; then its connection wakes it when there is room.
  func isFull() -> Bool {
    let isConnectionFull = pointee.connection.holdsMuch
    if isConnectionFull { pointee.connection.pointee.hasWaiting = true }
    return isConnectionFull
      || pointee.outbound.unsentBytes >= Limits.serving.streamOutboundBytes
  }

  func wantsMore() -> Bool {
    let isFull = isFull()
    if isFull { pointee.wantsWritable = true }
    return !isFull
  }

  /// After a write: the service may produce again.
  func tellWritable() {
    guard pointee.phase == .handling, pointee.wantsWritable,
      pointee.outbound.unsentBytes <= Limits.serving.streamOutboundBytes / 2
    else { return }
    pointee.wantsWritable = false
    loop.pointee.methods[pointee.headers.method].pointee.writable(
      loop.pointee.serviceContext, self)
  }

  // MARK: Status

  func fail(_ code: StatusCode, _ message: String) {
    fail(CallFailure(code, message))
  }

  /// Trailers-Only when nothing was sent: the client may then still retry. Else trailers after what
  /// was.
  func fail(_ failure: CallFailure, alsoSending more: [HTTP2Header] = []) {
    precondition(pointee.phase != .answered, "a call is answered once")
    pointee.phase = .answered
    pointee.call.status = failure.code
    pointee.call.refusal = failure.refusalReason
    dropInput()
    if pointee.hasSentHeaders {
      let kept = UnsafeMutablePointer<CallFailure>.allocate(capacity: 1)
      kept.initialize(to: failure)
      pointee.failure = kept
      pump()
      return
    }
    pointee.hasSentHeaders = true
    let (session, id) = (pointee.connection.pointee.session, pointee.id)
    failure.withTrailers { trailers in
      session.submitResponse(
        id,
        [HTTP2Header(":status", "200"), HTTP2Header("content-type", "application/grpc")]
          + trailers + more, endsStream: true)
    }
    pointee.connection.markDirty()
  }

  private func submitTrailers() {
    let (session, id) = (pointee.connection.pointee.session, pointee.id)
    guard let failure = pointee.failure else { return session.submitTrailers(id, okTrailers) }
    failure.pointee.withTrailers { session.submitTrailers(id, $0) }
  }

  /// For requests that are not gRPC at all: a plain HTTP status.
  func answerOutsideGRPC(_ block: HTTP2HeaderBlock) {
    pointee.phase = .answered
    pointee.call.status = .unknown
    pointee.hasSentHeaders = true
    pointee.connection.pointee.session.submitResponse(pointee.id, block, endsStream: true)
  }

  /// Everything of the answer that has not gone goes back.
  func dropOutput() {
    pointee.outbound.removeAll { loop.giveBack($0) }
    pointee.connection.discharge(pointee.chargedBytes)
    pointee.chargedBytes = 0
    pointee.failure?.deinitialize(count: 1)
    pointee.failure?.deallocate()
    pointee.failure = nil
  }
}

extension ConnectionPointer {
  /// Its producers wait.
  fileprivate var holdsMuch: Bool {
    pointee.chargedBytes >= Limits.serving.connectionOutboundMarkBytes
  }

  /// Bytes of answers have gone, or never will. Streams that waited for those of others have
  /// nothing of their own on its way that would wake them.
  fileprivate func discharge(_ byteCount: Int) {
    pointee.chargedBytes -= byteCount
    guard pointee.hasWaiting, !holdsMuch else { return }
    pointee.hasWaiting = false
    var stream = pointee.streams
    while let current = stream {
      stream = current.pointee.next
      if current.pointee.wantsWritable || current.pointee.session?.pointee.hasWaiting == true {
        pointee.loop.touch(current)
      }
    }
  }
}

extension CallFailure {
  /// The trailers that say it.
  fileprivate func withTrailers(_ body: ([HTTP2Header]) -> Void) {
    let message = GRPCMessage.percentEncode(message)
    let pushback = retryPushbackMilliseconds.map { Array("\($0)".utf8) } ?? []
    let details = StatusDetails.header(self) ?? []
    withBytes(message, pushback, details) { message, pushback, details in
      var trailers = [
        HTTP2Header(ByteSlice("grpc-status"), ByteSlice(GRPCStatus.text(code))),
        HTTP2Header(ByteSlice("grpc-message"), message, isVolatile: true),
      ]
      if !pushback.isEmpty {
        trailers.append(
          HTTP2Header(ByteSlice("grpc-retry-pushback-ms"), pushback, isVolatile: true))
      }
      if !details.isEmpty {
        trailers.append(
          HTTP2Header(ByteSlice("grpc-status-details-bin"), details, isVolatile: true))
      }
      body(trailers)
    }
  }
}

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
