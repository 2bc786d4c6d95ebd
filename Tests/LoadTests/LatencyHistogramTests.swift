import Core
import Testing

@testable import Load

@Suite struct LatencyHistogramTests {
  private func quantile(_ percent: Double) -> Quantile {
    Quantile(millionths: Int((percent * 10_000).rounded()))
  }

  /// Within 0.1 % above.
  private func isClose(_ value: UInt64?, _ expected: UInt64) -> Bool {
    guard let value else { return false }
    return value >= expected && Double(value) <= Double(expected) * 1.001 + 64
  }

  @Test func percentilesAreExactRanks() {
    var histogram = LatencyHistogram()
    for index in 1...1_000 { histogram.record(UInt64(index) * 1_000_000) }
    #expect(isClose(histogram.value(quantile(50)), 500_000_000))
    #expect(isClose(histogram.value(quantile(99)), 990_000_000))
    #expect(isClose(histogram.value(quantile(99.9)), 999_000_000))
    #expect(isClose(histogram.value(quantile(99.99)), 1_000_000_000))
    #expect(histogram.value(quantile(100)) == 1_000_000_000)
    #expect(LatencyHistogram.rank(quantile(99.9), of: 1_000) == 999)
    #expect(LatencyHistogram.rank(quantile(99.9), of: 1_001) == 1_000)
    #expect(LatencyHistogram.rank(quantile(0.0001), of: 10) == 1)
    #expect(LatencyHistogram.rank(quantile(50), of: .max) == 1 << 63)
  }

  @Test func whatNeverEndedCountsInEveryRank() {
    var histogram = LatencyHistogram()
    for _ in 0..<989 { histogram.record(1_000_000) }
    for _ in 0..<11 { histogram.recordInfinite() }
    #expect(histogram.count == 1_000)
    #expect(isClose(histogram.value(quantile(98.9)), 1_000_000))
    #expect(histogram.value(quantile(99)) == nil)
    #expect(histogram.value(quantile(100)) == nil)
  }

  @Test func nothingIsNoValue() {
    #expect(LatencyHistogram().value(quantile(50)) == nil)
  }

  @Test func longerThanAnHourIsAnHour() {
    var histogram = LatencyHistogram()
    histogram.record(.max)
    #expect(histogram.value(quantile(100)) == 3_600_000_000_000)
  }

  /// `.hgrm` is read by others: values rise, shares rise to 1, counts end at the total.
  @Test func percentileDistributionHasItsShape() throws {
    var histogram = LatencyHistogram()
    for index in 1...10_000 { histogram.record(UInt64(index) * 1_000) }
    let lines = histogram.percentileDistribution().split(separator: "\n")
    #expect(
      lines[0].split(separator: " ") == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"])
    let rows = lines.dropFirst().filter { !$0.hasPrefix("#") }.map {
      $0.split(separator: " ").compactMap { Double($0) }
    }
    #expect(rows.dropLast().allSatisfy { $0.count == 4 })
    let last = try #require(rows.last)
    #expect(last.count == 3)
    #expect(last[1] == 1 && last[2] == 10_000)
    for (before, after) in zip(rows, rows.dropFirst()) {
      #expect(before[0] <= after[0] && before[1] < after[1] && before[2] <= after[2])
    }
    for row in rows {
      // No more than one step of ten thousand between a share and the calls it stands for.
      #expect(row[2] / 10_000 >= row[1] - 1e-9 && row[2] / 10_000 <= row[1] + 0.002)
      #expect(abs(row[0] - row[2] / 1_000) <= 0.02, "\(row)")
    }
    #expect(lines.contains { $0.hasPrefix("#[Mean    =        5.00") })
    #expect(
      lines.contains { $0.hasPrefix("#[Max     =       10.000, Total count    =        10000]") })
  }

  @Test func percentileDistributionOfMissingCallsEndsInInfinity() {
    var histogram = LatencyHistogram()
    for _ in 0..<90 { histogram.record(2_000_000) }
    for _ in 0..<10 { histogram.recordInfinite() }
    let lines = histogram.percentileDistribution().split(separator: "\n")
    let ninety = lines.last { $0.contains("   2.000 ") || $0.contains("   2.001 ") }
    #expect(ninety?.split(separator: " ")[2] == "90")
    #expect(lines.contains { $0.split(separator: " ") == ["Infinity", "1.000000000000", "100"] })
  }

  @Test func fixedPlaces() {
    #expect(fixed(1.0005, 3) == "1.001" || fixed(1.0005, 3) == "1.000")
    #expect(fixed(0, 2) == "0.00")
    #expect(fixed(12.5, 0) == "13")
    #expect(fixed(-0.25, 1) == "-0.3")
    #expect(fixed(-0.001, 1) == "0.0")
    #expect(fixed(.infinity, 1) == "Infinity")
  }
}
