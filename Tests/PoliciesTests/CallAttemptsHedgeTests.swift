import Core
import Testing

@testable import Policies

@Suite struct CallAttemptsHedgeTests {
  @Test func hedgesFollowEachOtherAndTheFirstAnswerWins() {
    let call = Caller(attempts: 3, hedgeAfter: 10)
    #expect(call.event(.start, at: 0) == .start(0, previous: 0, timer: 10))
    #expect(call.event(.timer, at: 9) == .timer(10))
    #expect(call.event(.timer, at: 10) == .start(1, previous: 1, timer: 20))
    #expect(call.event(.timer, at: 21) == .start(2, previous: 2))
    #expect(call.event(.timer, at: 31) == .nothing)
    #expect(call.live == [0, 1, 2])
    #expect(call.ended(1, .ok, at: 40) == .conclude(.attempt(1), cancelling: [0, 2]))
    #expect(call.live == [])
    #expect(call.budget.tokens == 10)
  }

  @Test func withoutADelayAllGoOutTogether() {
    let call = Caller(attempts: 2, hedgeAfter: 0)
    #expect(call.event(.start, at: 5) == .start(0, previous: 0, timer: 5))
    #expect(call.event(.timer, at: 5) == .start(1, previous: 1))
  }

  /// What does not fit is never, and no moment of the past.
  @Test func aDelayWithoutEnd() {
    var call = CallAttempts(
      CallAttempts.Configuration(
        maxAttempts: 2, retryableCodes: [.unavailable], hedgeAfterNanoseconds: .max))
    var budget = RetryBudget()
    var random = SplitMix64(seed: 1)
    let actions = call.handle(.start, now: 5, budget: &budget, random: &random)
    #expect(actions == .start(0, previous: 0))
  }

  @Test func aFailureSendsTheNextAtOnce() {
    let call = Caller(attempts: 3, hedgeAfter: 10)
    _ = call.event(.start, at: 0)
    #expect(call.ended(0, failed(), at: 4) == .start(1, previous: 1, timer: 14))
    // The old moment is none any more.
    #expect(call.event(.timer, at: 10) == .timer(14))
    #expect(call.event(.timer, at: 14) == .start(2, previous: 2))
    #expect(call.ended(1, failed(), at: 15) == .nothing)
    #expect(call.ended(2, failed(), at: 16) == .conclude(.attempt(2)))
  }

  @Test func aFinalFailureEndsAll() {
    let call = Caller(attempts: 3, hedgeAfter: 10)
    _ = call.event(.start, at: 0)
    _ = call.event(.timer, at: 10)
    #expect(
      call.ended(1, failed(.internalError), at: 11) == .conclude(.attempt(1), cancelling: [0]))
  }

  @Test func hedgesAreHeldToTheBudget() {
    let call = Caller(attempts: 3, hedgeAfter: 10)
    _ = call.event(.start, at: 0)
    for _ in 0..<5 { call.budget.recordFailure() }
    #expect(call.event(.timer, at: 10) == .nothing)
    // Its chance is gone, though tokens come back; the one on its way goes on.
    for _ in 0..<100 { call.budget.recordSuccess() }
    #expect(call.event(.timer, at: 20) == .nothing)
    #expect(call.ended(0, failed(), at: 30) == .conclude(.attempt(0)))
    let failing = Caller(attempts: 3, hedgeAfter: 10)
    for _ in 0..<4 { failing.budget.recordFailure() }
    _ = failing.event(.start, at: 0)
    _ = failing.event(.timer, at: 10)
    #expect(failing.ended(0, failed(), at: 11) == .nothing)
    #expect(failing.event(.timer, at: 20) == .nothing)
    #expect(failing.ended(1, .ok, at: 30) == .conclude(.attempt(1)))
  }

  @Test func aServerThatForbidsEndsHedging() {
    let call = Caller(attempts: 5, hedgeAfter: 10)
    _ = call.event(.start, at: 0)
    _ = call.event(.timer, at: 10)
    #expect(call.ended(0, failed(pushback: -1), at: 11) == .nothing)
    #expect(call.event(.timer, at: 20) == .nothing)
    #expect(call.live == [1])
    // What was not started is sent again all the same.
    #expect(call.ended(1, .notStarted, at: 21) == .start(2, previous: 1, restarts: 1))
    #expect(call.ended(2, failed(), at: 22) == .conclude(.attempt(2)))
  }

  @Test func pushbackPostponesHedging() {
    let call = Caller(attempts: 4, hedgeAfter: 10)
    _ = call.event(.start, at: 0)
    _ = call.event(.timer, at: 10)
    #expect(call.ended(0, failed(pushback: 100), at: 15) == .timer(115))
    #expect(call.event(.timer, at: 20) == .timer(115))
    // Another failure shortens no time that a server asked for; a second wish may lengthen it.
    #expect(call.ended(1, failed(), at: 30) == .nothing)
    #expect(call.event(.timer, at: 115) == .start(2, previous: 2, timer: 125))
    #expect(call.ended(2, failed(pushback: 3), at: 117) == .timer(120))
    #expect(call.event(.timer, at: 120) == .start(3, previous: 3))
  }

  @Test func ofTwoPushbacksTheLaterHolds() {
    for (second, due) in [(Int32(10), UInt64(111)), (200, 212)] {
      let call = Caller(attempts: 5, hedgeAfter: 5)
      _ = call.event(.start, at: 0)
      _ = call.event(.timer, at: 10)
      #expect(call.ended(0, failed(pushback: 100), at: 11) == .timer(111))
      #expect(call.ended(1, failed(pushback: second), at: 12) == .timer(due))
      #expect(call.event(.timer, at: due) == .start(2, previous: 2, timer: due + 5))
    }
  }

  @Test func pushbackBeyondTheDeadlineEndsHedging() {
    let call = Caller(attempts: 5, hedgeAfter: 10, deadline: 100)
    _ = call.event(.start, at: 0)
    _ = call.event(.timer, at: 10)
    #expect(call.ended(0, failed(pushback: 85), at: 15) == .nothing)
    // Not even what another server would allow.
    #expect(call.ended(1, failed(pushback: 5), at: 16) == .conclude(.attempt(1)))
  }

  @Test func aHedgeThatWouldStartAtTheDeadlineIsNone() {
    for (deadline, timer) in [(UInt64(10), UInt64?.none), (11, 10)] {
      let call = Caller(attempts: 2, hedgeAfter: 10, deadline: deadline)
      #expect(call.event(.start, at: 0) == .start(0, previous: 0, timer: timer))
    }
    // But a failure before it is followed by the next at once, and one behind it by none.
    let early = Caller(attempts: 2, hedgeAfter: 10, deadline: 10)
    _ = early.event(.start, at: 0)
    #expect(early.ended(0, failed(), at: 9) == .start(1, previous: 1))
    let late = Caller(attempts: 2, hedgeAfter: 10, deadline: 12)
    _ = late.event(.start, at: 0)
    #expect(late.ended(0, failed(), at: 12) == .conclude(.attempt(0)))
  }

  @Test func aBudgetThatIsGoneEndsAWaitWithTheLastFailure() {
    let call = Caller(attempts: 5, hedgeAfter: 10)
    _ = call.event(.start, at: 0)
    _ = call.event(.timer, at: 10)
    _ = call.ended(1, failed(pushback: 100), at: 11)
    #expect(call.ended(0, failed(), at: 12) == .nothing)
    for _ in 0..<3 { call.budget.recordFailure() }
    #expect(call.event(.timer, at: 111) == .conclude(.attempt(0)))
    let other = Caller(attempts: 5, hedgeAfter: 10)
    _ = other.event(.start, at: 0)
    _ = other.event(.timer, at: 10)
    _ = other.ended(0, failed(pushback: 100), at: 11)
    #expect(other.ended(1, failed(), at: 12) == .nothing)
    for _ in 0..<3 { other.budget.recordFailure() }
    #expect(other.event(.timer, at: 111) == .conclude(.attempt(1)))
  }
}

@Suite struct CallAttemptsStreamTests {
  @Test func theFirstMessageCommits() {
    let call = Caller(attempts: 5, hedgeAfter: 10)
    _ = call.event(.start, at: 0)
    _ = call.event(.timer, at: 10)
    _ = call.event(.timer, at: 20)
    #expect(call.event(.firstMessage(1), at: 21) == .cancel([0, 2]))
    #expect(call.live == [1])
    #expect(call.event(.timer, at: 30) == .nothing)
    #expect(call.event(.firstMessage(1), at: 31) == .nothing)
    #expect(call.ended(1, failed(), at: 32) == .conclude(.attempt(1)))
    #expect(call.budget.tokens == 9)
  }

  @Test(arguments: [CallAttempts.Outcome.notStarted, .refused, .ok])
  func nothingIsRepeatedAfterwards(outcome: CallAttempts.Outcome) {
    let call = Caller()
    _ = call.event(.start, at: 0)
    #expect(call.event(.firstMessage(0), at: 1) == .nothing)
    #expect(call.ended(0, outcome, at: 2) == .conclude(.attempt(0)))
  }

  /// Each event that is legal and says nothing any more.
  @Test func lateEventsAreDropped() {
    let call = Caller(attempts: 3, hedgeAfter: 10)
    #expect(call.event(.timer, at: 0) == .nothing)
    _ = call.event(.start, at: 0)
    #expect(call.event(.start, at: 1) == .nothing)
    _ = call.event(.timer, at: 10)
    _ = call.ended(0, failed(), at: 11)
    #expect(call.live == [1, 2])
    #expect(call.ended(0, .ok, at: 12) == .nothing)
    #expect(call.event(.firstMessage(0), at: 12) == .nothing)
    #expect(call.event(.firstMessage(2), at: 13) == .cancel([1]))
    #expect(call.ended(1, .ok, at: 14) == .nothing)
    #expect(call.event(.firstMessage(1), at: 14) == .nothing)
    #expect(call.budget.tokens == 9 && call.live == [2])
    #expect(call.ended(2, .ok, at: 15) == .conclude(.attempt(2)))
    let late: [CallAttempts.Event] = [
      .start, .timer, .cancel, .deadline, .firstMessage(2), .attemptEnded(2, failed()),
      .attemptEnded(0, .notStarted), .attemptEnded(1, .ok),
    ]
    for event in late { #expect(call.event(event, at: 16) == .nothing) }
    #expect(call.budget.tokens == 9.1)
  }
}
