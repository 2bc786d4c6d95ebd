import Core
import Testing

@testable import Policies

private let second: UInt64 = 1_000_000_000

@Suite struct AdaptiveThrottleTests {
  private func throttle(
    accepted: Int, refused: Int, rejectionMax: Double = 1, now: UInt64 = 0
  ) -> AdaptiveThrottle {
    var throttle = AdaptiveThrottle(rejectionMax: rejectionMax)
    for _ in 0..<accepted { throttle.record(isAccepted: true, now: now) }
    for _ in 0..<refused { throttle.record(isAccepted: false, now: now) }
    return throttle
  }

  @Test func theBooksFormula() {
    #expect(AdaptiveThrottle().rejectionShare == 0)
    #expect(throttle(accepted: 50, refused: 50).rejectionShare == 0)
    #expect(throttle(accepted: 50, refused: 51).rejectionShare == 1.0 / 102)
    #expect(throttle(accepted: 0, refused: 9).rejectionShare == 9.0 / 10)
    #expect(throttle(accepted: 10, refused: 79).rejectionShare == 69.0 / 90)
    var strict = AdaptiveThrottle(multiplier: 1)
    for isAccepted in [true, true, false] { strict.record(isAccepted: isAccepted, now: 0) }
    #expect(strict.rejectionShare == 1.0 / 4)
  }

  @Test func someAreLetThroughWhateverHappens() {
    #expect(throttle(accepted: 0, refused: 99).rejectionShare == 0.99)
    #expect(throttle(accepted: 0, refused: 99, rejectionMax: 0.9).rejectionShare == 0.9)
    #expect(throttle(accepted: 0, refused: 8, rejectionMax: 0.9).rejectionShare == 8.0 / 9)
    #expect(throttle(accepted: 0, refused: 99, rejectionMax: 0).rejectionShare == 0)
  }

  @Test func noNumberIsDrawnForAServerThatIsWell() {
    var throttle = throttle(accepted: 50, refused: 50)
    var random = SplitMix64(seed: 1)
    var untouched = random
    #expect(throttle.admits(now: 0, &random))
    #expect(random.next() == untouched.next())
    #expect(throttle.requests == 100)
  }

  /// Each decision against a number drawn beside it; refused calls count.
  @Test func callsAreRefusedByTheDraw() {
    var throttle = AdaptiveThrottle(rejectionMax: 1)
    var random = SplitMix64(seed: 3)
    var draws = random
    var requests = 0
    var accepts = 0
    var refusedHere = 0
    var wrong = 0
    for _ in 0..<20_000 {
      let excess = requests - 2 * accepts
      var isRefused = false
      if excess > 0 {
        let draw = Double(draws.next() >> 11) / Double(UInt64(1) << 53)
        isRefused = draw < Double(excess) / Double(requests + 1)
      }
      wrong += throttle.admits(now: 0, &random) == isRefused ? 1 : 0
      requests += 1
      refusedHere += isRefused ? 1 : 0
      if !isRefused {
        // A server that has room for a quarter of what callers want.
        let isAccepted = 4 * accepts < requests
        accepts += isAccepted ? 1 : 0
        throttle.record(isAccepted: isAccepted, now: 0)
      }
      wrong += throttle.requests == requests && throttle.accepts == accepts ? 0 : 1
    }
    #expect(wrong == 0)
    // K = 2: the server sees twice what it takes, half of all.
    #expect((9_500...10_500).contains(refusedHere), "\(refusedHere)")
  }

  @Test func theWindowSlides() {
    var throttle = AdaptiveThrottle()
    var random = SplitMix64(seed: 1)
    // Buckets are 5 s: the first is forgotten when the 25th begins, and not before.
    throttle.record(isAccepted: true, now: 5 * second - 1)
    throttle.record(isAccepted: false, now: 5 * second)
    _ = throttle.admits(now: 120 * second - 1, &random)
    #expect(throttle.requests == 2 && throttle.accepts == 1)
    _ = throttle.admits(now: 120 * second, &random)
    #expect(throttle.requests == 1 && throttle.accepts == 0)
    // The place of the first bucket is used again.
    throttle.record(isAccepted: true, now: 120 * second)
    #expect(throttle.requests == 2 && throttle.accepts == 1)
    throttle.record(isAccepted: true, now: 125 * second)
    #expect(throttle.requests == 2 && throttle.accepts == 2)
    throttle.record(isAccepted: false, now: .max)
    #expect(throttle.requests == 1 && throttle.accepts == 0)
  }

  @Test func everythingIsForgottenAfterALongPause() {
    for pause in [120, 124, 125, 1_000_000] as [UInt64] {
      var throttle = throttle(accepted: 3, refused: 4, now: 7 * second)
      throttle.record(isAccepted: true, now: (7 + pause) * second)
      #expect(throttle.requests == 1 && throttle.accepts == 1, "\(pause) s")
    }
  }

  @Test func anInstantOfThePastIsNow() {
    var throttle = throttle(accepted: 1, refused: 0, now: 100 * second)
    throttle.record(isAccepted: false, now: 0)
    #expect(throttle.requests == 2)
    throttle.record(isAccepted: false, now: 215 * second)
    #expect(throttle.requests == 3)
    throttle.record(isAccepted: false, now: 220 * second)
    #expect(throttle.requests == 2)
  }

  @Test func whatIsARefusal() {
    let refusals = StatusCode.allCases.filter { !AdaptiveThrottle.isAccepted($0) }
    #expect(refusals == [.resourceExhausted, .unavailable])
  }
}
