import Core
import Testing

@testable import Policies

/// Events in any order, against the plain oracle and against what holds whatever the rules are.
@Suite struct CallAttemptsRandomTests {
  private static let millisecond: UInt64 = 1_000_000

  /// What the sequences came by, so that none of them tests nothing.
  private struct Seen {
    var events = 0
    var conclusions: [String: Int] = [:]
    var startsByPrevious = [Int](repeating: 0, count: Limits.callAttempts)
    var startsByRestarts = [Int](repeating: 0, count: Limits.callRestarts + 1)
    var liveMax = 0
    var timers = 0
    var cancels = 0
    var delayed = 0
  }

  /// A call, its oracle, and what its runner would know.
  private struct Run {
    var call: CallAttempts
    var plain: PlainCall
    var configuration: CallAttempts.Configuration
    var now: UInt64
    var due: UInt64?
    var started: Set<Int> = []
    var live: Set<Int> = []
    var conclusions = 0
    /// A server that starts nothing.
    var isShunned = false
  }

  private func run(_ random: inout SplitMix64) -> Run {
    let bases: [UInt64] = [1, 8, 1 << 20]
    let initial = bases[Int(random.next() % 3)] * CallAttemptsRandomTests.millisecond
    let multiplier = [1, 1.5, 2, 0.5][Int(random.next() % 4)]
    let longest = initial * [1, 3, 100][Int(random.next() % 3)]
    let hedges: [UInt64?] = [nil, nil, 0, 5, 50]
    let deadlines: [UInt64?] = [nil, nil, 30, 100, 1_000]
    let start = 1 + random.next() % 1_000_000_000
    let configuration = CallAttempts.Configuration(
      maxAttempts: 1 + Int(random.next() % 7),
      retryableCodes: random.next() % 8 == 0 ? [] : [.unavailable, .resourceExhausted],
      retryDelay: RetryDelay(
        initialNanoseconds: initial, multiplier: multiplier, maxNanoseconds: longest),
      hedgeAfterNanoseconds: hedges[Int(random.next() % 5)].map {
        $0 * CallAttemptsRandomTests.millisecond
      },
      deadlineNanoseconds: deadlines[Int(random.next() % 5)].map {
        start + $0 * CallAttemptsRandomTests.millisecond
      } ?? distantFutureNanoseconds)
    let plain = PlainCall(
      rules: configuration, initialDelay: initial, multiplier: multiplier, maxDelay: longest)
    return Run(
      call: CallAttempts(configuration), plain: plain, configuration: configuration, now: start,
      isShunned: random.next() % 8 == 0)
  }

  private func outcome(_ run: Run, _ random: inout SplitMix64) -> CallAttempts.Outcome {
    if run.isShunned && random.next() % 16 > 0 { return .notStarted }
    let pushbacks: [Int32?] = [nil, nil, nil, -1, .min, 0, 7, 40, .max]
    let codes: [StatusCode] = [.unavailable, .unavailable, .resourceExhausted, .internalError]
    switch random.next() % 10 {
    case 0: return .ok
    case 1, 2: return .notStarted
    case 3: return .refused
    default:
      return .failed(
        codes[Int(random.next() % 4)],
        pushbackMilliseconds: pushbacks[Int(random.next() % UInt64(pushbacks.count))])
    }
  }

  private func event(_ run: Run, _ random: inout SplitMix64) -> CallAttempts.Event {
    guard !run.started.isEmpty else {
      return [.timer, .cancel, .deadline, .start, .start, .start, .start, .start][
        Int(random.next() % 8)]
    }
    // One that lives mostly, else any that was ever started.
    let pool = random.next() % 4 > 0 && !run.live.isEmpty ? run.live : run.started
    let index = pool.sorted()[Int(random.next() % UInt64(pool.count))]
    switch random.next() % 40 {
    case 0: return .cancel
    case 1: return .deadline
    case 2: return .start
    case 3: return .firstMessage(index)
    case 4..<16: return .timer
    default: return .attemptEnded(index, outcome(run, &random))
    }
  }

  /// Time stands still, or goes to the edge of what is planned.
  private func advance(_ run: inout Run, _ random: inout SplitMix64) {
    var moments = [run.now, run.now, run.now + random.next() % 20_000_000]
    if let due = run.due { moments += [due, due, due, due - 1, due + 1] }
    if run.configuration.deadlineNanoseconds != distantFutureNanoseconds, random.next() % 4 == 0 {
      moments += [
        run.configuration.deadlineNanoseconds - 1, run.configuration.deadlineNanoseconds,
      ]
    }
    run.now = max(run.now, moments[Int(random.next() % UInt64(moments.count))])
  }

  private func check(_ actions: CallActions, _ run: inout Run, _ seen: inout Seen) -> Bool {
    var isRight = true
    for index in actions.cancel { isRight = isRight && run.live.remove(index) != nil }
    if let start = actions.start {
      isRight = isRight && run.now < run.configuration.deadlineNanoseconds
      isRight = isRight && run.started.insert(start.index).inserted
      isRight = isRight && start.previousAttempts < run.configuration.maxAttempts
      run.live.insert(start.index)
      seen.startsByPrevious[start.previousAttempts] += 1
      seen.startsByRestarts[start.previousRestarts] += 1
    }
    if let timer = actions.timer {
      isRight = isRight && timer < run.configuration.deadlineNanoseconds && timer >= run.now
      run.due = timer
      seen.timers += 1
    }
    if let conclusion = actions.conclusion {
      run.conclusions += 1
      isRight = isRight && actions.start == nil && actions.timer == nil && run.live.isEmpty
      if case .attempt(let index) = conclusion { isRight = isRight && run.started.contains(index) }
    }
    seen.liveMax = max(seen.liveMax, run.live.count)
    seen.cancels += actions.cancel.isEmpty ? 0 : 1
    return isRight && run.call.isConcluded == (run.conclusions == 1) && run.conclusions <= 1
      && run.live == Set(run.call.liveAttempts)
  }

  @Test(arguments: [UInt64(1), 2, 3, 4])
  func eventsInAnyOrder(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var seen = Seen()
    for sequence in 0..<25_000 {
      var run = run(&random)
      let tokens = 1 + Int(random.next() % 8)
      let gain = [0.1, 0.5, 1][Int(random.next() % 3)]
      var budget = RetryBudget(maxTokens: tokens, tokenRatio: gain)
      var plainBudget = PlainBudget(
        full: tokens * 1_000, gain: Int(gain * 1_000), thousandths: tokens * 1_000)
      var delays = SplitMix64(seed: random.next())
      var plainDelays = delays
      for step in 0..<24 {
        // Behind the conclusion three more events, and the last one ends every call.
        if run.conclusions == 1 && step < 20 { continue }
        let event = step == 23 ? .deadline : event(run, &random)
        advance(&run, &random)
        if random.next() % 8 == 0 {
          // Another call of the same server fails.
          budget.recordFailure()
          plainBudget.thousandths = max(0, plainBudget.thousandths - 1_000)
        }
        if case .attemptEnded(let index, _) = event { run.live.remove(index) }
        let actions = run.call.handle(event, now: run.now, budget: &budget, random: &delays)
        let expected = run.plain.step(event, run.now, &plainBudget, &plainDelays)
        let isSame =
          actions == expected && budget.tokens * 1_000 == Double(plainBudget.thousandths)
        try #require(isSame, "\(sequence).\(step): \(event): \(actions), not \(expected)")
        try #require(check(actions, &run, &seen), "\(sequence).\(step): \(event): \(actions)")
        seen.events += 1
        if let conclusion = actions.conclusion { note(conclusion, event, &seen) }
      }
      try #require(run.conclusions == 1)
      try #require(delays.next() == plainDelays.next())
    }
    #expect(seen.events > 150_000, "\(seen.events)")
    #expect(
      seen.conclusions.count == 5 && seen.conclusions.values.allSatisfy { $0 > 100 },
      "\(seen.conclusions)")
    #expect(seen.startsByPrevious.allSatisfy { $0 > 100 }, "\(seen.startsByPrevious)")
    #expect(seen.startsByRestarts.allSatisfy { $0 > 20 }, "\(seen.startsByRestarts)")
    #expect(seen.liveMax == Limits.callAttempts && seen.timers > 10_000 && seen.cancels > 1_000)
  }

  private func note(
    _ conclusion: CallActions.Conclusion, _ event: CallAttempts.Event, _ seen: inout Seen
  ) {
    let name =
      switch (conclusion, event) {
      case (.cancelled, _): "cancelled"
      case (.deadlineExceeded, _): "deadline exceeded"
      case (.attempt, .attemptEnded(_, .ok)): "ok"
      case (.attempt, .timer): "budget gone while waiting"
      case (.attempt, _): "failed"
      }
    seen.conclusions[name, default: 0] += 1
  }
}
