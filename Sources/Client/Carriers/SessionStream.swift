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
  /// Of whole answers that the caller has not taken yet.
  var unreadBytes = 0
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

extension CallHead {
  /// Of what is left until the deadline, at least one; what the field cannot hold is its largest
  /// value, or 0 where that means none (§10).
  func timeoutMicroseconds(now: UInt64) -> UInt32 {
    let left = max((deadlineNanoseconds - min(now, deadlineNanoseconds)) / 1_000, 1)
    return UInt32(exactly: left) ?? (method.hasOneRequest ? .max : 0)
  }
}

extension OutgoingMessage {
  func copy(to target: UnsafeMutableRawPointer) {
    bytes.withUnsafeBytes { source in
      if let base = source.baseAddress, !source.isEmpty {
        target.copyMemory(from: base, byteCount: source.count)
      }
    }
  }

  var tooLong: AttemptEnd {
    let text = "a message of \(bytes.count) bytes is longer than the server takes"
    return AttemptEnd(.resourceExhausted, text, origin: .client)
  }
}

extension SessionFailure {
  /// How long the next session waits after one that did not open (§2): ten minutes where none is
  /// spoken, a minute where nothing came, which is six times what the opening took, else nil: until
  /// the next connection.
  var pauseNanoseconds: UInt64? {
    if isNotSpoken { return 600_000_000_000 }
    return code == .deadlineExceeded && !isTold ? 60_000_000_000 : nil
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
