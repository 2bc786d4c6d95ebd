/// What a session tells its owner while it reads and writes bytes.
///
/// Plain C function pointers, so that a call costs one indirect jump and no reference count.
/// `context` is the session's owner, `stream` what `streamOpened` (server) or `submitRequest`
/// (client) named for that stream. Handlers may submit to the session; they never call
/// `receive`, `nextOutput` or `destroy`. Pointers to bytes live until the handler returns, but
/// for `data`, whose bytes lie in the buffer that was given to `receive`.
package struct HTTP2Handlers: Sendable {
  package typealias Context = UnsafeMutableRawPointer?
  package typealias Stream = UnsafeMutableRawPointer

  /// A peer's new request stream: its owner's pointer, or nil to refuse it (REFUSED_STREAM).
  package var streamOpened: @convention(c) (_ context: Context, _ id: Int32) -> Stream?
  /// One header or trailer, in order.
  package var header:
    @convention(c) (
      _ context: Context, _ stream: Stream, _ name: UnsafeRawPointer, _ nameCount: Int,
      _ value: UnsafeRawPointer, _ valueCount: Int
    ) -> Void
  /// A header block is complete, or (client) so far over its limit that it is read no further.
  /// `flags`: see `HTTP2BlockFlags`.
  package var headersEnded:
    @convention(c) (_ context: Context, _ stream: Stream, _ flags: UInt32) -> Void
  /// Bytes of the body; the window they took is given back with `consume`.
  package var data:
    @convention(c) (_ context: Context, _ stream: Stream, _ bytes: UnsafeRawPointer, _ count: Int)
      -> Void
  /// The peer has ended its half.
  package var streamEnded: @convention(c) (_ context: Context, _ stream: Stream) -> Void
  /// The stream is gone, with an HTTP/2 error code; its pointer is not used again.
  package var streamClosed:
    @convention(c) (_ context: Context, _ stream: Stream, _ errorCode: UInt32) -> Void
  /// Up to `capacity` bytes of our body: how many were written, or `HTTP2Body.deferred` or
  /// `.failed`; what ends with them goes into `end` (`HTTP2Body.more` unless written).
  package var readBody:
    @convention(c) (
      _ context: Context, _ stream: Stream, _ buffer: UnsafeMutableRawPointer, _ capacity: Int,
      _ end: UnsafeMutablePointer<UInt32>
    ) -> Int
  /// The peer will start no stream above `lastStream`.
  package var goAway:
    @convention(c) (_ context: Context, _ lastStream: Int32, _ errorCode: UInt32) -> Void

  package init(
    streamOpened: @convention(c) (Context, Int32) -> Stream?,
    header: @convention(c) (Context, Stream, UnsafeRawPointer, Int, UnsafeRawPointer, Int) -> Void,
    headersEnded: @convention(c) (Context, Stream, UInt32) -> Void,
    data: @convention(c) (Context, Stream, UnsafeRawPointer, Int) -> Void,
    streamEnded: @convention(c) (Context, Stream) -> Void,
    streamClosed: @convention(c) (Context, Stream, UInt32) -> Void,
    readBody:
      @convention(c) (
        Context, Stream, UnsafeMutableRawPointer, Int, UnsafeMutablePointer<UInt32>
      ) -> Int,
    goAway: @convention(c) (Context, Int32, UInt32) -> Void
  ) {
    self.streamOpened = streamOpened
    self.header = header
    self.headersEnded = headersEnded
    self.data = data
    self.streamEnded = streamEnded
    self.streamClosed = streamClosed
    self.readBody = readBody
    self.goAway = goAway
  }
}

/// What `headersEnded` says of a block.
package enum HTTP2BlockFlags {
  /// The stream ends with it.
  package static let endOfStream: UInt32 = 1
  /// It passed `HTTP2Limits.headerListBytes` or `.headerCount`: headers over it were not told.
  package static let tooLarge: UInt32 = 2
  /// A block after the first: trailers.
  package static let trailers: UInt32 = 4
}

/// What `readBody` answers.
package enum HTTP2Body {
  /// Nothing now; `resumeBody` starts it again.
  package static let deferred = -1
  /// The stream is reset.
  package static let failed = -2

  package static let more: UInt32 = 0
  /// The stream ends after these bytes.
  package static let endOfStream: UInt32 = 1
  /// The body ends after these bytes, and trailers, submitted by now, follow.
  package static let trailersFollow: UInt32 = 2
}

/// HTTP/2 error codes that we send or look for (RFC 9113 §7).
package enum HTTP2ErrorCode {
  package static let noError: UInt32 = 0
  package static let protocolError: UInt32 = 1
  package static let internalError: UInt32 = 2
  package static let flowControlError: UInt32 = 3
  package static let refusedStream: UInt32 = 7
  package static let cancel: UInt32 = 8
  package static let enhanceYourCalm: UInt32 = 11
  package static let inadequateSecurity: UInt32 = 12
}

/// The bounds of one session.
package struct HTTP2Limits: Sendable {
  /// SETTINGS_MAX_CONCURRENT_STREAMS that we advertise.
  package var concurrentStreams: Int
  package var streamWindowBytes: Int
  package var connectionWindowBytes: Int
  /// Names + values + 32 each, of one block.
  package var headerListBytes: Int
  package var headerCount: Int

  package init(
    concurrentStreams: Int, streamWindowBytes: Int, connectionWindowBytes: Int,
    headerListBytes: Int, headerCount: Int
  ) {
    self.concurrentStreams = concurrentStreams
    self.streamWindowBytes = streamWindowBytes
    self.connectionWindowBytes = connectionWindowBytes
    self.headerListBytes = headerListBytes
    self.headerCount = headerCount
  }
}
