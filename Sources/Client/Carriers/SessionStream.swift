internal import Core
internal import HTTP2
internal import Wire

/// What a session's carrier keeps of an attempt.
final class SessionAttempt {
  let attempt: Attempt
  let context: UInt
  let id: UInt32
  /// Further messages that have not gone.
  var pending: [OutgoingMessage] = []
  /// No more will be added to them.
  var isFinished = false
  var isWaiting = false
  var isConcluded = false

  init(_ attempt: Attempt, context: UInt, id: UInt32) {
    self.attempt = attempt
    self.context = context
    self.id = id
  }
}

/// The stream that a session lives on.
final class SessionStream: LinkStream {
  weak var carrier: SessionCarrier?
  var isResetSent = false
  private var answer = SessionAnswer()
  private var hasTrailers = false

  override func header(_ name: ByteSlice, _ value: ByteSlice) { answer.header(name, value) }

  override func headersEnded(_ flags: UInt32) {
    if answer.isSession {
      hasTrailers = true
      carrier?.trailers(grpcStatus: answer.takeTrailers().grpcStatus)
    } else if let refusal = answer.refusal(
      endsStream: flags & HTTP2BlockFlags.endOfStream != 0)
    {
      carrier?.ended(refusal)
    }
  }

  override func data(_ bytes: UnsafeRawBufferPointer) {
    // Backpressure is credit, never the window (§14).
    consume(bytes.count)
    if answer.isSession { carrier?.received(bytes) }
  }

  override func ended() {
    if !hasTrailers { carrier?.trailers(grpcStatus: nil) }
  }

  override func closed(_ end: StreamEnd) {
    isResetSent = true
    switch end {
    case .code(let code):
      let name = StatusMapping.name(resetCode: code)
      carrier?.ended(
        SessionFailure(.unavailable, "the server reset the session: \(name)"),
        isRefused: code == HTTP2ErrorCode.refusedStream)
    case .notSeen(let reason):
      carrier?.ended(SessionFailure(.unavailable, reason), isRefused: true)
    case .lost(let reason): carrier?.ended(SessionFailure(.unavailable, reason))
    }
  }

  override func readBody(
    _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    carrier?.readBody(buffer, capacity, end) ?? HTTP2Body.failed
  }
}

extension AttemptEnd {
  init(_ end: SessionCallEnd) {
    let pushback = end.record.pushbackMilliseconds
    self.init(
      end.code, end.text.text, origin: end.isLocal ? .client : .server,
      pushbackMilliseconds: pushback == SessionEndRecord.noPushback ? nil : pushback,
      details: Array(end.details.bytes))
  }
}
