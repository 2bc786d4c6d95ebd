internal import Histogram

/// A share of calls in millionths, so that ranks are exact integers: p99.9 is 999,000.
package struct Quantile: Sendable, Equatable {
  package var millionths: Int

  package init(millionths: Int) {
    self.millionths = millionths
  }

  package static let reported: [(name: String, quantile: Quantile)] = [
    ("p50", Quantile(millionths: 500_000)), ("p90", Quantile(millionths: 900_000)),
    ("p99", Quantile(millionths: 990_000)), ("p99_9", Quantile(millionths: 999_000)),
    ("p99_99", Quantile(millionths: 999_900)), ("max", Quantile(millionths: 1_000_000)),
  ]
}

/// Times of calls in an HdrHistogram of three digits, and those that never ended: infinite ones,
/// which count in every rank.
package struct LatencyHistogram: Sendable {
  private var histogram: Histogram<UInt64>
  package private(set) var infiniteCount: UInt64 = 0

  /// The longest time that is told apart, nanoseconds: an hour, above every timeout of a call.
  private static let highestNanoseconds: UInt64 = 3_600_000_000_000
  /// Times are told apart from here, nanoseconds: a tenth of what the clock and a wake-up cost.
  private static let lowestNanoseconds: UInt64 = 64

  package init() {
    histogram = Histogram(
      lowestDiscernibleValue: LatencyHistogram.lowestNanoseconds,
      highestTrackableValue: LatencyHistogram.highestNanoseconds,
      numberOfSignificantValueDigits: .three)
  }

  package mutating func record(_ nanoseconds: UInt64) {
    histogram.record(min(nanoseconds, LatencyHistogram.highestNanoseconds))
  }

  package mutating func recordInfinite() {
    infiniteCount += 1
  }

  package var count: UInt64 { histogram.totalCount + infiniteCount }

  /// The time, nanoseconds, that the given share of calls did not exceed, within 0.1 %; nil when
  /// it is infinite, or when there is no call.
  package func value(_ quantile: Quantile) -> UInt64? {
    let rank = LatencyHistogram.rank(quantile, of: count)
    guard rank <= histogram.totalCount, rank > 0 else { return nil }
    if rank == histogram.totalCount { return histogram.maxRecorded }
    var reached: UInt64 = 0
    for step in histogram.recordedValues() {
      reached += step.count
      if reached >= rank {
        return min(histogram.highestEquivalentForValue(step.value), histogram.maxRecorded)
      }
    }
    return histogram.maxRecorded
  }

  /// ⌈share × count⌉, at least 1 where there is a call.
  static func rank(_ quantile: Quantile, of count: UInt64) -> UInt64 {
    let product = count.multipliedFullWidth(by: UInt64(max(quantile.millionths, 0)))
    let (quotient, remainder) = UInt64(1_000_000).dividingFullWidth(
      (min(product.high, 999_999), product.low))
    return min(max(quotient + (remainder > 0 ? 1 : 0), 1), count)
  }

  /// HdrHistogram's percentile distribution (`.hgrm`), milliseconds, over all calls: what never
  /// ended stands in it as `Infinity`.
  package func percentileDistribution() -> String {
    var text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
    let total = Double(count)
    var reached: UInt64 = 0
    var level = 0.0
    var steps = histogram.recordedValues().map { step in
      (min(histogram.highestEquivalentForValue(step.value), histogram.maxRecorded), step.count)
    }
    if infiniteCount > 0 { steps.append((UInt64.max, infiniteCount)) }
    for (value, added) in steps {
      reached += added
      let share = Double(reached) / total
      let shown = value == .max ? "Infinity" : milliseconds(value)
      while reached < count, level <= share {
        text += line(shown, level, reached) + padded(fixed(1 / (1 - level), 2), 15) + "\n"
        level += LatencyHistogram.tick(after: level)
      }
      if reached == count { text += line(shown, 1, reached) + "\n" }
    }
    let mean = infiniteCount > 0 ? "Infinity" : milliseconds(histogram.mean)
    let deviation = infiniteCount > 0 ? "Infinity" : milliseconds(histogram.stdDeviation)
    let maximum = infiniteCount > 0 ? "Infinity" : milliseconds(histogram.maxRecorded)
    text += "#[Mean    = \(padded(mean, 12)), StdDeviation   = \(padded(deviation, 12))]\n"
    text += "#[Max     = \(padded(maximum, 12)), Total count    = \(padded("\(count)", 12))]\n"
    // Of three digits, from 64 ns to an hour.
    text += "#[Buckets = \(padded("26", 12)), SubBuckets     = \(padded("2048", 12))]\n"
    return text
  }

  /// Five lines for each halving of the distance to 1, as HdrHistogram does it.
  private static func tick(after level: Double) -> Double {
    var halvings = 1.0
    var distance = 1 - level
    while distance <= 0.5 {
      distance *= 2
      halvings += 1
    }
    var ticks = 5.0
    for _ in 0..<Int(halvings) { ticks *= 2 }
    return 1 / ticks
  }

  private func line(_ value: String, _ share: Double, _ reached: UInt64) -> String {
    padded(value, 12) + " " + fixed(share, 12) + " " + padded("\(reached)", 10)
  }

  private func milliseconds(_ nanoseconds: UInt64) -> String { milliseconds(Double(nanoseconds)) }
  private func milliseconds(_ nanoseconds: Double) -> String { fixed(nanoseconds / 1e6, 3) }
}

private func padded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}

/// `value` with `places` digits after the point; at most 12.
package func fixed(_ value: Double, _ places: Int) -> String {
  guard value.isFinite else { return "Infinity" }
  var scale: UInt64 = 1
  for _ in 0..<places { scale *= 10 }
  let magnitude = abs(value)
  guard magnitude < 1e18 / Double(scale) else { return "\(value)" }
  let scaled = UInt64((magnitude * Double(scale)).rounded())
  let sign = value < 0 && scaled > 0 ? "-" : ""
  guard places > 0 else { return "\(sign)\(scaled)" }
  let digits = "\(scaled % scale)"
  return "\(sign)\(scaled / scale)." + String(repeating: "0", count: places - digits.count) + digits
}
