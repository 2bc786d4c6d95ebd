internal import Core

/// Where the answer of a call goes. Called on the loop; `ended` exactly once, and last.
protocol CallSink: AnyObject, Sendable {
  func received(_ message: [UInt8])
  /// Bytes of requests are no longer held by the client.
  func sent(_ byteCount: Int)
  func ended(_ error: RPCError?)
}

/// One call as its caller sees it, with all its attempts. It ends exactly once.
final class LogicalCall: @unchecked Sendable {
  // Unchecked: made by its caller and handed to the loop; everything that varies is touched there
  // only.
  private enum State { case new, running, ended }

  let head: CallHead
  let ringKey: UInt64
  private let runtime: ClientRuntime
  private var state = State.new
  private var sink: (any CallSink)?
  private var isCancelled = false
  private var startNanoseconds: UInt64 = 0
  private var deadlineTimer: LoopTimers.ID?

  /// Requests so far, for attempts to come; nil once they are too many, or an answer has come.
  private var requests: [OutgoingMessage]? = []
  private var requestBytes = 0
  private var isFinished = false
  private var attempt: Attempt?
  private var restarts = 0

  init(_ runtime: ClientRuntime, _ head: CallHead, ringKey: UInt64) {
    self.runtime = runtime
    self.head = head
    self.ringKey = ringKey
  }

  // MARK: What its caller does, on the loop

  /// Begins with the first message.
  func begin(_ message: OutgoingMessage, isOnly: Bool, sink: any CallSink) {
    guard state == .new else { return }
    self.sink = sink
    startNanoseconds = runtime.nowNanoseconds
    state = .running
    keep(message, isLast: isOnly)
    if isCancelled { return conclude(LogicalCall.cancelled) }
    if let refusal = runtime.enlist(self) { return conclude(refusal) }
    if head.deadlineNanoseconds <= startNanoseconds { return conclude(LogicalCall.late) }
    deadlineTimer = runtime.timers.at(head.deadlineNanoseconds) { [weak self] in
      self?.deadlineHasCome()
    }
    startAttempt()
  }

  /// One more message, or nil; `isLast`: no more will follow.
  func send(_ message: OutgoingMessage?, isLast: Bool) {
    guard state == .running, !isFinished else { return }
    keep(message, isLast: isLast)
    guard let attempt else { return }
    if let carrier = attempt.carrier {
      carrier.send(message, isLast: isLast, of: attempt)
    } else {
      attempt.append(message, isLast: isLast)
    }
  }

  /// The caller has read this much of a streamed answer.
  func taken(_ byteCount: Int) {
    guard let attempt else { return }
    attempt.carrier?.taken(byteCount, of: attempt)
  }

  func cancel() {
    isCancelled = true
    cut(LogicalCall.cancelled)
  }

  /// Ends it here and now, whatever it is doing.
  func cut(_ error: RPCError) {
    guard state == .running else { return }
    conclude(error)
  }

  static let cancelled = RPCError(.cancelled, "the caller has cancelled the call")
  static let late = RPCError(.deadlineExceeded, "no answer within the timeout")

  private func deadlineHasCome() {
    deadlineTimer = nil
    cut(LogicalCall.late)
  }

  private func keep(_ message: OutgoingMessage?, isLast: Bool) {
    isFinished = isFinished || isLast
    guard let message, requests != nil else { return }
    requestBytes += message.bytes.count
    if requestBytes > Limits.clientReplayBytes, !head.method.hasOneRequest {
      requests = nil
    } else {
      requests?.append(message)
    }
  }

  // MARK: Attempts

  private func startAttempt() {
    guard let requests else {
      return conclude(RPCError(.unavailable, "the call cannot be made anew", origin: .connection))
    }
    let attempt = Attempt(
      head, number: 0, first: requests, firstAreAll: isFinished, owner: self)
    self.attempt = attempt
    runtime.metrics.count(.attempt)
    runtime.pool?.place(attempt, key: ringKey)
  }

  private func conclude(_ error: RPCError?) {
    guard state == .running else { return }
    state = .ended
    runtime.timers.cancel(deadlineTimer)
    if let attempt {
      self.attempt = nil
      runtime.pool?.withdraw(attempt)
    }
    requests = nil
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
    guard state == .running, attempt === self.attempt else { return }
    // From here on it cannot be made anew.
    if !head.method.isUnary { requests = nil }
    sink?.received(message)
  }

  func attempt(_ attempt: Attempt, sent byteCount: Int) {
    guard state == .running, attempt === self.attempt else { return }
    sink?.sent(byteCount)
  }

  func attempt(_ attempt: Attempt, ended end: AttemptEnd) {
    guard state == .running, attempt === self.attempt else { return }
    self.attempt = nil
    conclude(end.error)
  }

  func attempt(_ attempt: Attempt, wasNotStarted why: AttemptEnd) {
    guard state == .running, attempt === self.attempt else { return }
    self.attempt = nil
    restarts += 1
    if restarts > 5 { return conclude(why.error) }
    startAttempt()
  }
}
