internal import CNghttp2
internal import Core

/// nghttp2's table of callbacks and its options: made once, read by all sessions.
struct Callbacks: @unchecked Sendable {
  // Unchecked: written in `init` and never again; nghttp2 copies or only reads both.
  let table: OpaquePointer?
  let options: OpaquePointer?

  static let shared = Callbacks()

  /// RST_STREAMs of a peer before nghttp2 itself ends the connection: honest gRPC clients reset a
  /// lot (cancellation, deadlines, hedging), and its default of 33 a second would cut them off.
  private static let resetBurst: UInt64 = 200_000

  private init() {
    var table: OpaquePointer?
    var options: OpaquePointer?
    let made = nghttp2_session_callbacks_new(&table) == 0 && nghttp2_option_new(&options) == 0
    precondition(made, "out of memory at start")
    nghttp2_session_callbacks_set_on_begin_frame_callback(table, frameBegan)
    nghttp2_session_callbacks_set_on_begin_headers_callback(table, headersBegan)
    nghttp2_session_callbacks_set_on_header_callback(table, headerReceived)
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, dataReceived)
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, frameReceived)
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table, frameRejected)
    nghttp2_session_callbacks_set_on_frame_send_callback(table, frameSent)
    nghttp2_session_callbacks_set_on_frame_not_send_callback(table, frameNotSent)
    nghttp2_session_callbacks_set_on_stream_close_callback(table, streamClosed)
    nghttp2_option_set_no_auto_window_update(options, 1)
    nghttp2_option_set_stream_reset_rate_limit(
      options, Callbacks.resetBurst, Callbacks.resetBurst)
    // Metadata with blanks around it is legal for gRPC peers; whoever reads a value trims it.
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(options, 1)
    self.table = table
    self.options = options
  }
}

private typealias State = UnsafeMutablePointer<SessionState>

private func recover(_ context: UnsafeMutableRawPointer?) -> State {
  guard let context else { preconditionFailure("a session without its state") }
  return context.assumingMemoryBound(to: SessionState.self)
}

private func stream(_ session: OpaquePointer?, _ id: Int32) -> UnsafeMutableRawPointer? {
  nghttp2_session_get_stream_user_data(session, id)
}

/// A stream id must rise (RFC 9113 §5.1.1); nghttp2 1.52 takes a smaller one for a late frame of
/// a closed stream. Late frames after our own reset are legal, so the last resets are remembered;
/// so are those of streams that crossed our GOAWAY, which nghttp2 has ignored from the start.
private func frameBegan(
  _ session: OpaquePointer?, _ header: UnsafePointer<nghttp2_frame_hd>?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  let state = recover(context)
  guard let header, header.pointee.type == UInt8(NGHTTP2_HEADERS.rawValue),
    nghttp2_session_check_server_session(session) != 0
  else { return 0 }
  let id = header.pointee.stream_id
  if id > state.pointee.highestStream {
    state.pointee.highestStream = id
  } else if id <= state.pointee.lastStreamTaken, isUnopened(session, id),
    !state.pointee.wasReset(id)
  {
    return nghttp2_session_terminate_session(session, HTTP2ErrorCode.protocolError)
  }
  return 0
}

/// Whether nghttp2 knows no such stream, or only because a PRIORITY named it.
private func isUnopened(_ session: OpaquePointer?, _ id: Int32) -> Bool {
  guard let stream = nghttp2_session_find_stream(session, id) else { return true }
  return nghttp2_stream_get_state(stream) == NGHTTP2_STREAM_STATE_IDLE
}

extension SessionState {
  fileprivate func wasReset(_ id: Int32) -> Bool {
    for index in recentlyReset.indices where recentlyReset[index] == id { return true }
    return false
  }

  fileprivate mutating func noteReset(_ id: Int32) {
    if wasReset(id) { return }
    recentlyReset[recentlyResetNext] = id
    recentlyResetNext = (recentlyResetNext + 1) % 128
  }
}

private func headersBegan(
  _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  let state = recover(context)
  state.pointee.headerBytes = 0
  state.pointee.headerCount = 0
  state.pointee.blockIsTooLarge = false
  guard let frame, frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST else { return 0 }
  let id = frame.pointee.hd.stream_id
  guard let opened = state.pointee.handlers.streamOpened(state.pointee.context, id) else {
    // First, for nghttp2's own reset after this answer says INTERNAL_ERROR.
    let status = nghttp2_submit_rst_stream(
      session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, HTTP2ErrorCode.refusedStream)
    guard status == 0 else { return status }
    return Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
  }
  return nghttp2_session_set_stream_user_data(session, id, opened)
}

private func headerReceived(
  _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
  _ name: UnsafePointer<UInt8>?, _ nameCount: Int, _ value: UnsafePointer<UInt8>?,
  _ valueCount: Int, _ flags: UInt8, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  let state = recover(context)
  guard let frame, let name, let value else { return 0 }
  state.pointee.headerBytes += nameCount + valueCount + 32
  state.pointee.headerCount += 1
  if state.pointee.headerBytes > state.pointee.limits.headerListBytes
    || state.pointee.headerCount > state.pointee.limits.headerCount
  {
    state.pointee.blockIsTooLarge = true
    // Far over it, even the calls are too much: nghttp2 resets the stream and stops telling.
    guard state.pointee.headerBytes > 8 * state.pointee.limits.headerListBytes else { return 0 }
    // A client is told why first, for the reset looks like one of the server.
    if nghttp2_session_check_server_session(session) == 0,
      let owner = stream(session, frame.pointee.hd.stream_id)
    {
      state.pointee.handlers.headersEnded(state.pointee.context, owner, HTTP2BlockFlags.tooLarge)
    }
    return Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
  }
  guard let owner = stream(session, frame.pointee.hd.stream_id) else { return 0 }
  state.pointee.handlers.header(
    state.pointee.context, owner, name, nameCount, value, valueCount)
  return 0
}

private func dataReceived(
  _ session: OpaquePointer?, _ flags: UInt8, _ id: Int32, _ bytes: UnsafePointer<UInt8>?,
  _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  let state = recover(context)
  guard let bytes else { return 0 }
  guard let owner = stream(session, id) else {
    // Nobody will take them: the connection's window must not shrink for it.
    _ = nghttp2_session_consume_connection(session, count)
    return 0
  }
  state.pointee.handlers.data(state.pointee.context, owner, bytes, count)
  return 0
}

private func frameReceived(
  _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  let state = recover(context)
  guard let frame else { return 0 }
  let type = nghttp2_frame_type(UInt32(frame.pointee.hd.type))
  if type == NGHTTP2_GOAWAY {
    state.pointee.handlers.goAway(
      state.pointee.context, frame.pointee.goaway.last_stream_id, frame.pointee.goaway.error_code)
    return 0
  }
  guard type == NGHTTP2_HEADERS || type == NGHTTP2_DATA,
    let owner = stream(session, frame.pointee.hd.stream_id)
  else { return 0 }
  let ends = UInt32(frame.pointee.hd.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0
  if type == NGHTTP2_HEADERS {
    var flags = ends ? HTTP2BlockFlags.endOfStream : 0
    if state.pointee.blockIsTooLarge { flags |= HTTP2BlockFlags.tooLarge }
    if frame.pointee.headers.cat == NGHTTP2_HCAT_HEADERS { flags |= HTTP2BlockFlags.trailers }
    state.pointee.handlers.headersEnded(state.pointee.context, owner, flags)
  }
  if ends { state.pointee.handlers.streamEnded(state.pointee.context, owner) }
  return 0
}

/// nghttp2 resets a stream that it will not open (over the maximum), but the reset waits to be
/// sent: frames that came with the refused HEADERS are late already.
private func frameRejected(
  _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ error: Int32,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  guard let frame, nghttp2_frame_type(UInt32(frame.pointee.hd.type)) == NGHTTP2_HEADERS else {
    return 0
  }
  recover(context).pointee.noteReset(frame.pointee.hd.stream_id)
  return 0
}

/// A response that ended before its request did leaves the stream half open for ever in nghttp2:
/// RST_STREAM(NO_ERROR) tells the client that the rest is not wanted (RFC 9113 §8.1).
private func frameSent(
  _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  guard let frame else { return 0 }
  let header = frame.pointee.hd
  let type = nghttp2_frame_type(UInt32(header.type))
  if type == NGHTTP2_RST_STREAM {
    recover(context).pointee.noteReset(header.stream_id)
    return 0
  }
  guard type == NGHTTP2_HEADERS || type == NGHTTP2_DATA,
    UInt32(header.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0,
    nghttp2_session_check_server_session(session) != 0,
    nghttp2_session_get_stream_remote_close(session, header.stream_id) == 0
  else { return 0 }
  return nghttp2_submit_rst_stream(
    session, UInt8(NGHTTP2_FLAG_NONE.rawValue), header.stream_id, HTTP2ErrorCode.noError)
}

/// A response whose headers could not be sent would hang for ever: reset it. A request is closed
/// by nghttp2 itself, and the peer must not hear of a stream that it has never seen.
private func frameNotSent(
  _ session: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ error: Int32,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  guard let frame, nghttp2_frame_type(UInt32(frame.pointee.hd.type)) == NGHTTP2_HEADERS,
    nghttp2_session_check_server_session(session) != 0,
    error != NGHTTP2_ERR_STREAM_CLOSED.rawValue, error != NGHTTP2_ERR_STREAM_CLOSING.rawValue
  else { return 0 }
  return nghttp2_submit_rst_stream(
    session, UInt8(NGHTTP2_FLAG_NONE.rawValue), frame.pointee.hd.stream_id,
    HTTP2ErrorCode.internalError)
}

private func streamClosed(
  _ session: OpaquePointer?, _ id: Int32, _ errorCode: UInt32, _ context: UnsafeMutableRawPointer?
) -> Int32 {
  let state = recover(context)
  guard let owner = stream(session, id) else { return 0 }
  state.pointee.handlers.streamClosed(state.pointee.context, owner, errorCode)
  return 0
}

func readBodyCallback(
  _ session: OpaquePointer?, _ id: Int32, _ buffer: UnsafeMutablePointer<UInt8>?,
  _ capacity: Int, _ flags: UnsafeMutablePointer<UInt32>?,
  _ source: UnsafeMutablePointer<nghttp2_data_source>?, _ context: UnsafeMutableRawPointer?
) -> Int {
  let state = recover(context)
  guard let buffer, let flags, let owner = stream(session, id) else {
    return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
  }
  var end = HTTP2Body.more
  let count = state.pointee.handlers.readBody(
    state.pointee.context, owner, buffer, capacity, &end)
  if count == HTTP2Body.deferred { return Int(NGHTTP2_ERR_DEFERRED.rawValue) }
  guard count >= 0 else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
  if end != HTTP2Body.more { flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
  if end == HTTP2Body.trailersFollow {
    flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
  }
  return count
}
