import Core
import Testing

@testable import Load

@Suite struct ArrivalScheduleTests {
  @Test func constantGapsDoNotDrift() {
    var schedule = ArrivalSchedule(.constant, ratePerSecond: 3, seed: 1)
    let starts = (0..<3_000_001).map { _ in schedule.next() }
    #expect(starts[0] == 0)
    #expect(starts[1] == 333_333_333)
    #expect(starts[3] == 1_000_000_000)
    #expect(starts[3_000_000] == 1_000_000_000_000_000)
  }

  @Test func sameSeedSameInstants() {
    var one = ArrivalSchedule(.poisson, ratePerSecond: 1_000, seed: 7)
    var same = ArrivalSchedule(.poisson, ratePerSecond: 1_000, seed: 7)
    var other = ArrivalSchedule(.poisson, ratePerSecond: 1_000, seed: 8)
    let instants = (0..<100).map { _ in one.next() }
    #expect(instants == (0..<100).map { _ in same.next() })
    #expect(instants != (0..<100).map { _ in other.next() })
    #expect(instants == instants.sorted())
  }

  /// Mean and variance of exponential gaps: 1 ÷ rate and its square.
  @Test func poissonGapsAreExponential() {
    let seed: UInt64 = 20_261_123
    var schedule = ArrivalSchedule(.poisson, ratePerSecond: 10_000, seed: seed)
    let count = 200_000
    var last: UInt64 = 0
    var sum = 0.0
    var squares = 0.0
    for _ in 0..<count {
      let next = schedule.next()
      let gap = Double(next - last) / 1e5
      last = next
      sum += gap
      squares += gap * gap
    }
    let mean = sum / Double(count)
    let variance = squares / Double(count) - mean * mean
    #expect(abs(mean - 1) < 0.01, "seed \(seed): mean \(mean)")
    #expect(abs(variance - 1) < 0.03, "seed \(seed): variance \(variance)")
  }
}
