internal import Core
internal import EventLoop
internal import HTTP2
internal import Wire

typealias StreamPointer = UnsafeMutablePointer<ServerStream>

private let methodNotAllowed = HTTP2HeaderBlock(permanent: [
  HTTP2Header(":status", "405"), HTTP2Header("allow", "POST"),
])
private let unsupportedMediaType = HTTP2HeaderBlock(permanent: [
  HTTP2Header(":status", "415"),
  HTTP2Header("accept-post", "application/grpc, application/x-crescendo-session"),
])

extension StreamPointer {
  private var loop: LoopPointer { pointee.connection.pointee.loop }
  var method: UnsafePointer<ServiceMethod> { loop.pointee.methods[pointee.headers.method] }

  // MARK: Headers

  /// The deadline of the call: its own timeout, else the server's default where the method has
  /// one, from now on.
  private func setDeadline() {
    let asked = pointee.headers.timeoutNanoseconds
    let isLong = pointee.headers.method >= 0 && !method.pointee.hasDefaultDeadline
    let timeout = asked == .max && !isLong ? Limits.serving.defaultTimeoutNanoseconds : asked
    let (deadline, overflow) = pointee.call.startedNanoseconds.addingReportingOverflow(timeout)
    pointee.call.deadlineNanoseconds = overflow ? .max : deadline
  }

  /// All headers are there: what they already make impossible is answered at once.
  func begin(headersAreTooLarge: Bool) {
    pointee.phase = .message
    setDeadline()
    if !pointee.headers.pathIsSession {
      loop.pointee.callStarted?(loop.pointee.serviceContext, Int(pointee.headers.method))
    }
    if headersAreTooLarge {
      return fail(
        CallFailure(
          .resourceExhausted,
          "request headers are over \(Limits.serving.headerListBytes) bytes or "
            + "\(Limits.serving.headerCount) fields", retryPushbackMilliseconds: -1))
    }
    checkHeaders()
    guard pointee.phase == .message else { return }
    loop.touch(self)
    if method.pointee.kind == .manyMessages {
      pointee.assembler.cardinality = .any
      guard pointee.call.deadlineNanoseconds > loop.pointee.nowNanoseconds else {
        return fail(.deadlineExceeded, "the deadline had passed before any work was done")
      }
      pointee.phase = .handling
      method.pointee.started(loop.pointee.serviceContext, self)
    }
  }

  private func checkHeaders() {
    let headers = pointee.headers
    guard headers.isPost else { return answerOutsideGRPC(methodNotAllowed) }
    if headers.contentTypeIsSession, headers.pathIsSession { return openSession() }
    guard headers.contentTypeIsGRPC else { return answerOutsideGRPC(unsupportedMediaType) }
    guard !headers.timeoutIsMalformed else {
      return fail(
        .internalError,
        "grpc-timeout is malformed: 1 to 8 digits and a unit of H, M, S, m, u or n are expected")
    }
    guard !headers.hasMalformedBinary else {
      return fail(
        .internalError, "metadata whose name ends in -bin is not base64: encode its value")
    }
    guard let encoding = headers.encoding else {
      return fail(
        CallFailure(
          .unimplemented, "grpc-encoding is not supported: send identity or gzip"),
        alsoSending: [
          HTTP2Header(
            ByteSlice("grpc-accept-encoding"), ByteSlice(MessageEncoding.acceptedByUs))
        ])
    }
    pointee.assembler.acceptsCompressed = encoding == .gzip
    guard headers.method >= 0 else {
      return fail(.unimplemented, "this server has no such method; methods are case-sensitive")
    }
    if let refusal = method.pointee.refusal { return fail(.unimplemented, refusal) }
    if method.pointee.takesCampaigns {
      pointee.takesCampaigns = true
      pointee.assembler.limit = Limits.serving.campaignMessageBytes
      pointee.assembler.limitName = "campaignMessageBytes"
    }
  }

  // MARK: After a read

  /// Whatever the read has completed; then, while the call is open, its timer.
  func settle() {
    switch pointee.phase {
    case .message where pointee.isComplete:
      dispatch()
    case .message:
      guard keepUnfinished() else { return }
    case .handling:
      guard keepUnfinished() else { return }
      tellWritable()
    case .session:
      pointee.session?.settle()
    case .headers, .answered:
      return
    }
    if pointee.phase == .message || pointee.phase == .handling { setTimer() }
  }

  /// Hands the message to its service.
  private func dispatch() {
    guard pointee.call.deadlineNanoseconds > loop.pointee.nowNanoseconds else {
      return fail(.deadlineExceeded, "the deadline had passed before any work was done")
    }
    pointee.phase = .handling
    pointee.call.receivedMessages += 1
    handleMessage()
  }

  // MARK: Time

  private func setTimer() {
    guard pointee.phase == .message || pointee.call.deadlineNanoseconds < .max else { return }
    state.setTimer(loop)
  }

  private var state: UnsafeMutablePointer<CallState> {
    UnsafeMutableRawPointer(self).assumingMemoryBound(to: CallState.self)
  }

  func timerDue() {
    pointee.call.hasTimer = false
    switch pointee.phase {
    case .message:
      fail(.deadlineExceeded, "the time for it passed before the whole request had arrived")
    case .handling where loop.pointee.nowNanoseconds >= pointee.call.deadlineNanoseconds:
      expire()
    case .handling:
      setTimer()
    case .session:
      pointee.session?.timerDue()
    case .headers, .answered:
      return
    }
    pointee.connection.markDirty()
  }

  /// The deadline has come while the service has the call: a status if the client can still be
  /// told one, in place of answers of which nothing has gone, else RST_STREAM.
  private func expire() {
    cancel(.deadline)
    if pointee.call.sentBytes == 0, pointee.connection.pointee.session.hasWindow(pointee.id) {
      pointee.outbound.removeAll { release($0) }
      pointee.call.sentMessages = 0
    }
    if pointee.outbound.isEmpty {
      fail(.deadlineExceeded, "the deadline passed before the call was answered")
    } else {
      pointee.call.status = .deadlineExceeded
      reset()
    }
  }

  /// An answer that does not go, or comes too late: what is queued is dropped.
  func cut(_ source: CancellationSource) {
    if pointee.phase == .handling { cancel(source) } else { note(source) }
    pointee.call.status = source == .deadline ? .deadlineExceeded : .cancelled
    reset()
  }

  /// What was queued will not go: the client learns that by RST_STREAM.
  private func reset() {
    pointee.phase = .answered
    pointee.connection.pointee.session.resetStream(pointee.id, HTTP2ErrorCode.cancel)
    pointee.connection.markDirty()
  }

  // MARK: The end

  private func note(_ source: CancellationSource) {
    pointee.call.cancellation = source
    loop.pointee.counters.cancelled[source.rawValue] += 1
  }

  /// Nobody waits any more: the service lets go of the call.
  private func cancel(_ source: CancellationSource) {
    note(source)
    method.pointee.cancelled(loop.pointee.serviceContext, self)
  }

  /// HTTP/2 has closed the stream, or its connection has gone: everything it held goes back.
  func ended(_ source: CancellationSource) {
    let connection = pointee.connection
    let loop = connection.pointee.loop
    if let session = pointee.session {
      session.ended(source)
      pointee.session = nil
    } else if pointee.phase == .handling {
      pointee.call.status = .cancelled
      cancel(source)
    } else if pointee.phase != .answered || !pointee.outbound.isEmpty {
      // Good or bad, the answer has not arrived.
      if pointee.phase != .answered || pointee.call.status == .ok {
        pointee.call.status = .cancelled
      }
      if pointee.call.cancellation == nil { note(source) }
    }
    if !pointee.headers.pathIsSession { pointee.call.tellEnded(loop, record()) }
    dropInput()
    dropOutput()
    unlink()
    loop.pointee.counters.callsEnded += 1
    pointee.isClosed = true
    if !pointee.isTouched { loop.pointee.slab.giveBack(self) }
  }

  private func record() -> CallOrigin {
    CallOrigin(
      method: Int(pointee.headers.method), descriptor: pointee.connection.pointee.descriptor,
      traceParent: pointee.headers.hasTraceParent ? traceParent : .empty)
  }

  /// In the stream's own memory.
  var traceParent: ByteSlice {
    let offset =
      MemoryLayout<ServerStream>.offset(of: \.headers.traceParent) ?? 0
    return ByteSlice(UnsafeRawPointer(self) + offset, count: InlineArray<55, UInt8>.count)
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
