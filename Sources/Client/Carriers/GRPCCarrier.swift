internal import Core
internal import HTTP2

/// gRPC's framing on one link: a stream per call. Loop-confined.
final class GRPCCarrier: Carrier {
  struct Settings {
    var callsMax: Int
    var responseLimitBytes: Int
    /// Of one streamed answer that its reader has not taken.
    var unreadBytes: Int
    var authority: String
    var userAgent: String
  }

  let settings: Settings
  private let link: Link
  private(set) var openCalls = 0
  /// A server has begun to answer a call.
  private(set) var hasServed = false

  init(_ link: Link, _ settings: Settings) {
    self.link = link
    self.settings = settings
  }

  func serves(_ method: ClientMethod) -> Bool { true }

  var hasRoom: Bool {
    link.isReady && openCalls < settings.callsMax && link.openStreams < link.streamsAllowed
  }

  func start(_ attempt: Attempt, nowNanoseconds: UInt64) {
    let stream = GRPCStream(attempt, self)
    attempt.carrier = self
    attempt.carrierState = stream
    for message in attempt.first { stream.send(message.bytes) }
    if attempt.firstAreAll { stream.finish() }
    openCalls += 1
    guard link.open(stream, headers(attempt, nowNanoseconds)) else {
      openCalls -= 1
      attempt.carrierState = nil
      attempt.carrier = nil
      let why = AttemptEnd(
        .unavailable, "no more calls on this connection", origin: .connection)
      attempt.owner?.attempt(attempt, wasNotStarted: why, isRefusal: false)
      return
    }
  }

  func send(_ message: OutgoingMessage?, isLast: Bool, of attempt: Attempt) {
    guard let stream = stream(attempt) else { return }
    if let message { stream.send(message.bytes) }
    if isLast { stream.finish() }
    stream.resume()
  }

  func cancel(_ attempt: Attempt) {
    guard let stream = stream(attempt) else { return }
    stream.abandon()
    stream.reset(HTTP2ErrorCode.cancel)
  }

  func taken(_ byteCount: Int, of attempt: Attempt) {
    stream(attempt)?.taken(byteCount)
  }

  func drain() {}

  var nowNanoseconds: UInt64 { link.nowNanoseconds }

  private func stream(_ attempt: Attempt) -> GRPCStream? {
    attempt.carrierState as? GRPCStream
  }

  func callIsAnswered() {
    hasServed = true
  }

  /// A stream is gone.
  func callEnded() {
    openCalls -= 1
  }

  private func headers(_ attempt: Attempt, _ nowNanoseconds: UInt64) -> RequestHeaders {
    let head = attempt.head
    var headers = RequestHeaders()
    headers.append(":method", "POST")
    headers.append(":scheme", "http")
    headers.append(":path", "\(head.method.path)")
    headers.append(":authority", settings.authority)
    headers.append("te", "trailers")
    headers.append("content-type", "application/grpc")
    headers.append("user-agent", settings.userAgent)
    let left = head.deadlineNanoseconds - min(nowNanoseconds, head.deadlineNanoseconds)
    headers.append(
      "grpc-timeout", CallTimeout.headerValue(nanoseconds: max(left, 1)), isVolatile: true)
    if head.isBatch { headers.append("crescendo-priority", "batch") }
    if attempt.previousAttempts > 0 {
      headers.append("grpc-previous-rpc-attempts", "\(attempt.previousAttempts)", isVolatile: true)
    }
    for entry in head.metadata { headers.append(entry.name, entry.value, isVolatile: true) }
    return headers
  }
}
