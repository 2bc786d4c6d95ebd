package import Core

/// One logical call as several attempts: the retry and the hedging policy of gRPC A6, transparent
/// retries included. A pure value: an event in, actions out; O(1), no allocation. One of a call's
/// life: `start`, events of its attempts, one conclusion.
///
/// Without `hedgeAfterNanoseconds` an attempt that failed is repeated after a delay. With it
/// another attempt is sent when so much time is over, or at once when one has failed; the first OK
/// wins, and the others are cancelled.
///
/// Whoever runs it keeps the outcome of the attempt that failed last: it may become the result.
package struct CallAttempts: Sendable {
  package struct Configuration: Sendable {
    /// 1 to `Limits.callAttempts`; more is that many, as A6 has it.
    package var maxAttempts: Int
    /// Codes after which the call may be tried again (A6: `retryableStatusCodes`, and
    /// `nonFatalStatusCodes` of hedging): of a method that changes nothing UNAVAILABLE, else none.
    package var retryableCodes: StatusCodeSet
    package var retryDelay: RetryDelay
    /// Nil: retries, no hedges. Only for methods that change nothing.
    package var hedgeAfterNanoseconds: UInt64?
    /// No attempt starts then or later; `distantFutureNanoseconds`: there is none.
    package var deadlineNanoseconds: UInt64

    package init(
      maxAttempts: Int = 1, retryableCodes: StatusCodeSet = [],
      retryDelay: RetryDelay = RetryDelay(), hedgeAfterNanoseconds: UInt64? = nil,
      deadlineNanoseconds: UInt64 = distantFutureNanoseconds
    ) {
      precondition(maxAttempts >= 1)
      self.maxAttempts = min(maxAttempts, Limits.callAttempts)
      self.retryableCodes = retryableCodes
      self.retryDelay = retryDelay
      self.hedgeAfterNanoseconds = hedgeAfterNanoseconds
      self.deadlineNanoseconds = deadlineNanoseconds
    }
  }

  package enum Outcome: Sendable, Equatable {
    case ok
    /// `pushbackMilliseconds`: what the server said; negative or unreadable is −1, do not retry.
    case failed(StatusCode, pushbackMilliseconds: Int32?)
    /// It surely never reached a handler, by the other end's word or because it was not sent:
    /// GOAWAY below its stream, a session's DRAIN below its call (proto/SESSION.md, L1). Sent again
    /// at once, `Limits.callRestarts` times a call, then it is UNAVAILABLE.
    case notStarted
    /// The same by REFUSED_STREAM, which costs the server more: once a call, as A6 has it.
    case refused
  }

  package enum Event: Sendable, Equatable {
    case start
    case attemptEnded(Int, Outcome)
    /// The first part of an answer of several was given to the caller, or the call's own messages
    /// were let go: from now on only this attempt counts, and nothing is repeated.
    case firstMessage(Int)
    case timer
    /// The caller wants no answer any more.
    case cancel
    /// The deadline has come, by whoever watches it: nothing is left of it that is worth sending.
    case deadline
  }

  private enum Phase { case created, running, concluded }

  let configuration: Configuration
  private var phase = Phase.created
  var live = AttemptSet()
  /// Indexes given out, restarts included; and of them attempts that count.
  private var startedCount = 0
  var countedCount = 0
  private var restartCount = 0
  private var wasRefused = false
  /// Attempts that count before each attempt, by index.
  private var previous = SIMD16<UInt8>()
  private var isCommitted = false
  /// No new attempt any more, whatever fails: the server or the budget said so.
  var isFrozen = false
  /// When the next attempt is due, and whether a server chose that moment.
  var due: UInt64?
  var isDueByPushback = false
  private var lastFailed = 0
  var retryDelay: RetryDelay

  package init(_ configuration: Configuration) {
    self.configuration = configuration
    retryDelay = configuration.retryDelay
  }

  /// Attempts under way.
  package var liveAttempts: AttemptSet { live }
  package var isConcluded: Bool { phase == .concluded }

  /// `budget` is the server name's: it learns how attempts ended, and is asked before each further
  /// one. An event of an attempt that was never given out is a caller's bug.
  ///
  /// Legal and dropped, because they cross with what was decided here: any event behind the
  /// conclusion; a second `start`; a `timer` when none is wanted; an end or a first message of an
  /// attempt that has ended or was cancelled. A second first message changes nothing.
  package mutating func handle(
    _ event: Event, now: UInt64, budget: inout RetryBudget, random: inout SplitMix64
  ) -> CallActions {
    var actions = CallActions()
    switch (phase, event) {
    case (.concluded, _), (.running, .start), (.created, .timer): break
    case (.created, .start):
      phase = .running
      if now < configuration.deadlineNanoseconds {
        startNext(now: now, &actions)
      } else {
        conclude(.deadlineExceeded, &actions)
      }
    case (_, .cancel): conclude(.cancelled, &actions)
    case (_, .deadline): conclude(.deadlineExceeded, &actions)
    case (.running, .timer): fire(now: now, &budget, &actions)
    case (_, .firstMessage(let index)):
      if isLive(index) { commit(index, &actions) }
    case (_, .attemptEnded(let index, let outcome)):
      guard isLive(index) else { break }
      live.remove(index)
      end(index, outcome, now: now, &budget, &random, &actions)
    }
    return actions
  }

  private func isLive(_ index: Int) -> Bool {
    precondition((0..<startedCount).contains(index), "no such attempt")
    return live.contains(index)
  }
}

// MARK: Attempts

extension CallAttempts {
  private mutating func end(
    _ index: Int, _ outcome: Outcome, now: UInt64, _ budget: inout RetryBudget,
    _ random: inout SplitMix64, _ actions: inout CallActions
  ) {
    switch outcome {
    case .ok:
      budget.recordSuccess()
      conclude(.attempt(index), &actions)
    case .notStarted where mayRestart: restart(index, now: now, &actions)
    case .refused where mayRestart && !wasRefused:
      wasRefused = true
      restart(index, now: now, &actions)
    case .notStarted, .refused:
      fail(index, .unavailable, nil, now: now, &budget, &random, &actions)
    case .failed(let code, let pushback):
      fail(index, code, pushback, now: now, &budget, &random, &actions)
    }
  }

  private var mayRestart: Bool { !isCommitted && restartCount < Limits.callRestarts }

  /// Not an attempt, and none of the budget's business: it takes the place of the one that was
  /// not started.
  private mutating func restart(_ index: Int, now: UInt64, _ actions: inout CallActions) {
    guard now < configuration.deadlineNanoseconds else {
      return conclude(.deadlineExceeded, &actions)
    }
    restartCount += 1
    send(previousAttempts: Int(previous[index]), &actions)
  }

  private mutating func fail(
    _ index: Int, _ code: StatusCode, _ pushback: Int32?, now: UInt64,
    _ budget: inout RetryBudget, _ random: inout SplitMix64, _ actions: inout CallActions
  ) {
    let isRetryable = configuration.retryableCodes.contains(code)
    let isForbidden = pushback.map { $0 < 0 } ?? false
    if isRetryable || isForbidden { budget.recordFailure() }
    guard isRetryable && !isCommitted else { return conclude(.attempt(index), &actions) }
    lastFailed = index
    if isForbidden || !budget.allowsRetry || countedCount == configuration.maxAttempts
      || now >= configuration.deadlineNanoseconds
    {
      freeze()
    } else if configuration.hedgeAfterNanoseconds == nil {
      planRetry(pushback, now: now, &random, &actions)
    } else {
      planHedge(pushback, now: now, &actions)
    }
    if live.isEmpty && due == nil { conclude(.attempt(index), &actions) }
  }

  private mutating func fire(
    now: UInt64, _ budget: inout RetryBudget, _ actions: inout CallActions
  ) {
    guard let due else { return }
    guard now < configuration.deadlineNanoseconds else {
      return conclude(.deadlineExceeded, &actions)
    }
    guard now >= due else {
      actions.timer = due
      return
    }
    if budget.allowsRetry { return startNext(now: now, &actions) }
    freeze()
    if live.isEmpty { conclude(.attempt(lastFailed), &actions) }
  }

  /// An attempt that counts. The caller has seen to it that there may be one.
  mutating func startNext(now: UInt64, _ actions: inout CallActions) {
    send(previousAttempts: countedCount, &actions)
    countedCount += 1
    due = nil
    isDueByPushback = false
    if let delay = configuration.hedgeAfterNanoseconds,
      countedCount < configuration.maxAttempts
    {
      plan(now.adding(nanoseconds: delay), &actions)
    }
  }

  private mutating func send(previousAttempts: Int, _ actions: inout CallActions) {
    previous[startedCount] = UInt8(previousAttempts)
    live.insert(startedCount)
    actions.start = CallActions.Start(
      index: startedCount, previousAttempts: previousAttempts, previousRestarts: restartCount)
    startedCount += 1
  }

  private mutating func commit(_ index: Int, _ actions: inout CallActions) {
    isCommitted = true
    freeze()
    live.remove(index)
    actions.cancel = live
    live = AttemptSet()
    live.insert(index)
  }

  private mutating func conclude(
    _ conclusion: CallActions.Conclusion, _ actions: inout CallActions
  ) {
    phase = .concluded
    actions.cancel = live
    actions.conclusion = conclusion
    live = AttemptSet()
    freeze()
  }
}
