internal import Core
package import HTTP2
package import Wire

/// One HTTP/2 connection that carries one session, without I/O and without a clock.
///
/// After `receive` its owner takes every step that `next` has, while the received bytes still are
/// where they were; after anything else that says so, too. After each turn it drains
/// `collectOutput`. One thread at a time.
package final class SessionConnection {
  /// Nil once the connection is over.
  private var http2: HTTP2Session?
  /// Held until the session has given it back.
  private let memory: HTTP2Memory?
  /// The session's own end: calls are begun and cancelled there.
  package var session: SessionClient
  private var stream: Int32 = 0
  private var isDeferred = false
  private var isResetSent = false
  private var hasReceived = false
  /// DATA of the stream whose frames are not taken yet: in the bytes of the last `receive`.
  private var chunks: [ByteSlice] = []
  private var nextChunk = 0
  private var answer = SessionAnswer()
  /// What ends the stream behind the chunks.
  private var end: (failure: SessionFailure, isRefused: Bool)?
  private var trailers: SessionAnswer?
  /// GOAWAY has come: the session lives on, but its owner should open another one (C28).
  package private(set) var isGoingAway = false
  private var nowNanoseconds: UInt64

  /// Says HELLO at once. `authority`: what the server is called by, `HOST:PORT`. `metadata` holds
  /// for all calls. `memory` may serve many connections of the same thread; nil: malloc.
  package init(
    authority: String, options: ClientOptions = ClientOptions(),
    bounds: SessionClient.Bounds = SessionClient.Bounds(), metadata: [MetadataEntry] = [],
    memory: HTTP2Memory? = nil, nowNanoseconds: UInt64
  ) throws(HTTP2Session.ConnectionError) {
    self.nowNanoseconds = nowNanoseconds
    self.memory = memory
    session = SessionClient(bounds, now: nowNanoseconds)
    let http2 = try HTTP2Session(
      .client, handlers: SessionConnection.handlers,
      context: Unmanaged.passUnretained(self).toOpaque(), limits: options.http2, memory: memory)
    self.http2 = http2
    let headers = RequestHeaders.ofSession(
      authority: authority, userAgent: options.userAgent, metadata: metadata)
    do throws(HTTP2Session.ConnectionError) {
      stream = try headers.withHeaders { list throws(HTTP2Session.ConnectionError) in
        try http2.submitRequest(
          list, stream: Unmanaged.passUnretained(self).toOpaque(), hasBody: true)
      }
    } catch {
      http2.destroy()
      self.http2 = nil
      throw error
    }
  }

  deinit {
    http2?.destroy()
  }

  /// Whether nothing more can come of it.
  package var isOver: Bool { http2 == nil || (session.state == .closed && isResetSent) }

  // MARK: Bytes

  /// Takes bytes of the server, all of them; `next` has what they come to.
  package func receive(_ bytes: UnsafeRawBufferPointer, nowNanoseconds: UInt64) {
    self.nowNanoseconds = nowNanoseconds
    guard let http2, let base = bytes.baseAddress, !bytes.isEmpty else { return }
    precondition(chunks.isEmpty, "the steps of what came before are not taken")
    if !hasReceived, let other = ClientConnection.otherProtocol(bytes) {
      return lose("the peer speaks \(other), not plaintext HTTP/2")
    }
    hasReceived = true
    do throws(HTTP2Session.ConnectionError) {
      try http2.receive(base, count: bytes.count)
    } catch {
      lose("the peer broke HTTP/2: \(error)")
    }
  }

  /// The next step of what came; nil when there is none.
  package func next(nowNanoseconds: UInt64) -> SessionClientStep? {
    while nextChunk < chunks.count {
      if let step = session.next(&chunks[nextChunk], now: nowNanoseconds) { return step }
      nextChunk += 1
    }
    chunks.removeAll(keepingCapacity: true)
    nextChunk = 0
    if let trailers {
      self.trailers = nil
      _ = session.trailers(grpcStatus: trailers.grpcStatus)
    }
    if let end {
      self.end = nil
      session.end(end.failure, isRefused: end.isRefused)
    }
    var none = ByteSlice.empty
    return session.next(&none, now: nowNanoseconds)
  }

  /// Appends what there is for the server to `output`, up to about `limitBytes`.
  package func collectOutput(into output: inout [UInt8], limitBytes: Int) {
    guard let http2 else { return }
    if isDeferred, !session.output.isEmpty || session.endsStream {
      isDeferred = false
      http2.resumeBody(stream)
    }
    if session.isReset, !isResetSent {
      isResetSent = true
      http2.resetStream(stream, HTTP2ErrorCode.cancel)
    }
    do throws(HTTP2Session.ConnectionError) {
      while output.count < limitBytes, let bytes = try http2.nextOutput() {
        output.append(contentsOf: bytes.bytes)
      }
    } catch {
      return lose("HTTP/2 failed: \(error)")
    }
    // nghttp2 has said its last word, a GOAWAY: because of what the peer sent, or after it.
    if output.isEmpty, !http2.wantsToRead, !http2.wantsToWrite {
      lose("the connection is closed")
    }
  }

  /// The connection is over: `next` tells of the calls.
  package func lose(_ reason: String) {
    if end == nil { end = (SessionFailure(.unavailable, reason), false) }
    http2?.destroy()
    http2 = nil
  }
}

// MARK: What HTTP/2 tells

extension SessionConnection {
  @inline(__always)
  private static func at(_ context: UnsafeMutableRawPointer?) -> SessionConnection {
    guard let context else { preconditionFailure("a session without its connection") }
    return Unmanaged<SessionConnection>.fromOpaque(context).takeUnretainedValue()
  }

  private static let handlers = HTTP2Handlers(
    // Servers open no streams here: push is switched off in SETTINGS.
    streamOpened: { _, _ in nil },
    header: { context, _, name, nameCount, value, valueCount in
      SessionConnection.at(context).answer.header(
        ByteSlice(name, count: nameCount), ByteSlice(value, count: valueCount))
    },
    headersEnded: { context, _, flags in SessionConnection.at(context).headersEnded(flags) },
    data: { context, _, bytes, count in
      let connection = SessionConnection.at(context)
      // Backpressure is credit, never the window (§14).
      connection.http2?.consume(connection.stream, count: count)
      if connection.answer.isSession {
        connection.chunks.append(ByteSlice(bytes, count: count))
      }
    },
    streamEnded: { context, _ in
      let connection = SessionConnection.at(context)
      // A refusal that ends the stream is no end of a session.
      guard connection.answer.isSession, connection.trailers == nil else { return }
      connection.trailers = SessionAnswer()
    },
    streamClosed: { context, _, errorCode in
      SessionConnection.at(context).streamClosed(errorCode)
    },
    readBody: { context, _, buffer, capacity, end in
      SessionConnection.at(context).readBody(buffer, capacity, end)
    },
    goAway: { context, lastStream, errorCode in
      SessionConnection.at(context).goAway(lastStream, errorCode)
    })

  private func headersEnded(_ flags: UInt32) {
    // Not the library's word for trailers: behind a block of 1xx that is any further block.
    if answer.isSession {
      trailers = answer.takeTrailers()
    } else if end == nil,
      let refusal = answer.refusal(endsStream: flags & HTTP2BlockFlags.endOfStream != 0)
    {
      end = (refusal, false)
    }
  }

  private func streamClosed(_ errorCode: UInt32) {
    isResetSent = true
    guard end == nil, errorCode != HTTP2ErrorCode.noError || trailers == nil else { return }
    let name = StatusMapping.name(resetCode: errorCode)
    end = (
      SessionFailure(.unavailable, "the server reset the session: \(name)"),
      errorCode == HTTP2ErrorCode.refusedStream
    )
  }

  private func goAway(_ lastStream: Int32, _ errorCode: UInt32) {
    isGoingAway = true
    guard lastStream < stream else { return }
    let name = StatusMapping.name(resetCode: errorCode)
    end = (SessionFailure(.unavailable, "the server took no session: GOAWAY \(name)"), true)
  }

  private func readBody(
    _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    if session.output.isEmpty {
      if session.endsStream {
        end.pointee = HTTP2Body.endOfStream
        return 0
      }
      isDeferred = true
      return HTTP2Body.deferred
    }
    let count = session.output.read(into: buffer, capacity: capacity)
    if session.output.isEmpty, session.endsStream { end.pointee = HTTP2Body.endOfStream }
    return count
  }
}
