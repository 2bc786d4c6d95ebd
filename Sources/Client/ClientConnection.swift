package import Core
package import HTTP2
internal import Wire

/// The bounds and names of a client.
package struct ClientOptions: Sendable {
  /// The longest message that is taken as an answer, bytes.
  package var responseLimitBytes = Limits.serving.messageBytes
  package var userAgent = "crescendo/\(Version.text)"
  package var http2 = HTTP2Limits(
    concurrentStreams: 0, streamWindowBytes: Limits.serving.streamWindowBytes,
    connectionWindowBytes: Limits.serving.connectionWindowBytes,
    headerListBytes: Limits.serving.headerListBytes, headerCount: Limits.serving.headerCount)

  package init() {}
}

/// One HTTP/2 connection of a gRPC client, without I/O and without a clock.
///
/// Bytes and times in, bytes and outcomes out; any number of unary calls at the same time. After
/// every call of `start`, `receive` and `expire` its owner drains `nextOutput`. One thread at a
/// time. Windows are given back as the bytes come, for a message is bounded by
/// `ClientOptions.responseLimitBytes` and everything else is dropped.
package final class ClientConnection {
  package struct CallID: Hashable, Sendable {
    let stream: Int32
  }

  /// Nil once the connection is over.
  private(set) var session: HTTP2Session?
  private let authority: String
  private let options: ClientOptions
  /// Calls whose stream nghttp2 still knows: it holds their addresses.
  private(set) var calls: [Int32: ClientCall] = [:]
  private var outcomes: [Int32: UnaryOutcome] = [:]
  /// Of streamed calls that are over: what nobody has taken yet.
  var leftMessages: [Int32: [[UInt8]]] = [:]
  /// Why no new call can be started.
  private var refusal: CallFailure?
  private var nowNanoseconds: UInt64 = 0
  private var hasReceived = false

  /// `authority` is what the server is called by: `HOST:PORT`.
  package init(authority: String, options: ClientOptions = ClientOptions())
    throws(HTTP2Session.ConnectionError)
  {
    self.authority = authority
    self.options = options
    self.session = try HTTP2Session(
      .client, handlers: ClientConnection.handlers,
      context: Unmanaged.passUnretained(self).toOpaque(), limits: options.http2, memory: nil)
  }

  deinit {
    session?.destroy()
  }

  /// Whether another call can be started: no GOAWAY has come and the connection is not over.
  package var isOpen: Bool { refusal == nil }

  // MARK: Calls

  /// Starts a unary call of `path` (`/package.Service/Method`). With a timeout, `grpc-timeout` is
  /// sent, and `expire` ends the call when its time has come.
  package func start(
    path: String, message: [UInt8], timeoutNanoseconds: UInt64?, metadata: [MetadataEntry] = [],
    nowNanoseconds: UInt64
  ) throws(ClientError) -> CallID {
    try start(
      path: path, timeoutNanoseconds: timeoutNanoseconds, metadata: metadata,
      nowNanoseconds: nowNanoseconds, isStreamed: false, body: try framed(message))
  }

  func framed(_ message: [UInt8]) throws(ClientError) -> [UInt8] {
    guard let body = ClientFraming.framed(message) else {
      throw .invalidRequest("a message of \(message.count) bytes cannot be framed")
    }
    return body
  }

  func start(
    path: String, timeoutNanoseconds: UInt64?, metadata: [MetadataEntry], nowNanoseconds: UInt64,
    isStreamed: Bool, body: [UInt8]
  ) throws(ClientError) -> CallID {
    self.nowNanoseconds = nowNanoseconds
    if let problem = metadata.lazy.compactMap(RequestHeaders.problem).first {
      throw .invalidRequest(problem)
    }
    guard let session, refusal == nil else {
      let refusal = refusal ?? CallFailure(.unavailable, "the connection is over")
      throw .failed(FailedCall(refusal, origin: .connection))
    }
    let deadline = timeoutNanoseconds.map { nowNanoseconds.addingReportingOverflow($0) }
    let call = ClientCall(
      body: body, isFinished: !isStreamed,
      response: CallResponse(limitBytes: options.responseLimitBytes, isStreamed: isStreamed),
      deadlineNanoseconds: deadline.map { $0.overflow ? distantFutureNanoseconds : $0.partialValue }
        ?? distantFutureNanoseconds)
    let headers = requestHeaders(path, timeoutNanoseconds, metadata)
    do throws(HTTP2Session.ConnectionError) {
      call.stream = try headers.withHeaders { list throws(HTTP2Session.ConnectionError) in
        try session.submitRequest(list, stream: call.address, hasBody: true)
      }
    } catch {
      // The stream ids of a connection are used up, or memory is.
      refusal = CallFailure(.unavailable, "no more calls on this connection: \(error)")
      throw .failed(
        FailedCall(
          CallFailure(.unavailable, "no more calls on this connection: \(error)"),
          origin: .connection))
    }
    calls[call.stream] = call
    return CallID(stream: call.stream)
  }

  private func requestHeaders(
    _ path: String, _ timeoutNanoseconds: UInt64?, _ metadata: [MetadataEntry]
  ) -> RequestHeaders {
    var headers = RequestHeaders()
    headers.append(":method", "POST")
    headers.append(":scheme", "http")
    headers.append(":path", path)
    headers.append(":authority", authority)
    headers.append("te", "trailers")
    headers.append("content-type", "application/grpc")
    headers.append("user-agent", options.userAgent)
    if let timeoutNanoseconds {
      headers.append(
        "grpc-timeout", CallTimeout.headerValue(nanoseconds: timeoutNanoseconds), isVolatile: true)
    }
    for entry in metadata { headers.append(entry.name, entry.value, isVolatile: true) }
    return headers
  }

  /// What the call came to, once; nil while it runs.
  package func takeOutcome(_ id: CallID) -> UnaryOutcome? {
    outcomes.removeValue(forKey: id.stream)
  }

  /// When `expire` has something to do next; nil = no running call has a deadline.
  package var nextDeadlineNanoseconds: UInt64? {
    let next = calls.values.lazy.filter { !$0.isConcluded }.map(\.deadlineNanoseconds).min()
    return next == distantFutureNanoseconds ? nil : next
  }

  /// Ends the calls whose deadline has come: DEADLINE_EXCEEDED here, RST_STREAM(CANCEL) there.
  package func expire(nowNanoseconds: UInt64) {
    self.nowNanoseconds = nowNanoseconds
    for call in calls.values where !call.isConcluded && call.deadlineNanoseconds <= nowNanoseconds {
      let failure = CallFailure(.deadlineExceeded, "no answer within the timeout")
      conclude(call, .failure(FailedCall(failure, origin: .client)), streamIsOpen: true)
    }
  }

  // MARK: Bytes

  /// Takes bytes of the server, all of them.
  package func receive(_ bytes: UnsafeRawBufferPointer, nowNanoseconds: UInt64) {
    self.nowNanoseconds = nowNanoseconds
    guard let session, let base = bytes.baseAddress, !bytes.isEmpty else { return }
    if !hasReceived, let other = ClientConnection.otherProtocol(bytes) {
      end("the peer speaks \(other), not plaintext HTTP/2")
      return
    }
    hasReceived = true
    do throws(HTTP2Session.ConnectionError) {
      try session.receive(base, count: bytes.count)
    } catch {
      end("the peer broke HTTP/2: \(error)")
    }
  }

  /// What a peer speaks whose first bytes are these, where that is a likely mistake: nghttp2 would
  /// wait for the rest of a frame. As HTTP/2 each would be a frame over the agreed length.
  package static func otherProtocol(_ bytes: UnsafeRawBufferPointer) -> String? {
    if bytes.starts(with: "HTTP/1".utf8) { return "HTTP/1" }
    // An alert of any TLS version: it did not like our plaintext.
    return bytes.starts(with: [0x15, 0x03]) ? "TLS" : nil
  }

  /// The next bytes for the server, or nil; they live until the next call on this connection.
  package func nextOutput() -> ByteSlice? {
    guard let session else { return nil }
    do throws(HTTP2Session.ConnectionError) {
      if let output = try session.nextOutput() { return output }
    } catch {
      end("HTTP/2 failed: \(error)")
      return nil
    }
    // nghttp2 has said its last word, a GOAWAY: because of what the peer sent, or after it.
    if !session.wantsToRead, !session.wantsToWrite {
      end(refusal?.message ?? "the peer does not keep to HTTP/2")
    }
    return nil
  }

  /// The connection is over: running calls fail with UNAVAILABLE, and so does every later one.
  package func end(_ reason: String) {
    guard let session else { return }
    let failure = CallFailure(.unavailable, reason)
    refusal = failure
    for call in calls.values {
      conclude(call, .failure(FailedCall(failure, origin: .connection)), streamIsOpen: false)
    }
    self.session = nil
    session.destroy()
    calls = [:]
  }

  /// Keeps the first outcome of a call. A stream that is still open then, or whose request is not
  /// sent whole, is of no more use: the server is told.
  private func conclude(_ call: ClientCall, _ outcome: UnaryOutcome, streamIsOpen: Bool) {
    guard !call.isConcluded else { return }
    call.isConcluded = true
    outcomes[call.stream] = outcome
    let rest = call.response.takeMessages()
    if !rest.isEmpty { leftMessages[call.stream] = rest }
    if streamIsOpen { session?.resetStream(call.stream, HTTP2ErrorCode.cancel) }
  }
}

// MARK: What the session tells

extension ClientConnection {
  private static func at(_ context: UnsafeMutableRawPointer?) -> ClientConnection {
    guard let context else { preconditionFailure("a session without its connection") }
    return Unmanaged<ClientConnection>.fromOpaque(context).takeUnretainedValue()
  }

  private static let handlers = HTTP2Handlers(
    // Servers open no streams here: push is switched off in SETTINGS.
    streamOpened: { _, _ in nil },
    header: { _, stream, name, nameCount, value, valueCount in
      let call = ClientCall.at(stream)
      guard !call.isConcluded else { return }
      call.response.header(
        ByteSlice(name, count: nameCount), ByteSlice(value, count: valueCount))
    },
    headersEnded: { context, stream, flags in
      let isTooLarge = flags & HTTP2BlockFlags.tooLarge != 0
      ClientConnection.at(context).step(stream) { $0.headersEnded(isTooLarge: isTooLarge) }
    },
    data: { context, stream, bytes, count in
      let connection = ClientConnection.at(context)
      connection.session?.consume(ClientCall.at(stream).stream, count: count)
      connection.step(stream) { $0.data(UnsafeRawBufferPointer(start: bytes, count: count)) }
    },
    streamEnded: { context, stream in
      let isSent = ClientCall.at(stream).isSent
      ClientConnection.at(context).step(stream, streamIsOpen: !isSent) { $0.streamEnded() }
    },
    streamClosed: { context, stream, errorCode in
      ClientConnection.at(context).streamClosed(ClientCall.at(stream), errorCode)
    },
    readBody: { _, stream, buffer, capacity, end in
      ClientCall.at(stream).readBody(buffer, capacity, end)
    },
    goAway: { context, lastStream, errorCode in
      ClientConnection.at(context).goAway(lastStream, errorCode)
    })

  private func step(
    _ address: UnsafeMutableRawPointer, streamIsOpen: Bool = true,
    _ event: (inout CallResponse) -> UnaryOutcome?
  ) {
    let call = ClientCall.at(address)
    guard !call.isConcluded, let outcome = event(&call.response) else { return }
    conclude(call, outcome, streamIsOpen: streamIsOpen)
  }

  private func streamClosed(_ call: ClientCall, _ errorCode: UInt32) {
    if !call.isConcluded {
      let outcome = call.response.streamReset(
        errorCode: errorCode, deadlineHasPassed: call.deadlineNanoseconds <= nowNanoseconds)
      conclude(call, outcome, streamIsOpen: false)
    }
    calls[call.stream] = nil
  }

  private func goAway(_ lastStream: Int32, _ errorCode: UInt32) {
    let reason = StatusMapping.name(resetCode: errorCode)
    refusal = CallFailure(.unavailable, "the server is closing the connection: \(reason)")
    for call in calls.values where call.stream > lastStream {
      let failure = CallFailure(
        .unavailable, "the server closed the connection before this call: \(reason)")
      conclude(call, .failure(FailedCall(failure, origin: .connection)), streamIsOpen: false)
    }
  }
}
