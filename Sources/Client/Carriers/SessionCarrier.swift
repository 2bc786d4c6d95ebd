internal import Core
internal import HTTP2
internal import Wire

/// The session framing on one link: one stream for all calls (proto/SESSION.md §7). Loop-confined.
final class SessionCarrier: Carrier {
  struct Settings {
    var authority: String
    var userAgent: String
    /// Of every call: its headers.
    var metadata: [MetadataEntry]
    var bounds: SessionClient.Bounds
    /// Of one streamed answer that its reader has not taken.
    var unreadBytes: Int
  }

  private let link: Link
  private let runtime: ClientRuntime
  private weak var owner: (any CarrierOwner)?
  private let stream = SessionStream()
  private(set) var session: SessionClient
  /// What the session's headers have said for all calls.
  private let sessionMetadata: [MetadataEntry]
  private let unreadBytesMax: Int
  /// The server has answered a call.
  private(set) var hasServed = false
  /// By the contexts of the session's calls.
  private var running: [UInt: SessionAttempt] = [:]
  private var lastContext: UInt = 0
  private var timer: LoopTimers.ID?
  private var isOpened = false
  /// The session's ids of `ClientMethod`s; nil: not served in it.
  private var methods = [UInt16?](repeating: nil, count: ClientMethod.allCases.count)
  private var isOver = false
  /// Attempts whose messages wait for credit, oldest first.
  private var waiting: [SessionAttempt] = []

  init(_ link: Link, _ owner: any CarrierOwner, runtime: ClientRuntime, _ settings: Settings) {
    self.link = link
    self.owner = owner
    self.runtime = runtime
    session = SessionClient(settings.bounds, now: runtime.nowNanoseconds)
    sessionMetadata = settings.metadata
    unreadBytesMax = settings.unreadBytes
    stream.carrier = self
    let headers = RequestHeaders.ofSession(
      authority: settings.authority, userAgent: settings.userAgent, metadata: settings.metadata)
    if !link.open(stream, headers) {
      session.end(SessionFailure(.unavailable, "no more streams on this connection"))
    }
    arm()
  }

  // MARK: Calls

  func serves(_ method: ClientMethod) -> Bool { methods[method.rawValue] != nil }

  var hasRoom: Bool { isOpened && link.isReady && waiting.isEmpty && session.hasRoom() }

  var openCalls: Int { session.openCalls }

  func start(_ attempt: Attempt, nowNanoseconds: UInt64) {
    guard let method = methods[attempt.head.method.rawValue], let first = attempt.first.first
    else { preconditionFailure("what it does not serve is not started") }
    lastContext += 1
    var start = SessionCallStart(
      method: method, work: UInt32(clamping: first.work),
      timeoutMicroseconds: attempt.head.timeoutMicroseconds(now: nowNanoseconds),
      messageBytes: first.bytes.count, context: UnsafeMutableRawPointer(bitPattern: lastContext))
    start.isBatch = attempt.head.isBatch
    start.attempt = UInt8(clamping: attempt.previousAttempts)
    start.isLast = attempt.firstAreAll && attempt.first.count == 1
    start.isUnary = attempt.head.method.isUnary
    let own = attempt.head.metadata.filter { !sessionMetadata.contains($0) }
    let metadata = SessionMetadata.encoded(own.map { ($0.name, $0.value) })
    let begun = metadata.withUnsafeBytes { bytes in
      start.metadata = ByteSlice(bytes)
      return session.begin(start)
    }
    guard let begun else {
      attempt.owner?.attempt(attempt, ended: first.tooLong)
      return
    }
    first.copy(to: begun.message)
    session.seal(now: nowNanoseconds)
    let state = SessionAttempt(attempt, context: lastContext, id: begun.id)
    running[lastContext] = state
    attempt.carrier = self
    attempt.carrierState = state
    stream.resume()
    attempt.owner?.attempt(attempt, sent: 1)
    guard !start.isLast else { return }
    state.pending = Array(attempt.first.dropFirst())
    state.isFinished = attempt.firstAreAll
    sendPending(state)
  }

  func send(_ message: OutgoingMessage?, isLast: Bool, of attempt: Attempt) {
    guard let state = attempt.carrierState as? SessionAttempt else { return }
    if let message { state.pending.append(message) }
    state.isFinished = state.isFinished || isLast
    sendPending(state)
  }

  /// As far as there is credit (D5 to D7); the rest waits its turn.
  private func sendPending(_ state: SessionAttempt) {
    guard !state.isConcluded else { return }
    let now = runtime.nowNanoseconds
    var sent = 0
    defer {
      stream.resume()
      if sent > 0 { state.attempt.owner?.attempt(state.attempt, sent: sent) }
    }
    // No more is asked for than is read: the answers end with those that are on their way.
    while let message = state.pending.first, state.unreadBytes < unreadBytesMax {
      do throws(SessionClient.MessageRefusal) {
        let target = try session.beginMessage(
          state.id, work: UInt32(clamping: message.work),
          isLast: state.isFinished && state.pending.count == 1,
          messageBytes: message.bytes.count)
        message.copy(to: target)
        session.seal(now: now)
        state.pending.removeFirst()
        sent += 1
      } catch {
        switch error {
        case .ended: state.pending = []
        case .noRoom:
          if !state.isWaiting { waiting.append(state) }
          state.isWaiting = true
        case .tooLong:
          session.cancel(state.id, now: now)
          conclude(state, message.tooLong)
        }
        return
      }
    }
    // Nothing happens where the last message has said it.
    if state.isFinished, state.pending.isEmpty { session.halfClose(state.id, now: now) }
  }

  func cancel(_ attempt: Attempt) {
    guard let state = attempt.carrierState as? SessionAttempt else { return }
    session.cancel(state.id, now: runtime.nowNanoseconds)
    forget(state)
    stream.resume()
  }

  /// Answers are bounded by what was asked for, never by the window (§14).
  func taken(_ byteCount: Int, of attempt: Attempt) {
    guard let state = attempt.carrierState as? SessionAttempt else { return }
    let wasHeld = state.unreadBytes >= unreadBytesMax
    state.unreadBytes -= min(byteCount, state.unreadBytes)
    if wasHeld, !state.isWaiting { sendPending(state) }
  }

  func drain() {
    session.drain(now: runtime.nowNanoseconds)
    stream.resume()
  }

  // MARK: What comes

  func received(_ bytes: UnsafeRawBufferPointer) {
    var rest = ByteSlice(bytes)
    takeSteps(&rest)
  }

  func ended(_ reason: SessionFailure, isRefused: Bool = false) {
    session.end(reason, isRefused: isRefused)
    var none = ByteSlice.empty
    takeSteps(&none)
  }

  func trailers(grpcStatus: Int?) {
    _ = session.trailers(grpcStatus: grpcStatus)
    var none = ByteSlice.empty
    takeSteps(&none)
  }

  private func takeSteps(_ bytes: inout ByteSlice) {
    let now = runtime.nowNanoseconds
    while let step = session.next(&bytes, now: now) { take(step) }
    stream.resume()
    if session.isReset, !stream.isResetSent {
      stream.isResetSent = true
      stream.reset(HTTP2ErrorCode.cancel)
    }
    guard session.state == .closed else { return }
    runtime.timers.cancel(timer)
    over("the session has ended")
  }

  private func take(_ step: SessionClientStep) {
    switch step {
    case .opened:
      isOpened = true
      methods = ClientMethod.allCases.map { session.method("\($0.path)") }
      owner?.carrier(self, opening: .opened)
    case .room:
      serveWaiting()
      owner?.carrierHasRoom(self)
    case .message(let context, let message):
      guard let state = state(context) else { return }
      if !state.attempt.head.method.isUnary { state.unreadBytes += message.count }
      state.attempt.owner?.attempt(state.attempt, received: Array(message.bytes))
    case .answered(let context, let message, _):
      guard let state = state(context) else { return }
      state.attempt.owner?.attempt(state.attempt, received: Array(message.bytes))
      conclude(state, .ok)
    case .ended(let context, let end):
      guard let state = state(context) else { return }
      conclude(state, AttemptEnd(end))
    case .notStarted(let context):
      guard let state = state(context) else { return }
      forget(state)
      let why = AttemptEnd(.unavailable, "the server is going away", origin: .connection)
      state.attempt.owner?.attempt(state.attempt, wasNotStarted: why, isRefusal: false)
    case .lost(let context):
      guard let state = state(context) else { return }
      let text = "session failed: \(session.failureText ?? "it has ended")"
      conclude(state, AttemptEnd(.unavailable, text, origin: .connection))
    case .draining: owner?.carrierIsDraining(self)
    case .failed(let failure): over(failure.text, failure.pauseNanoseconds)
    }
  }

  private func serveWaiting() {
    let first = waiting
    waiting = []
    for state in first {
      state.isWaiting = false
      sendPending(state)
    }
  }

  private func over(_ reason: String, _ pauseNanoseconds: UInt64? = nil) {
    guard !isOver else { return }
    isOver = true
    if isOpened {
      owner?.carrierIsOver(self, reason)
    } else {
      owner?.carrier(self, opening: .notSpoken(remembersForNanoseconds: pauseNanoseconds))
    }
  }

  private func state(_ context: UnsafeMutableRawPointer?) -> SessionAttempt? {
    running[UInt(bitPattern: context)]
  }
  private func forget(_ state: SessionAttempt) {
    state.isConcluded = true
    state.pending = []
    state.attempt.carrierState = nil
    running[state.context] = nil
  }

  private func conclude(_ state: SessionAttempt, _ end: AttemptEnd) {
    hasServed = hasServed || end.origin == .server
    forget(state)
    state.attempt.owner?.attempt(state.attempt, ended: end)
  }

  // MARK: What goes, and when

  func readBody(
    _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count = session.output.read(into: buffer, capacity: capacity)
    if session.output.isEmpty, session.endsStream {
      end.pointee = HTTP2Body.endOfStream
      return count
    }
    return count > 0 ? count : HTTP2Body.deferred
  }

  /// Heartbeat and time-outs (§13): looked at when they may be due, not moved with every frame.
  private func arm() {
    guard session.state != .closed else { return }
    timer = runtime.timers.at(session.nextDue) { [weak self] in
      guard let self else { return }
      session.tick(now: runtime.nowNanoseconds)
      var none = ByteSlice.empty
      takeSteps(&none)
      arm()
    }
  }
}
