internal import Core
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
  static let highestNanoseconds: UInt64 = 3_600_000_000_000
  /// Times are told apart from here, nanoseconds: a tenth of what the clock and a wake-up cost.
  static let lowestNanoseconds: UInt64 = 64

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
    histogram.value(atRank: LatencyHistogram.rank(quantile, of: count))
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
    for level in levels {
      let shown = level.nanoseconds.map(milliseconds) ?? "Infinity"
      text +=
        padded(shown, 12) + " " + fixed(level.share, 12) + " " + padded("\(level.reached)", 10)
      text += level.share < 1 ? padded(fixed(1 / (1 - level.share), 2), 15) + "\n" : "\n"
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

  /// A point of the curve of latency by percentile.
  package struct Level: Sendable, Equatable {
    /// Of calls, 0 … 1.
    package var share: Double
    /// What they did not exceed; nil = infinite.
    package var nanoseconds: UInt64?
    /// Calls up to there.
    package var reached: UInt64
  }

  /// HdrHistogram's levels over all calls: five for each halving of the distance to 1, as far as
  /// there are calls to tell them apart, and 1 itself.
  package var levels: [Level] {
    var steps = histogram.recordedValues().map { step in
      (
        Optional(min(histogram.highestEquivalentForValue(step.value), histogram.maxRecorded)),
        step.count
      )
    }
    if infiniteCount > 0 { steps.append((nil, infiniteCount)) }
    var levels: [Level] = []
    var reached: UInt64 = 0
    var level = 0.0
    for (value, added) in steps {
      reached += added
      let share = Double(reached) / Double(count)
      while reached < count, level <= share {
        levels.append(Level(share: level, nanoseconds: value, reached: reached))
        level += LatencyHistogram.tick(after: level)
      }
      if reached == count {
        levels.append(Level(share: 1, nanoseconds: value, reached: reached))
      }
    }
    return levels
  }

  /// Five levels for each halving of the distance to 1, as HdrHistogram does it.
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

  private func milliseconds(_ nanoseconds: UInt64) -> String { milliseconds(Double(nanoseconds)) }
  private func milliseconds(_ nanoseconds: Double) -> String { fixed(nanoseconds / 1e6, 3) }
}

extension Histogram {
  /// The time of the call of this rank, from 1; nil when it is not among the recorded ones.
  func value(atRank rank: UInt64) -> UInt64? {
    guard rank <= totalCount, rank > 0 else { return nil }
    if rank == totalCount { return maxRecorded }
    var reached: UInt64 = 0
    for step in recordedValues() {
      reached += UInt64(step.count)
      if reached >= rank { return Swift.min(highestEquivalentForValue(step.value), maxRecorded) }
    }
    return maxRecorded
  }
}

private func padded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}
