package import Core
internal import Histogram

/// A run over time: what the calls came to that were meant to start in each interval, warm-up and
/// window alike. An interval's edge is the window's start, so that none is in both.
package struct LoadSeries: Sendable {
  package let intervalNanoseconds: UInt64
  /// Where the first interval starts; at the window's start, or whole intervals before.
  package let startNanoseconds: UInt64
  package let count: Int

  private let window: Range<UInt64>
  /// 15 KB for each interval that has an answer: 55 MB of an hour's run.
  private var latencies: [IntervalLatencies]
  /// Flat: a row of all statuses for each interval.
  private var statuses: [Int]
  private var fidelities: [Int]
  private var inTime: [Int]
  private var missing: [Int]
  /// Nanoseconds that calls were under way within the interval, of those that started or ended in
  /// it; those that were under way all through are in `passing`.
  private var underWay: [UInt64]
  /// Differences of the number of calls that were under way from an interval's start to its end.
  private var passing: [Int]

  private static let statusCount = StatusCode.allCases.count
  private static let fidelityCount = Fidelity.allCases.count

  /// Runs shorter than this are cut finer, nanoseconds.
  private static let shortRunNanoseconds: UInt64 = 10_000_000_000
  private static let shortIntervalNanoseconds: UInt64 = 100_000_000
  /// Seconds.
  private static let intervals: [UInt64] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 3_600]

  /// `window` is not empty.
  package init(window: Range<UInt64>, warmUpNanoseconds: UInt64) {
    self.window = window
    let duration = window.upperBound - window.lowerBound
    let interval = LoadSeries.interval(
      warmUpNanoseconds: warmUpNanoseconds, durationNanoseconds: duration)
    intervalNanoseconds = interval
    let before = (warmUpNanoseconds + interval - 1) / interval
    startNanoseconds = window.lowerBound &- before * interval
    count = Int(before + (duration + interval - 1) / interval)
    latencies = Array(repeating: IntervalLatencies(), count: count)
    statuses = Array(repeating: 0, count: count * LoadSeries.statusCount)
    fidelities = Array(repeating: 0, count: count * LoadSeries.fidelityCount)
    inTime = Array(repeating: 0, count: count)
    missing = inTime
    underWay = Array(repeating: 0, count: count)
    passing = Array(repeating: 0, count: count + 1)
  }

  /// The shortest round interval of which a run has few enough.
  static func interval(warmUpNanoseconds: UInt64, durationNanoseconds: UInt64) -> UInt64 {
    let total = warmUpNanoseconds + durationNanoseconds
    if total < shortRunNanoseconds { return shortIntervalNanoseconds }
    // One interval may be begun on either side of the window's start, and at its end.
    let fits: (UInt64) -> Bool = {
      total / ($0 * 1_000_000_000) + 2 <= UInt64(Limits.reportIntervals)
    }
    return (intervals.first(where: fits) ?? intervals[intervals.count - 1]) * 1_000_000_000
  }

  /// The interval of an instant; nil outside of the run. Instants wrap as the start does.
  private func index(_ nanoseconds: UInt64) -> Int? {
    let index = (nanoseconds &- startNanoseconds) / intervalNanoseconds
    return index < UInt64(count) && nanoseconds < window.upperBound ? Int(index) : nil
  }

  private func start(of index: Int) -> UInt64 {
    startNanoseconds &+ UInt64(index) * intervalNanoseconds
  }

  // MARK: Counting

  package mutating func record(_ call: CallRecord, isInTime: Bool) {
    guard let index = index(call.intendedNanoseconds) else { return }
    statuses[index * LoadSeries.statusCount + Int(call.status.rawValue)] += 1
    addUnderWay(from: call.sentNanoseconds, to: call.endedNanoseconds)
    guard call.status == .ok else { return }
    fidelities[index * LoadSeries.fidelityCount + Int(call.fidelity.rawValue)] += 1
    if isInTime { inTime[index] += 1 }
    let ended = call.endedNanoseconds
    latencies[index].record(ended - min(ended, call.intendedNanoseconds))
  }

  package mutating func recordMissing(intendedNanoseconds: UInt64) {
    guard let index = index(intendedNanoseconds) else { return }
    missing[index] += 1
  }

  /// In constant time, however long the call was.
  private mutating func addUnderWay(from sent: UInt64, to ended: UInt64) {
    guard ended > sent, let first = index(sent) else { return }
    let last = index(ended) ?? count
    guard last > first else {
      underWay[first] += ended - sent
      return
    }
    underWay[first] += start(of: first + 1) &- sent
    if last < count { underWay[last] += ended &- start(of: last) }
    passing[first + 1] += 1
    passing[last] -= 1
  }

  // MARK: What there is

  /// One interval. Calls are counted where they were meant to start.
  package struct Point: Sendable {
    /// Of the interval's start, seconds from the window's; below 0 in the warm-up.
    package var seconds: Double
    package var intended: Int
    package var inTime: Int
    package var missing: Int
    /// By `StatusCode`'s and `Fidelity`'s numbers.
    fileprivate var statuses: [Int]
    fileprivate var fidelities: [Int]
    /// Over all intended calls; nil = infinite, or no call.
    package var p50Nanoseconds: UInt64?
    package var p99Nanoseconds: UInt64?
    /// The longest that was answered OK: a stall shows beside calls that failed. Nil = none.
    package var longestNanoseconds: UInt64?
    /// Calls under way, the mean over the interval.
    package var inFlight: Double

    package func count(_ status: StatusCode) -> Int { statuses[Int(status.rawValue)] }
    package func count(fidelity: Fidelity) -> Int { fidelities[Int(fidelity.rawValue)] }
  }

  package var points: [Point] {
    var points: [Point] = []
    var passingNow = 0
    for index in 0..<count {
      passingNow += passing[index]
      let (codes, levels) = (LoadSeries.statusCount, LoadSeries.fidelityCount)
      let own = Array(statuses[index * codes..<(index + 1) * codes])
      let intended = own.reduce(missing[index], +)
      let seconds = Double(Int64(bitPattern: start(of: index) &- window.lowerBound)) / 1e9
      let spent = Double(underWay[index]) / Double(intervalNanoseconds)
      points.append(
        Point(
          seconds: seconds, intended: intended, inTime: inTime[index], missing: missing[index],
          statuses: own,
          fidelities: Array(fidelities[index * levels..<(index + 1) * levels]),
          p50Nanoseconds: latencies[index].value(Quantile(millionths: 500_000), of: intended),
          p99Nanoseconds: latencies[index].value(Quantile(millionths: 990_000), of: intended),
          longestNanoseconds: latencies[index].longest,
          inFlight: spent + Double(passingNow)))
    }
    return points
  }
}

/// The latencies of one interval's answers, of two digits: those of the whole run have three.
private struct IntervalLatencies: Sendable {
  /// None until there is an answer.
  private var histogram: Histogram<UInt32>?

  mutating func record(_ nanoseconds: UInt64) {
    if histogram == nil {
      histogram = Histogram(
        lowestDiscernibleValue: LatencyHistogram.lowestNanoseconds,
        highestTrackableValue: LatencyHistogram.highestNanoseconds,
        numberOfSignificantValueDigits: .two)
    }
    // A bin is full after 2³² − 1 calls; percentiles are what they are by then.
    guard (histogram?.totalCount ?? 0) < UInt64(UInt32.max) else { return }
    histogram?.record(min(nanoseconds, LatencyHistogram.highestNanoseconds))
  }

  var longest: UInt64? { histogram?.maxRecorded }

  /// The others of the `intended` calls were infinite.
  func value(_ quantile: Quantile, of intended: Int) -> UInt64? {
    histogram?.value(atRank: LatencyHistogram.rank(quantile, of: UInt64(intended)))
  }
}
