import Core
import Testing

@testable import Policies

@Suite struct HedgeDelayTests {
  private let millisecond: UInt64 = 1_000_000

  private func delay(_ latencies: [UInt64], percentile: Double = 0.95) -> UInt64? {
    var delay = HedgeDelay(
      percentile: percentile, minNanoseconds: 0, maxNanoseconds: HedgeDelay.longestNanoseconds)
    for latency in latencies { delay.record(latencyNanoseconds: latency) }
    return delay.nanoseconds
  }

  @Test func aHundredSamplesAreNeeded() {
    let latencies = [UInt64](repeating: 5 * millisecond, count: 100)
    #expect(delay(Array(latencies.dropLast())) == nil)
    #expect(delay(latencies) != nil)
  }

  /// Never below the sample of that rank, and at most a bucket above it, at every moment.
  @Test(arguments: [0.5, 0.95, 0.999])
  func itIsThePercentile(percentile: Double) {
    var random = SplitMix64(seed: 11)
    var delay = HedgeDelay(
      percentile: percentile, minNanoseconds: 0, maxNanoseconds: HedgeDelay.longestNanoseconds)
    var samples: [UInt64] = []
    for _ in 1..<Limits.hedgeSamples {
      // Spread over all octaves.
      let latency = random.next() >> (28 + random.next() % 36)
      delay.record(latencyNanoseconds: latency)
      samples.append(latency)
      guard samples.count >= 100, samples.count % 37 == 0 else { continue }
      let rank = Int((Double(samples.count) * percentile * 1_000 / 1_000).rounded(.up))
      let exact = samples.sorted()[rank - 1]
      let found = delay.nanoseconds ?? 0
      #expect(found > exact && found <= exact + max(exact / 16, 1_024) + 1, "\(samples.count)")
    }
  }

  @Test func theRankIsRoundedUp() {
    let fast = [UInt64](repeating: 1 * millisecond, count: 95)
    let slow = [UInt64](repeating: 100 * millisecond, count: 5)
    #expect((delay(fast + slow) ?? 0) < 2 * millisecond)
    #expect((delay(Array(fast.dropLast()) + slow + slow) ?? 0) > 99 * millisecond)
    #expect((delay(fast + slow + slow.prefix(1)) ?? 0) > 99 * millisecond)
  }

  @Test func boundsHold() {
    var delay = HedgeDelay(maxNanoseconds: 20 * millisecond)
    for _ in 0..<100 { delay.record(latencyNanoseconds: 0) }
    #expect(delay.nanoseconds == millisecond)
    for _ in 0..<1_000 { delay.record(latencyNanoseconds: .max) }
    #expect(delay.nanoseconds == 20 * millisecond)
    #expect(self.delay([UInt64](repeating: .max, count: 100)) == HedgeDelay.longestNanoseconds)
  }

  /// The histogram as a dictionary that is halved, bucket by bucket.
  @Test func oldSamplesFade() {
    var random = SplitMix64(seed: 4)
    var delay = HedgeDelay(minNanoseconds: 0, maxNanoseconds: HedgeDelay.longestNanoseconds)
    // 16 to 32 units of 1,024 ns: the octave in which a bucket is a unit.
    var plain: [UInt64: Int] = [:]
    var wrong = 0
    for sample in 0..<10_000 {
      let unit = 16 + random.next() % 16
      delay.record(latencyNanoseconds: unit * 1_024 + random.next() % 1_024)
      plain[unit, default: 0] += 1
      if plain.values.reduce(0, +) == Limits.hedgeSamples {
        plain = plain.mapValues { $0 / 2 }
      }
      guard sample >= 100 else { continue }
      let total = plain.values.reduce(0, +)
      var passed = 0
      let expected = plain.keys.sorted().first { unit in
        passed += plain[unit] ?? 0
        return passed * 100 >= total * 95
      }
      wrong += delay.nanoseconds == expected.map { ($0 + 1) * 1_024 } ? 0 : 1
    }
    #expect(wrong == 0)
  }

  @Test func aChangeIsLearnedWithinTwoRounds() {
    var delay = HedgeDelay(maxNanoseconds: 1_000 * millisecond)
    for _ in 0..<100_000 { delay.record(latencyNanoseconds: 300 * millisecond) }
    #expect((delay.nanoseconds ?? 0) >= 300 * millisecond)
    var count = 0
    while count < 100_000, (delay.nanoseconds ?? 0) >= 300 * millisecond {
      delay.record(latencyNanoseconds: 3 * millisecond)
      count += 1
    }
    // 1,024 to 2,047 old ones are a twentieth when they were halved four or five times.
    #expect(count > 3 * 1_024 && count < 6 * 1_024, "\(count)")
  }
}
