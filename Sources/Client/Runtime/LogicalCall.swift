internal import Core
internal import Policies

/// Where the answer of a call goes. Called on the loop; `ended` exactly once, and last.
protocol CallSink: AnyObject, Sendable {
  func received(_ message: [UInt8])
  /// Bytes of requests are no longer held by the client.
  func sent(_ byteCount: Int)
  func ended(_ error: RPCError?)
}

/// One call as its caller sees it, with all its attempts. It ends exactly once.
///
/// What is to be done is decided by `CallAttempts`; this does it.
final class LogicalCall: @unchecked Sendable {
  // Unchecked: made by its caller and handed to the loop; everything that varies is touched there
  // only.
  private enum State { case new, running, ended }

  let head: CallHead
  let ringKey: UInt64
  let runtime: ClientRuntime
  private var state = State.new
  private var sink: (any CallSink)?
  private var isCancelled = false
  private var startNanoseconds: UInt64 = 0
  private var deadlineTimer: LoopTimers.ID?
  private var attemptTimer: LoopTimers.ID?

  private var requests: RequestLog
  private var policy: CallAttempts?
  /// Attempts under way, few.
  private var live: [Attempt] = []
  /// Where attempts went that failed: others are wanted.
  private var avoided = EndpointSet()
  /// Of unary calls: the message of each attempt that has one.
  private var messages: [Int: [UInt8]] = [:]
  private var lastEnd = AttemptEnd.ok
  private var isCommitted = false

  init(_ runtime: ClientRuntime, _ head: CallHead, ringKey: UInt64) {
    self.runtime = runtime
    self.head = head
    self.ringKey = ringKey
    requests = RequestLog(isBounded: !head.method.hasOneRequest)
  }

  // MARK: What its caller does, on the loop

  /// Begins with the first message.
  func begin(_ message: OutgoingMessage, isOnly: Bool, sink: any CallSink) {
    guard state == .new else { return }
    self.sink = sink
    startNanoseconds = runtime.nowNanoseconds
    state = .running
    requests.append(message, isLast: isOnly)
    if isCancelled { return conclude(LogicalCall.cancelled) }
    if let refusal = runtime.enlist(self) { return conclude(refusal) }
    guard runtime.policies.admits(now: startNanoseconds) else {
      runtime.metrics.count(.throttled)
      let text = "turned away by this client, for its servers turn most calls away"
      return conclude(RPCError(.resourceExhausted, text))
    }
    deadlineTimer = runtime.timers.at(head.deadlineNanoseconds) { [weak self] in
      self?.deadlineTimer = nil
      self?.handle(.deadline)
    }
    policy = runtime.policies.attempts(head)
    handle(.start)
  }

  /// One more message, or nil; `isLast`: no more will follow.
  func send(_ message: OutgoingMessage?, isLast: Bool) {
    guard state == .running, !requests.isFinished else { return }
    requests.append(message, isLast: isLast)
    for attempt in live {
      if let carrier = attempt.carrier {
        carrier.send(message, isLast: isLast, of: attempt)
      } else {
        attempt.append(message, isLast: isLast)
      }
    }
    // What cannot be sent anew stays where it is.
    if requests.messages == nil, let attempt = live.first { commit(attempt) }
  }

  /// The caller has read this much of a streamed answer.
  func taken(_ byteCount: Int) {
    guard isCommitted, let attempt = live.first else { return }
    attempt.carrier?.taken(byteCount, of: attempt)
  }

  func cancel() {
    isCancelled = true
    handle(.cancel)
  }

  /// Ends it here and now, whatever it is doing.
  func cut(_ error: RPCError) {
    guard state == .running else { return }
    for attempt in live { drop(attempt, .unknown) }
    conclude(error)
  }

  static let cancelled = RPCError(.cancelled, "the caller has cancelled the call")
  static let late = RPCError(.deadlineExceeded, "no answer within the timeout")

  // MARK: Attempts

  private func handle(_ event: CallAttempts.Event) {
    guard state == .running, var policy else { return }
    let actions = runtime.policies.handle(event, &policy, now: runtime.nowNanoseconds)
    self.policy = policy
    let isLate = actions.conclusion == .deadlineExceeded
    for index in actions.cancel {
      guard let attempt = live.first(where: { $0.index == index }) else { continue }
      if actions.conclusion != .cancelled { recordLatency(attempt) }
      drop(attempt, isLate ? .failure : .unknown)
    }
    if let timer = actions.timer { setTimer(timer) }
    switch actions.conclusion {
    case .attempt(let index):
      if lastEnd.code == .ok, let message = messages[index] { sink?.received(message) }
      conclude(lastEnd.error)
    case .cancelled: conclude(LogicalCall.cancelled)
    case .deadlineExceeded: conclude(LogicalCall.late)
    case nil: if let start = actions.start { self.start(start) }
    }
  }

  private func setTimer(_ instant: UInt64) {
    runtime.timers.cancel(attemptTimer)
    attemptTimer = runtime.timers.at(instant) { [weak self] in
      self?.attemptTimer = nil
      self?.handle(.timer)
    }
  }

  private func start(_ start: CallActions.Start) {
    let attempt = Attempt(
      head, index: start.index, previousAttempts: start.previousAttempts,
      placedNanoseconds: runtime.nowNanoseconds, first: requests.messages ?? [],
      firstAreAll: requests.isFinished, owner: self)
    if !live.isEmpty {
      runtime.metrics.count(.hedge)
      for other in live { if let endpoint = other.endpoint { avoided.insert(endpoint) } }
    } else if start.previousAttempts > 0 {
      runtime.metrics.count(.retry)
    }
    runtime.metrics.count(.attempt)
    live.append(attempt)
    runtime.pool?.place(attempt, key: ringKey, avoiding: avoided)
  }

  /// Of an attempt that nobody wants any more.
  private func drop(_ attempt: Attempt, _ verdict: OutlierEjection.Outcome) {
    live.removeAll { $0 === attempt }
    attempt.owner = nil
    runtime.pool?.withdraw(attempt)
    runtime.pool?.ended(attempt, verdict)
  }

  private func recordLatency(_ attempt: Attempt) {
    runtime.policies.took(
      head.method, nanoseconds: runtime.nowNanoseconds - attempt.placedNanoseconds)
  }

  private func commit(_ attempt: Attempt) {
    guard !isCommitted else { return }
    isCommitted = true
    requests.forget()
    handle(.firstMessage(attempt.index))
  }

  private func conclude(_ error: RPCError?) {
    guard state == .running else { return }
    state = .ended
    runtime.timers.cancel(deadlineTimer)
    runtime.timers.cancel(attemptTimer)
    requests.forget()
    messages = [:]
    let code = error.map { StatusCode($0.code) } ?? .ok
    runtime.metrics.ended(
      head.method, code, nanoseconds: runtime.nowNanoseconds - startNanoseconds)
    sink?.ended(error)
    sink = nil
    runtime.delist(self)
  }
}

extension LogicalCall: AttemptOwner {
  func attempt(_ attempt: Attempt, received message: [UInt8]) {
    guard state == .running else { return }
    if head.method.isUnary {
      messages[attempt.index] = message
    } else {
      commit(attempt)
      sink?.received(message)
    }
  }

  func attempt(_ attempt: Attempt, sent messageCount: Int) {
    guard state == .running else { return }
    attempt.sentMessages += messageCount
    let released = requests.release(through: attempt.sentMessages)
    if released > 0 { sink?.sent(released) }
  }

  func attempt(_ attempt: Attempt, ended end: AttemptEnd) {
    finish(attempt, end.verdict)
    guard state == .running else { return }
    if end.code == .ok { recordLatency(attempt) }
    if end.origin == .server {
      runtime.policies.answered(end.code, now: runtime.nowNanoseconds)
    }
    lastEnd = end
    handle(.attemptEnded(attempt.index, end.outcome))
  }

  func attempt(_ attempt: Attempt, wasNotStarted why: AttemptEnd, isRefusal: Bool) {
    finish(attempt, .unknown)
    guard state == .running else { return }
    lastEnd = why
    handle(.attemptEnded(attempt.index, isRefusal ? .refused : .notStarted))
  }

  private func finish(_ attempt: Attempt, _ verdict: OutlierEjection.Outcome) {
    live.removeAll { $0 === attempt }
    attempt.owner = nil
    if verdict == .failure, let endpoint = attempt.endpoint { avoided.insert(endpoint) }
    runtime.pool?.ended(attempt, verdict)
  }
}

/// The requests of one call: what further attempts would send, and what is charged for.
struct RequestLog {
  /// Nil when they were let go: too many, or an answer has come.
  private(set) var messages: [OutgoingMessage]? = []
  private(set) var isFinished = false
  private let isBounded: Bool
  private var bytes = 0
  /// Of messages that no attempt has sent yet, from `releasedCount` on.
  private var charges: [Int] = []
  private var releasedCount = 0

  init(isBounded: Bool) {
    self.isBounded = isBounded
  }

  mutating func append(_ message: OutgoingMessage?, isLast: Bool) {
    isFinished = isFinished || isLast
    guard let message else { return }
    charges.append(message.charge)
    bytes += message.bytes.count
    messages?.append(message)
    if isBounded, bytes > Limits.clientReplayBytes { messages = nil }
  }

  mutating func forget() { messages = nil }

  /// An attempt has sent its first `count` messages: the bytes that are free by that.
  mutating func release(through count: Int) -> Int {
    let new = min(count - releasedCount, charges.count)
    guard new > 0 else { return 0 }
    let freed = charges.prefix(new).reduce(0, +)
    charges.removeFirst(new)
    releasedCount += new
    return freed
  }
}
