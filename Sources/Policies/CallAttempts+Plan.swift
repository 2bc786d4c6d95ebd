internal import Core

/// When the next attempt is due.
extension CallAttempts {
  /// After a failure without hedging: no other attempt is under way.
  mutating func planRetry(
    _ pushback: Int32?, now: UInt64, _ random: inout SplitMix64, _ actions: inout CallActions
  ) {
    guard let delay = retryDelay.next(pushbackMilliseconds: pushback, &random) else { return }
    plan(now.adding(nanoseconds: delay), &actions)
  }

  /// After a failure with hedging: at once, unless a server has asked for time. Of two that asked
  /// both get it.
  mutating func planHedge(_ pushback: Int32?, now: UInt64, _ actions: inout CallActions) {
    guard !isFrozen else { return }
    if let pushback {
      let asked = now.adding(nanoseconds: UInt64(pushback) * 1_000_000)
      let moment = isDueByPushback ? max(due ?? asked, asked) : asked
      isDueByPushback = true
      plan(moment, &actions)
      // What comes before that moment is too early, and there is none behind it.
      if due == nil { freeze() }
    } else if !isDueByPushback {
      startNext(now: now, &actions)
    }
  }

  /// At or behind the deadline no attempt starts, and so nobody waits for it.
  mutating func plan(_ moment: UInt64, _ actions: inout CallActions) {
    due = moment < configuration.deadlineNanoseconds ? moment : nil
    if let due { actions.timer = due }
  }

  mutating func freeze() {
    isFrozen = true
    due = nil
  }
}
