import Core

@testable import Policies

/// The rules of `CallAttempts` said a second time, slowly: it keeps everything that happened and
/// looks it all through at each event.
struct PlainCall {
  struct Attempt {
    var previous: Int
    var isRestart = false
    var isLive = true
    var hasSpoken = false
    var wasRefused = false
  }

  /// A moment for the next attempt.
  struct Plan {
    var at: UInt64
    var isServers: Bool
  }

  var rules: CallAttempts.Configuration
  var attempts: [Attempt] = []
  /// In the order in which they failed.
  var failed: [Int] = []
  var plans: [Plan] = []
  var isStopped = false
  var result: CallActions.Conclusion?
  /// Backoffs since the start or the last pushback.
  var backoffs = 0

  /// A6's numbers, for the oracle's own arithmetic.
  var initialDelay: UInt64
  var multiplier: Double
  var maxDelay: UInt64

  var counted: Int { attempts.filter { !$0.isRestart }.count }
  var live: [Int] { attempts.indices.filter { attempts[$0].isLive } }
  var isCommitted: Bool { attempts.contains { $0.hasSpoken } }

  mutating func step(
    _ event: CallAttempts.Event, _ now: UInt64, _ budget: inout PlainBudget,
    _ random: inout SplitMix64
  ) -> CallActions {
    if result != nil { return CallActions() }
    switch event {
    case .cancel: return finish(.cancelled)
    case .deadline: return finish(.deadlineExceeded)
    case .start:
      if !attempts.isEmpty { return CallActions() }
      return now >= rules.deadlineNanoseconds ? finish(.deadlineExceeded) : attempt(now)
    case .firstMessage(let index):
      guard attempts[index].isLive, !isCommitted else { return CallActions() }
      attempts[index].hasSpoken = true
      plans = []
      return losers(but: index)
    case .timer: return timer(now, budget)
    case .attemptEnded(let index, let outcome):
      guard attempts[index].isLive else { return CallActions() }
      attempts[index].isLive = false
      switch outcome {
      case .ok:
        budget.thousandths = min(budget.full, budget.thousandths + budget.gain)
        return finish(.attempt(index))
      case .failed(let code, let pushback):
        return failure(index, code, pushback, now, &budget, &random)
      case .notStarted, .refused:
        let isSecondRefusal = outcome == .refused && attempts.contains { $0.wasRefused }
        if outcome == .refused { attempts[index].wasRefused = true }
        if isCommitted || isSecondRefusal || attempts.filter({ $0.isRestart }).count == 8 {
          return failure(index, .unavailable, nil, now, &budget, &random)
        }
        if now >= rules.deadlineNanoseconds { return finish(.deadlineExceeded) }
        return again(index)
      }
    }
  }

  private mutating func failure(
    _ index: Int, _ code: StatusCode, _ pushback: Int32?, _ now: UInt64,
    _ budget: inout PlainBudget, _ random: inout SplitMix64
  ) -> CallActions {
    let mayRepeat = rules.retryableCodes.contains(code)
    let saysNo = pushback != nil && pushback! < 0
    if mayRepeat || saysNo { budget.thousandths = max(0, budget.thousandths - 1_000) }
    if !mayRepeat || isCommitted { return finish(.attempt(index)) }
    failed.append(index)
    let mayStart =
      !saysNo && !isStopped && counted < rules.maxAttempts && budget.allows
      && now < rules.deadlineNanoseconds
    if !mayStart {
      isStopped = true
      plans = []
      return live.isEmpty ? finish(.attempt(index)) : CallActions()
    }
    var at = now
    if let pushback {
      at = now + UInt64(pushback) * 1_000_000
      backoffs = 0
    } else if rules.hedgeAfterNanoseconds == nil {
      var bound = Double(initialDelay)
      for _ in 0..<backoffs { bound *= multiplier }
      backoffs += 1
      let share = random.next().multipliedFullWidth(by: UInt64(min(bound, Double(maxDelay))))
      at = now + share.high
    } else if let servers = plans.first(where: { $0.isServers }) {
      plans = [servers]
      return CallActions()
    } else {
      return attempt(now)
    }
    let earlier = plans.filter { $0.isServers }.map(\.at)
    plans = [Plan(at: ([at] + earlier).max()!, isServers: pushback != nil)]
    if plans[0].at >= rules.deadlineNanoseconds {
      plans = []
      isStopped = true
      return live.isEmpty ? finish(.attempt(index)) : CallActions()
    }
    var actions = CallActions()
    actions.timer = plans[0].at
    return actions
  }

  private mutating func timer(_ now: UInt64, _ budget: PlainBudget) -> CallActions {
    guard let plan = plans.first else { return CallActions() }
    if now >= rules.deadlineNanoseconds { return finish(.deadlineExceeded) }
    if now < plan.at {
      var actions = CallActions()
      actions.timer = plan.at
      return actions
    }
    if budget.allows { return attempt(now) }
    plans = []
    isStopped = true
    return live.isEmpty ? finish(.attempt(failed.last!)) : CallActions()
  }

  private mutating func attempt(_ now: UInt64) -> CallActions {
    var actions = CallActions()
    actions.start = CallActions.Start(
      index: attempts.count, previousAttempts: counted, previousRestarts: attempts.count - counted)
    attempts.append(Attempt(previous: counted))
    plans = []
    if let delay = rules.hedgeAfterNanoseconds, counted < rules.maxAttempts,
      now + delay < rules.deadlineNanoseconds
    {
      plans = [Plan(at: now + delay, isServers: false)]
      actions.timer = now + delay
    }
    return actions
  }

  private mutating func again(_ index: Int) -> CallActions {
    var actions = CallActions()
    let previous = attempts[index].previous
    attempts.append(Attempt(previous: previous, isRestart: true))
    actions.start = CallActions.Start(
      index: attempts.count - 1, previousAttempts: previous,
      previousRestarts: attempts.count - counted)
    return actions
  }

  private mutating func losers(but winner: Int?) -> CallActions {
    var actions = CallActions()
    for index in live where index != winner {
      actions.cancel.insert(index)
      attempts[index].isLive = false
    }
    return actions
  }

  private mutating func finish(_ conclusion: CallActions.Conclusion) -> CallActions {
    result = conclusion
    var actions = losers(but: nil)
    actions.conclusion = conclusion
    return actions
  }
}

/// `RetryBudget` as numbers.
struct PlainBudget {
  var full: Int
  var gain: Int
  var thousandths: Int

  var allows: Bool { Double(thousandths) > Double(full) / 2 }
}
