internal import Core
internal import HTTP2
internal import Wire

/// One attempt as a gRPC stream.
final class GRPCStream: LinkStream {
  private let attempt: Attempt
  private let carrier: GRPCCarrier
  /// Framed messages that have not gone, the first of them from `sentBytes` on.
  private var outgoing: [[UInt8]] = []
  private var sentBytes = 0
  private var isFinished = false
  /// Some of the request has gone into frames: a server may have begun with it.
  private var hasSent = false
  private var isConcluded = false
  private var isGone = false

  private var head = ResponseHead()
  private var messages: ClientMessageStream
  private var messageCount = 0
  private var skippedBytes = 0
  /// Of whole messages that the caller has not taken yet.
  private var unreadBytes = 0
  /// Of the stream's window, not given back yet.
  private var heldBytes = 0

  init(_ attempt: Attempt, _ carrier: GRPCCarrier) {
    self.attempt = attempt
    self.carrier = carrier
    self.messages = ClientMessageStream(limitBytes: carrier.settings.responseLimitBytes)
  }

  // MARK: The request

  func send(_ message: [UInt8]) {
    // A message over 4 GiB cannot be framed: the encoder's own bound is far below.
    guard !isFinished, let framed = ClientFraming.framed(message) else { return }
    outgoing.append(framed)
  }

  func finish() { isFinished = true }

  override func readBody(
    _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var written = 0
    var gone = 0
    while written < capacity, let message = outgoing.first {
      let count = min(capacity - written, message.count - sentBytes)
      message.withUnsafeBytes { source in
        guard let base = source.baseAddress else { return }
        (buffer + written).copyMemory(from: base + sentBytes, byteCount: count)
      }
      written += count
      sentBytes += count
      guard sentBytes == message.count else { break }
      outgoing.removeFirst()
      sentBytes = 0
      gone += 1
    }
    hasSent = hasSent || written > 0
    if gone > 0, !isConcluded { attempt.owner?.attempt(attempt, sent: gone) }
    if outgoing.isEmpty, isFinished {
      end.pointee = HTTP2Body.endOfStream
      return written
    }
    return written > 0 ? written : HTTP2Body.deferred
  }

  // MARK: The answer

  override func header(_ name: ByteSlice, _ value: ByteSlice) {
    guard !isConcluded else { return }
    head.header(name, value)
  }

  override func headersEnded(_ flags: UInt32) {
    carrier.callIsAnswered()
    guard !isConcluded else { return }
    if let failure = head.headersEnded(isTooLarge: flags & HTTP2BlockFlags.tooLarge != 0) {
      conclude(failure, resets: true)
    }
  }

  override func data(_ bytes: UnsafeRawBufferPointer) {
    heldBytes += bytes.count
    defer { giveBack() }
    guard !isConcluded else { return }
    guard head.isGRPC else {
      skippedBytes += bytes.count
      if skippedBytes > carrier.settings.responseLimitBytes {
        conclude(head.withoutStatus, resets: true)
      }
      return
    }
    do throws(CallFailure) {
      try messages.append(bytes) { take($0) }
    } catch {
      conclude(head.failed(error.code, error.message, .client), resets: true)
    }
  }

  private func take(_ message: [UInt8]) {
    guard !isConcluded else { return }
    messageCount += 1
    if attempt.head.method.isUnary {
      if messageCount > 1 {
        let text = "the server answered a unary call with two messages"
        conclude(head.failed(.unimplemented, text, .client), resets: true)
        return
      }
    } else {
      unreadBytes += message.count
    }
    attempt.owner?.attempt(attempt, received: message)
  }

  /// The caller has read some.
  func taken(_ byteCount: Int) {
    unreadBytes -= min(byteCount, unreadBytes)
    giveBack()
  }

  private func giveBack() {
    guard heldBytes > 0, isConcluded || unreadBytes < carrier.settings.unreadBytes else { return }
    consume(heldBytes)
    heldBytes = 0
  }

  override func ended() {
    guard !isConcluded else { return }
    // A server that answers before it has read the request is not told the rest.
    let resets = !(outgoing.isEmpty && isFinished)
    if let failure = head.failure(bodyIsEmpty: messageCount == 0 && messages.isEmpty) {
      conclude(failure, resets: resets)
    } else if !messages.isEmpty {
      let text = "the answer ends in the middle of a message"
      conclude(head.failed(.internalError, text, .connection), resets: resets)
    } else if attempt.head.method.isUnary, messageCount == 0 {
      let text = "the server answered OK without a message"
      conclude(head.failed(.unimplemented, text, .connection), resets: resets)
    } else {
      isConcluded = true
      attempt.carrierState = nil
      if resets { reset(HTTP2ErrorCode.cancel) }
      attempt.owner?.attempt(attempt, ended: .ok)
    }
  }

  override func closed(_ end: StreamEnd) {
    // nghttp2 closes a stream that was not seen a second time.
    if !isGone {
      isGone = true
      carrier.callEnded()
    }
    guard !isConcluded else { return }
    switch end {
    case .code(HTTP2ErrorCode.refusedStream):
      notStarted("the server refused the call", isRefusal: true)
    case .code(let code):
      let isLate = attempt.head.deadlineNanoseconds <= carrier.nowNanoseconds
      conclude(head.reset(errorCode: code, deadlineHasPassed: isLate), resets: false)
    case .notSeen(let reason): notStarted(reason)
    case .lost(let reason):
      // A server begins with a call when its message is there.
      guard hasSent else { return notStarted(reason) }
      conclude(head.failed(.unavailable, reason, .connection), resets: false)
    }
  }

  private func notStarted(_ reason: String, isRefusal: Bool = false) {
    isConcluded = true
    attempt.carrierState = nil
    attempt.owner?.attempt(
      attempt, wasNotStarted: AttemptEnd(.unavailable, reason, origin: .connection),
      isRefusal: isRefusal)
  }

  /// The owner wants to hear no more.
  func abandon() {
    isConcluded = true
    attempt.carrierState = nil
    outgoing = []
    giveBack()
  }

  private func conclude(_ failure: FailedCall, resets: Bool) {
    guard !isConcluded else { return }
    isConcluded = true
    attempt.carrierState = nil
    if resets { reset(HTTP2ErrorCode.cancel) }
    attempt.owner?.attempt(attempt, ended: AttemptEnd(failure))
  }
}

extension AttemptEnd {
  init(_ failed: FailedCall) {
    let origin: RPCError.Origin =
      switch failed.origin {
      case .server: .server
      case .connection: .connection
      case .client: .client
      }
    let details = failed.trailers.first { $0.name == "grpc-status-details-bin" }
    self.init(
      failed.failure.code, failed.failure.message, origin: origin,
      pushbackMilliseconds: failed.failure.retryPushbackMilliseconds,
      // What is no base64 says nothing: details are an addition.
      details: details.flatMap { Base64.decoded(Array($0.value.utf8)) } ?? [])
  }
}
