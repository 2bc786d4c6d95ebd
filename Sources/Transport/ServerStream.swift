internal import Core
internal import EventLoop
internal import HTTP2
internal import Wire

/// One request stream, from its first header until HTTP/2 has forgotten it and nobody holds it.
///
/// Streams live in a slab of their loop and are linked into two lists: their connection's, and,
/// while something is to be done for them after the current read or write, the loop's `touched`
/// list.
struct ServerStream: SlabNode {
  enum Phase: UInt8 {
    /// Headers are arriving.
    case headers
    /// The one message is arriving.
    case message
    /// A service has the call and owes its end.
    case handling
    /// It carries a session, until that has ended.
    case session
    /// The status is decided: what still arrives is dropped.
    case answered
  }

  /// First: services hold the address of this.
  var call: CallState
  var previous: UnsafeMutablePointer<ServerStream>?
  /// In its connection's list; when free, in the slab's.
  var next: UnsafeMutablePointer<ServerStream>?
  var nextTouched: UnsafeMutablePointer<ServerStream>?
  var connection: UnsafeMutablePointer<Connection>
  var id: Int32 = 0
  var phase = Phase.headers
  var isTouched = false
  var isClosed = false
  /// The one message is whole.
  var isComplete = false
  /// The client has ended its half.
  var isHalfClosed = false
  var headers = RequestHeaders()
  var assembler = MessageAssembler(limit: Limits.serving.messageBytes)
  /// Its message may be a campaign file, which has bounds of its own.
  var takesCampaigns = false

  /// Of a stream of messages: bytes that came while reading was paused, and still hold its window.
  var isReadingPaused = false
  var held: UnsafeMutableRawPointer?
  var heldCount = 0
  var heldCapacity = 0

  /// Until the stream is closed, also after the session's end.
  var session: UnsafeMutablePointer<Session>?

  /// Messages that have not gone.
  var outbound = OutboundQueue()
  /// Bytes of buffers that its service holds or that are queued: what its connection is charged.
  var chargedBytes = 0
  var hasSentHeaders = false
  /// HTTP/2 has asked for more of the body, and there was none.
  var isDeferred = false
  /// The service waits for room.
  var wantsWritable = false
  /// Bytes had gone, and when, as the loop's tick saw it last: what a stall is measured from.
  var seenSentBytes = 0
  var progressNanoseconds: UInt64 = 0
  /// The trailers, when they are not plain OK.
  var failure: UnsafeMutablePointer<CallFailure>?

  /// The message that is being handled.
  var message: ByteSlice {
    guard assembler.isCompressed, let inflated = connection.pointee.loop.pointee.inflated else {
      return assembler.message
    }
    return ByteSlice(inflated.baseAddress, count: connection.pointee.loop.pointee.inflatedCount)
  }
}
