internal import CNghttp2
package import Core
internal import Glibc

/// The address of a session's state: what every nghttp2 callback is given.
struct SessionState {
  var native: OpaquePointer?
  var handlers: HTTP2Handlers
  var context: UnsafeMutableRawPointer?
  var limits: HTTP2Limits
  /// Of the block that is being received.
  var headerBytes = 0
  var headerCount = 0
  var blockIsTooLarge = false
  /// The highest stream that the peer has opened.
  var highestStream: Int32 = 0
  /// What our GOAWAY named: streams above it are ignored.
  var lastStreamTaken = Int32.max
  /// Streams that we reset last: late frames for them are not the peer's fault.
  var recentlyReset = InlineArray<128, Int32>(repeating: 0)
  var recentlyResetNext = 0
}

/// An HTTP/2 connection without I/O: bytes in, handler calls and bytes out, over nghttp2.
///
/// One thread at a time. `receive` takes all bytes it is given; after it, `nextOutput` is drained
/// into the owner's buffer. Windows are given back by hand (`consume`), also for streams that are
/// gone. Rules and their measurements: nghttp2 1.52 retains closed streams up to
/// MAX_CONCURRENT_STREAMS, so that is kept small; RFC 7540 priorities stay on, because without
/// them several malformed frames get no answer.
package struct HTTP2Session: @unchecked Sendable {
  // Unchecked: an address; its owner keeps it on one thread at a time.
  let state: UnsafeMutablePointer<SessionState>

  /// What went wrong with the whole connection: close it, nothing more can be said on it.
  package struct ConnectionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// nghttp2's number, negative.
    package let code: Int32
    package var description: String { String(cString: nghttp2_strerror(code)) }
    /// The peer does not speak HTTP/2 (for example HTTP/1.1).
    package var isBadPreface: Bool { code == NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue }
  }

  package enum Role: Sendable { case server, client }

  /// A session whose SETTINGS are queued. `memory` may serve many sessions of the same thread and
  /// outlives them; nil: malloc.
  package init(
    _ role: Role, handlers: HTTP2Handlers, context: UnsafeMutableRawPointer?, limits: HTTP2Limits,
    memory: HTTP2Memory?
  ) throws(ConnectionError) {
    state = .allocate(capacity: 1)
    state.initialize(to: SessionState(handlers: handlers, context: context, limits: limits))
    var native: OpaquePointer?
    let status =
      switch role {
      case .server:
        nghttp2_session_server_new3(
          &native, Callbacks.shared.table, state, Callbacks.shared.options, memory?.table)
      case .client:
        nghttp2_session_client_new3(
          &native, Callbacks.shared.table, state, Callbacks.shared.options, memory?.table)
      }
    guard status == 0, let native else {
      state.deinitialize(count: 1)
      state.deallocate()
      throw ConnectionError(code: status)
    }
    state.pointee.native = native
    do throws(ConnectionError) {
      try submitSettings(role)
    } catch {
      destroy()
      throw error
    }
  }

  private func submitSettings(_ role: Role) throws(ConnectionError) {
    let limits = state.pointee.limits
    var entries = [
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
        value: UInt32(clamping: limits.concurrentStreams)),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
        value: UInt32(clamping: limits.streamWindowBytes)),
      nghttp2_settings_entry(
        settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
        value: UInt32(clamping: limits.headerListBytes)),
    ]
    if role == .client {
      entries.append(
        nghttp2_settings_entry(
          settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
    }
    try check(
      nghttp2_submit_settings(
        native, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count))
    try check(
      nghttp2_session_set_local_window_size(
        native, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(clamping: limits.connectionWindowBytes))
    )
  }

  /// Frees the session. Streams that are still open are not reported closed: their owner walks
  /// its own list.
  package func destroy() {
    nghttp2_session_del(state.pointee.native)
    state.deinitialize(count: 1)
    state.deallocate()
  }

  var native: OpaquePointer? { state.pointee.native }

  private func check(_ status: Int32) throws(ConnectionError) {
    if status < 0 { throw ConnectionError(code: status) }
  }

  // MARK: Bytes

  /// Takes bytes from the peer, all of them, and calls the handlers.
  package func receive(_ bytes: UnsafeRawPointer, count: Int) throws(ConnectionError) {
    let taken = nghttp2_session_mem_recv(
      native, bytes.assumingMemoryBound(to: UInt8.self), count)
    guard taken >= 0 else { throw ConnectionError(code: Int32(taken)) }
    precondition(taken == count, "no handler pauses the session, so it takes everything")
  }

  /// The next bytes for the peer, or nil; they live until the next call on this session.
  package func nextOutput() throws(ConnectionError) -> ByteSlice? {
    var data: UnsafePointer<UInt8>?
    let count = nghttp2_session_mem_send(native, &data)
    guard count >= 0 else { throw ConnectionError(code: Int32(count)) }
    return count == 0 ? nil : ByteSlice(data, count: count)
  }

  package var wantsToRead: Bool { nghttp2_session_want_read(native) != 0 }
  package var wantsToWrite: Bool { nghttp2_session_want_write(native) != 0 }

  /// Gives window back, of a stream and of the connection: also for a stream that is gone.
  package func consume(_ stream: Int32, count: Int) {
    guard count > 0 else { return }
    let status = nghttp2_session_consume(native, stream, count)
    precondition(status != NGHTTP2_ERR_INVALID_STATE.rawValue, "windows are consumed by hand")
  }

  /// Gives window back for bytes that are dropped: of the connection, whose other streams need it.
  package func consumeConnection(count: Int) {
    guard count > 0 else { return }
    let status = nghttp2_session_consume_connection(native, count)
    precondition(status != NGHTTP2_ERR_INVALID_STATE.rawValue, "windows are consumed by hand")
  }

  /// As `consume`, of the stream alone: its connection has been given its part already.
  package func consumeStream(_ stream: Int32, count: Int) {
    guard count > 0 else { return }
    let status = nghttp2_session_consume_stream(native, stream, count)
    precondition(status != NGHTTP2_ERR_INVALID_STATE.rawValue, "windows are consumed by hand")
  }

  // MARK: Streams

  /// Sends a response's headers; a body follows from `readBody` unless `endsStream`.
  package func submitResponse(_ stream: Int32, _ block: HTTP2HeaderBlock, endsStream: Bool) {
    submitResponse(stream, block.pairs, block.count, endsStream: endsStream)
  }

  /// As above, with headers that are copied.
  package func submitResponse(_ stream: Int32, _ headers: [HTTP2Header], endsStream: Bool) {
    var pairs = headers.map { $0.native(flags: 0) }
    submitResponse(stream, &pairs, pairs.count, endsStream: endsStream)
  }

  private func submitResponse(
    _ stream: Int32, _ pairs: UnsafeMutablePointer<nghttp2_nv>, _ count: Int, endsStream: Bool
  ) {
    var provider = nghttp2_data_provider()
    provider.read_callback = readBodyCallback
    let status = withUnsafePointer(to: &provider) { provider in
      nghttp2_submit_response(native, stream, pairs, count, endsStream ? nil : provider)
    }
    if status != 0 { resetStream(stream, HTTP2ErrorCode.internalError) }
  }

  /// Queues trailers; from within `readBody` when it answers `.trailersFollow`.
  package func submitTrailers(_ stream: Int32, _ block: HTTP2HeaderBlock) {
    let status = nghttp2_submit_trailer(native, stream, block.pairs, block.count)
    if status != 0 { resetStream(stream, HTTP2ErrorCode.internalError) }
  }

  package func submitTrailers(_ stream: Int32, _ headers: [HTTP2Header]) {
    var pairs = headers.map { $0.native(flags: 0) }
    let status = nghttp2_submit_trailer(native, stream, &pairs, pairs.count)
    if status != 0 { resetStream(stream, HTTP2ErrorCode.internalError) }
  }

  /// Starts a request (client); `stream` is what the handlers will be given.
  package func submitRequest(
    _ headers: [HTTP2Header], stream: HTTP2Handlers.Stream, hasBody: Bool
  ) throws(ConnectionError) -> Int32 {
    var pairs = headers.map { $0.native(flags: 0) }
    var provider = nghttp2_data_provider()
    provider.read_callback = readBodyCallback
    let id = withUnsafePointer(to: &provider) { provider in
      nghttp2_submit_request(
        native, nil, &pairs, pairs.count, hasBody ? provider : nil, stream)
    }
    try check(id)
    return id
  }

  /// As above, with headers that are neither copied nor converted: for a client that says the same
  /// thing very often.
  package func submitRequest(
    _ block: HTTP2HeaderBlock, stream: HTTP2Handlers.Stream
  ) throws(ConnectionError) -> Int32 {
    var provider = nghttp2_data_provider()
    provider.read_callback = readBodyCallback
    let id = nghttp2_submit_request(native, nil, block.pairs, block.count, &provider, stream)
    try check(id)
    return id
  }

  /// SETTINGS_MAX_CONCURRENT_STREAMS of the peer; 100 until it has told.
  package var remoteConcurrentStreams: Int {
    Int(
      nghttp2_session_get_remote_settings(native, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
  }

  /// `readBody` had answered `deferred`, and has something now.
  package func resumeBody(_ stream: Int32) {
    // INVALID_ARGUMENT: the stream is gone or was not deferred; there is nothing to resume.
    _ = nghttp2_session_resume_data(native, stream)
  }

  /// Whether the peer takes bytes of this stream's body; without that, nor its trailers will go.
  package func hasWindow(_ stream: Int32) -> Bool {
    nghttp2_session_get_stream_remote_window_size(native, stream) > 0
      && nghttp2_session_get_remote_window_size(native) > 0
  }

  package func resetStream(_ stream: Int32, _ errorCode: UInt32) {
    // Only out-of-memory can fail here, and then the next receive or nextOutput fails too.
    _ = nghttp2_submit_rst_stream(native, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, errorCode)
  }

  // MARK: The connection's end

  /// Queues a PING: a peer that lives answers, and so something is received.
  package func submitPing() {
    // Only out-of-memory can fail here, and then the next receive or nextOutput fails too.
    _ = nghttp2_submit_ping(native, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
  }

  /// GOAWAY that names no last stream: the peer learns of the end before new streams are refused.
  package func submitShutdownNotice() throws(ConnectionError) {
    try check(nghttp2_submit_shutdown_notice(native))
  }

  /// GOAWAY after the last stream that was taken; open streams finish.
  package func submitGoAway(_ errorCode: UInt32 = HTTP2ErrorCode.noError)
    throws(ConnectionError)
  {
    let last = nghttp2_session_get_last_proc_stream_id(native)
    try check(
      nghttp2_submit_goaway(native, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, errorCode, nil, 0))
    state.pointee.lastStreamTaken = last
  }

  /// GOAWAY and the end of all streams.
  package func terminate(_ errorCode: UInt32) throws(ConnectionError) {
    try check(nghttp2_session_terminate_session(native, errorCode))
  }
}
