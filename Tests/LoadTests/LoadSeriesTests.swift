import Core
import Testing

@testable import Load

@Suite struct LoadSeriesTests {
  private let second: UInt64 = 1_000_000_000
  private let millisecond: UInt64 = 1_000_000

  private func call(
    _ intended: UInt64, sent: UInt64? = nil, ended: UInt64, status: StatusCode = .ok
  ) -> CallRecord {
    CallRecord(
      intendedNanoseconds: intended, sentNanoseconds: sent ?? intended, endedNanoseconds: ended,
      status: status, fidelity: .full)
  }

  @Test func intervalsAreFewAndRound() {
    let seconds: (UInt64) -> UInt64 = { total in
      LoadSeries.interval(warmUpNanoseconds: 0, durationNanoseconds: total * second) / millisecond
    }
    #expect(seconds(3) == 100 && seconds(30) == 1_000 && seconds(3_500) == 1_000)
    #expect(seconds(3_600) == 2_000 && seconds(86_400) == 30_000)
    let week = LoadPlan.longestNanoseconds
    let longest = LoadSeries(window: week..<2 * week, warmUpNanoseconds: week)
    #expect(longest.count <= Limits.reportIntervals && longest.count > 1_000)
  }

  /// 2.5 s of warm-up end where an interval ends.
  @Test func theWindowStartsWithAnInterval() {
    let start = 100 * second
    let series = LoadSeries(
      window: start..<start + 10 * second, warmUpNanoseconds: 2_500 * millisecond)
    #expect(series.points.map(\.seconds) == (-3..<10).map(Double.init))
  }

  @Test func callsCountWhereTheyWereMeantToStart() throws {
    let start = 100 * second
    var tally = LoadTally(
      window: start..<start + 20 * second, timeoutNanoseconds: 50 * millisecond,
      warmUpNanoseconds: second)
    tally.record(call(start - 1, ended: start + millisecond))
    tally.record(call(start, ended: start + 3 * millisecond))
    tally.record(call(start + 1, ended: start + 90 * millisecond))
    tally.record(call(start + 2, ended: start + 2, status: .resourceExhausted))
    tally.recordMissing(intendedNanoseconds: start + 19 * second)
    for outside in [start - 2 * second, start + 20 * second] {
      tally.record(call(outside, ended: outside + 1))
    }
    let points = tally.series.points
    #expect(points.count == 21 && points.map(\.intended).reduce(0, +) == 5)
    #expect(points[0].seconds == -1 && points[0].intended == 1 && points[0].inTime == 1)
    #expect(points[1].intended == 3 && points[1].inTime == 1)
    #expect(points[1].count(.ok) == 2 && points[1].count(.resourceExhausted) == 1)
    #expect(points[1].count(fidelity: .full) == 2 && points[20].missing == 1)
    // Warm-up is in the series alone.
    #expect(tally.intended == 4)
    // The second of three calls, two digits; the third has failed.
    let p50 = try #require(points[1].p50Nanoseconds)
    #expect(abs(Double(p50) / Double(90 * millisecond) - 1) < 0.01)
    #expect(points[1].p99Nanoseconds == nil && points[20].p50Nanoseconds == nil)
    #expect(points[1].longestNanoseconds != nil && points[20].longestNanoseconds == nil)
    #expect(points[5].intended == 0 && points[5].p50Nanoseconds == nil)
  }

  /// A call over two and a half intervals, one within an interval, one that outlives the run.
  @Test func inFlightIsTheMean() {
    var series = LoadSeries(window: 0..<20 * second, warmUpNanoseconds: 0)
    series.record(call(0, sent: second / 2, ended: 3 * second), isInTime: false)
    series.record(call(5 * second, ended: 5 * second + second / 4), isInTime: true)
    series.record(
      call(18 * second, sent: 18 * second + second / 2, ended: 99 * second), isInTime: false)
    let means = series.points.map(\.inFlight)
    #expect(Array(means[..<6]) == [0.5, 1, 1, 0, 0, 0.25])
    #expect(Array(means[6..<18]) == [Double](repeating: 0, count: 12))
    #expect(Array(means[18...]) == [0.5, 1])
  }

  @Test func levelsGoAsFarAsThereAreCalls() {
    var histogram = LatencyHistogram()
    for value: UInt64 in 1...1_000 { histogram.record(value * 1_000) }
    let levels = histogram.levels
    #expect(levels.first?.share == 0 && levels.last?.share == 1)
    #expect(levels.last?.nanoseconds == 1_000_000 && levels.last?.reached == 1_000)
    #expect(zip(levels, levels.dropFirst()).allSatisfy { $0.share < $1.share })
    #expect(levels.count <= Limits.reportLevels)
    histogram.recordInfinite()
    #expect(histogram.levels.last?.nanoseconds == nil)
    #expect(LatencyHistogram().levels.isEmpty)
  }
}
