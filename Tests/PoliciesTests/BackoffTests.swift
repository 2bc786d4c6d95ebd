import Core
import Testing

@testable import Policies

private let second: UInt64 = 1_000_000_000

@Suite struct BackoffTests {
  /// Without jitter the waits are the formula's own.
  @Test func waitsGrowUpToTheBound() {
    var random = SplitMix64(seed: 1)
    var backoff = Backoff(jitter: 0)
    let seconds = (0..<14).map { _ in Double(backoff.next(&random)) / 1e9 }
    var expected: [Double] = []
    var wait = 1.0
    for _ in 0..<14 {
      expected.append(wait)
      wait = min(wait * 1.6, 120)
    }
    #expect(zip(seconds, expected).allSatisfy { abs($0 - $1) < 1e-8 }, "\(seconds)")
    #expect(seconds[10] < 120 && seconds[11] == 120 && seconds[13] == 120)
    backoff.reset()
    #expect(backoff.next(&random) == second)
    #expect(backoff.next(&random) == second * 8 / 5)
  }

  @Test func waitsAreSpreadByAFifth() {
    var random = SplitMix64(seed: 2)
    var low = Double.infinity
    var high = 0.0
    var sum = 0.0
    var outside = 0
    for _ in 0..<10_000 {
      var backoff = Backoff(initialNanoseconds: 5 * second)
      let first = Double(backoff.next(&random)) / 5e9
      low = min(low, first)
      high = max(high, first)
      sum += first
      let next = Double(backoff.next(&random)) / 8e9
      outside += (0.8...1.2).contains(next) ? 0 : 1
    }
    #expect(outside == 0)
    #expect(low >= 0.8 && low < 0.801 && high < 1.2 && high > 1.199)
    // Of 10,000 the mean's deviation is 0.4 ÷ √12 ÷ 100 = 0.0012.
    #expect(abs(sum / 10_000 - 1) < 0.005)
  }

  @Test func anotherStartIsKeptByReset() {
    var random = SplitMix64(seed: 3)
    var backoff = Backoff(
      initialNanoseconds: 100, multiplier: 3, jitter: 0, maxNanoseconds: 500)
    #expect((0..<4).map { _ in backoff.next(&random) } == [100, 300, 500, 500])
    backoff.reset()
    #expect(backoff.next(&random) == 100)
  }
}

@Suite struct RetryDelayTests {
  private func delays(_ delay: RetryDelay, _ pushbacks: [Int32?], seed: UInt64) -> [UInt64?] {
    var delay = delay
    var random = SplitMix64(seed: seed)
    return pushbacks.map { delay.next(pushbackMilliseconds: $0, &random) }
  }

  @Test func theNthIsRandomUpToItsBound() {
    let delay = RetryDelay(initialNanoseconds: 1_000, multiplier: 2, maxNanoseconds: 5_000)
    var highest = [UInt64](repeating: 0, count: 4)
    var lowest = [UInt64](repeating: .max, count: 4)
    for seed in 0..<4_000 {
      for (index, value) in delays(delay, [nil, nil, nil, nil], seed: UInt64(seed)).enumerated() {
        highest[index] = max(highest[index], value ?? .max)
        lowest[index] = min(lowest[index], value ?? 0)
      }
    }
    for (index, bound) in [UInt64(1_000), 2_000, 4_000, 5_000].enumerated() {
      #expect(highest[index] < bound && highest[index] > bound - bound / 100)
      #expect(lowest[index] < bound / 100)
    }
  }

  @Test func pushbackIsExactAndResets() {
    let delay = RetryDelay(initialNanoseconds: 1_000, multiplier: 10, maxNanoseconds: 1_000_000)
    for seed in 0..<200 as Range<UInt64> {
      let found = delays(delay, [nil, nil, 30, nil, 0, .max], seed: seed)
      #expect(found[2] == 30_000_000 && found[4] == 0)
      #expect(found[5] == UInt64(Int32.max) * 1_000_000)
      #expect((found[3] ?? .max) < 1_000)
    }
  }

  @Test func aNegativePushbackForbids() {
    #expect(delays(RetryDelay(), [-1, .min], seed: 1) == [nil, nil])
  }

  @Test func anInitialAboveTheBoundIsTheBound() {
    let delay = RetryDelay(initialNanoseconds: 1 << 62, multiplier: 1e300, maxNanoseconds: 9)
    let found = delays(delay, Array(repeating: nil, count: 8), seed: 5)
    #expect(found.allSatisfy { ($0 ?? .max) < 9 })
  }
}
