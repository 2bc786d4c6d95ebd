import Core
import Testing

@testable import Policies

/// One call with its budget and random numbers, driven by hand. Times in milliseconds.
final class Caller {
  private var call: CallAttempts
  private var random = SplitMix64(seed: 7)
  var budget = RetryBudget()

  init(
    attempts: Int = 5, hedgeAfter: UInt64? = nil, deadline: UInt64? = nil,
    retryDelay: RetryDelay = RetryDelay()
  ) {
    call = CallAttempts(
      CallAttempts.Configuration(
        maxAttempts: attempts, retryableCodes: [.unavailable, .resourceExhausted],
        retryDelay: retryDelay, hedgeAfterNanoseconds: hedgeAfter.map { $0 * 1_000_000 },
        deadlineNanoseconds: deadline.map { $0 * 1_000_000 } ?? distantFutureNanoseconds))
  }

  var isConcluded: Bool { call.isConcluded }
  var live: [Int] { Array(call.liveAttempts) }

  func event(_ event: CallAttempts.Event, at milliseconds: UInt64) -> CallActions {
    call.handle(event, now: milliseconds * 1_000_000, budget: &budget, random: &random)
  }

  func ended(_ index: Int, _ outcome: CallAttempts.Outcome, at milliseconds: UInt64) -> CallActions
  {
    event(.attemptEnded(index, outcome), at: milliseconds)
  }
}

func failed(_ code: StatusCode = .unavailable, pushback: Int32? = nil) -> CallAttempts.Outcome {
  .failed(code, pushbackMilliseconds: pushback)
}

extension CallActions {
  static func start(_ index: Int, previous: Int, restarts: Int = 0, timer: UInt64? = nil) -> Self {
    var actions = CallActions()
    actions.start = Start(index: index, previousAttempts: previous, previousRestarts: restarts)
    actions.timer = timer.map { $0 * 1_000_000 }
    return actions
  }

  static func timer(_ milliseconds: UInt64) -> Self {
    var actions = CallActions()
    actions.timer = milliseconds * 1_000_000
    return actions
  }

  static func cancel(_ indexes: [Int]) -> Self {
    var actions = CallActions()
    for index in indexes { actions.cancel.insert(index) }
    return actions
  }

  static func conclude(_ conclusion: Conclusion, cancelling indexes: [Int] = []) -> Self {
    var actions = cancel(indexes)
    actions.conclusion = conclusion
    return actions
  }

  static let nothing = CallActions()
}

@Suite struct CallAttemptsRetryTests {
  @Test func aCallThatSucceedsIsOneAttempt() {
    let call = Caller()
    #expect(call.event(.start, at: 0) == .start(0, previous: 0))
    #expect(call.live == [0] && !call.isConcluded)
    #expect(call.ended(0, .ok, at: 1) == .conclude(.attempt(0)))
    #expect(call.live == [] && call.isConcluded)
  }

  @Test func failuresAreRepeatedAfterTheirDelay() throws {
    let call = Caller(
      attempts: 3,
      retryDelay: RetryDelay(
        initialNanoseconds: 10_000_000, multiplier: 2, maxNanoseconds: 15_000_000))
    var random = SplitMix64(seed: 7)
    _ = call.event(.start, at: 0)
    let first = random.next().multipliedFullWidth(by: 10_000_000).high
    #expect(call.ended(0, failed(), at: 100).timer == 100_000_000 + first)
    #expect(call.live == [])
    #expect(call.event(.timer, at: 110) == .start(1, previous: 1))
    let second = random.next().multipliedFullWidth(by: 15_000_000).high
    #expect(call.ended(1, failed(), at: 200).timer == 200_000_000 + second)
    #expect(call.event(.timer, at: 300) == .start(2, previous: 2))
    #expect(call.ended(2, failed(), at: 301) == .conclude(.attempt(2)))
  }

  @Test func aClientHasItsOwnBoundOfAttempts() {
    let call = Caller(attempts: 100)
    call.budget = RetryBudget(maxTokens: 1_000)
    _ = call.event(.start, at: 0)
    for index in 0..<4 {
      #expect(call.ended(index, failed(pushback: 0), at: 0) == .timer(0))
      #expect(call.event(.timer, at: 0) == .start(index + 1, previous: index + 1))
    }
    #expect(call.ended(4, failed(pushback: 0), at: 0) == .conclude(.attempt(4)))
  }

  @Test(arguments: [StatusCode.internalError, .deadlineExceeded, .invalidArgument, .ok])
  func otherCodesAreFinal(code: StatusCode) {
    let call = Caller()
    _ = call.event(.start, at: 0)
    #expect(call.ended(0, failed(code), at: 1) == .conclude(.attempt(0)))
    #expect(call.budget.tokens == 10)
  }

  /// A pushback makes no code retryable, but one that forbids counts whatever the code.
  @Test func pushbackOfAFinalCode() {
    let asks = Caller()
    _ = asks.event(.start, at: 0)
    #expect(asks.ended(0, failed(.internalError, pushback: 5), at: 1) == .conclude(.attempt(0)))
    #expect(asks.budget.tokens == 10)
    let forbids = Caller()
    _ = forbids.event(.start, at: 0)
    #expect(
      forbids.ended(0, failed(.internalError, pushback: -1), at: 1) == .conclude(.attempt(0)))
    #expect(forbids.budget.tokens == 9)
  }

  @Test func pushbackReplacesTheDelay() {
    let call = Caller()
    _ = call.event(.start, at: 0)
    #expect(call.ended(0, failed(.resourceExhausted, pushback: 250), at: 10) == .timer(260))
    #expect(call.event(.timer, at: 259) == .timer(260))
    #expect(call.event(.timer, at: 260) == .start(1, previous: 1))
    #expect(call.ended(1, failed(pushback: -1), at: 300) == .conclude(.attempt(1)))
    #expect(call.budget.tokens == 8)
  }

  @Test func theBudgetIsAskedAndTaught() {
    let call = Caller()
    _ = call.event(.start, at: 0)
    for _ in 0..<4 { call.budget.recordFailure() }
    // This failure is the one that reaches half.
    #expect(call.ended(0, failed(pushback: 0), at: 1) == .conclude(.attempt(0)))
    #expect(call.budget.tokens == 5)
    let other = Caller()
    other.budget = call.budget
    _ = other.event(.start, at: 0)
    #expect(other.ended(0, .ok, at: 1) == .conclude(.attempt(0)))
    #expect(other.budget.tokens == 5.1)
  }

  @Test func aBudgetThatIsGoneMeanwhileEndsTheWait() {
    let call = Caller()
    _ = call.event(.start, at: 0)
    #expect(call.ended(0, failed(pushback: 50), at: 0) == .timer(50))
    for _ in 0..<4 { call.budget.recordFailure() }
    #expect(call.event(.timer, at: 50) == .conclude(.attempt(0)))
  }

  @Test func nobodyWaitsBeyondTheDeadline() {
    for (pushback, expected) in [
      (Int32(89), CallActions.timer(99)), (90, .conclude(.attempt(0))),
      (.max, .conclude(.attempt(0))),
    ] {
      let call = Caller(deadline: 100)
      _ = call.event(.start, at: 0)
      #expect(call.ended(0, failed(pushback: pushback), at: 10) == expected)
    }
  }

  @Test func nothingStartsAtTheDeadline() {
    let late = Caller(deadline: 100)
    #expect(late.event(.start, at: 100) == .conclude(.deadlineExceeded))
    let intime = Caller(deadline: 101)
    #expect(intime.event(.start, at: 100) == .start(0, previous: 0))
    let waiting = Caller(deadline: 100)
    _ = waiting.event(.start, at: 0)
    _ = waiting.ended(0, failed(pushback: 89), at: 10)
    #expect(waiting.event(.timer, at: 100) == .conclude(.deadlineExceeded))
    let shunned = Caller(deadline: 100)
    _ = shunned.event(.start, at: 0)
    #expect(shunned.ended(0, .notStarted, at: 100) == .conclude(.deadlineExceeded))
    // An answer that is there is given, late or not.
    let answered = Caller(deadline: 100)
    _ = answered.event(.start, at: 0)
    #expect(answered.ended(0, .ok, at: 200) == .conclude(.attempt(0)))
  }

  @Test func theDeadlineAndTheCallerEndIt() {
    for (event, conclusion) in [
      (CallAttempts.Event.deadline, CallActions.Conclusion.deadlineExceeded),
      (.cancel, .cancelled),
    ] {
      #expect(Caller().event(event, at: 0) == .conclude(conclusion))
      let running = Caller()
      _ = running.event(.start, at: 0)
      #expect(running.event(event, at: 5) == .conclude(conclusion, cancelling: [0]))
      let waiting = Caller()
      _ = waiting.event(.start, at: 0)
      _ = waiting.ended(0, failed(pushback: 50), at: 1)
      #expect(waiting.event(event, at: 5) == .conclude(conclusion))
      #expect(waiting.event(.timer, at: 51) == .nothing)
    }
  }
}

@Suite struct CallAttemptsRestartTests {
  /// An attempt that was never given out is a bug of whoever runs the call.
  @Test func anUnknownAttemptIsACallersBug() async {
    await #expect(processExitsWith: .failure) {
      let call = Caller()
      _ = call.event(.start, at: 0)
      _ = call.ended(1, .ok, at: 1)
    }
  }

  @Test func whatWasNotStartedIsSentAgainAtOnce() {
    let call = Caller(attempts: 1)
    call.budget = RetryBudget(maxTokens: 1)
    call.budget.recordFailure()
    _ = call.event(.start, at: 0)
    for restart in 1...Limits.callRestarts {
      #expect(
        call.ended(restart - 1, .notStarted, at: 1)
          == .start(restart, previous: 0, restarts: restart))
    }
    #expect(call.budget.tokens == 0)
    #expect(
      call.ended(Limits.callRestarts, .notStarted, at: 1)
        == .conclude(.attempt(Limits.callRestarts)))
  }

  @Test func aRefusedStreamIsSentAgainOnce() {
    let call = Caller(attempts: 1)
    _ = call.event(.start, at: 0)
    #expect(call.ended(0, .refused, at: 1) == .start(1, previous: 0, restarts: 1))
    #expect(call.ended(1, .notStarted, at: 2) == .start(2, previous: 0, restarts: 2))
    #expect(call.budget.tokens == 10)
    // The second one is a failure like others.
    #expect(call.ended(2, .refused, at: 3) == .conclude(.attempt(2)))
    #expect(call.budget.tokens == 9)
  }

  @Test func theSecondRefusalIsRetriedByThePolicy() {
    let call = Caller(attempts: 2)
    _ = call.event(.start, at: 0)
    _ = call.ended(0, .refused, at: 1)
    #expect(call.ended(1, .refused, at: 2).timer != nil)
    #expect(call.event(.timer, at: 500) == .start(2, previous: 1, restarts: 1))
    // Once a call, not once an attempt.
    #expect(call.ended(2, .refused, at: 501) == .conclude(.attempt(2)))
  }

  @Test func aRestartKeepsItsPlaceAmongTheAttempts() {
    let call = Caller()
    _ = call.event(.start, at: 0)
    _ = call.ended(0, failed(pushback: 0), at: 1)
    _ = call.event(.timer, at: 1)
    #expect(call.ended(1, .notStarted, at: 2) == .start(2, previous: 1, restarts: 1))
    _ = call.ended(2, failed(pushback: 0), at: 3)
    #expect(call.event(.timer, at: 3) == .start(3, previous: 2, restarts: 1))
  }

  @Test func indexesFitTheirSet() {
    #expect(Limits.callAttempts + Limits.callRestarts <= 16)
  }
}
