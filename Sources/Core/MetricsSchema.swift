/// What the numbers in a family's cells are, and so how they are shown.
package enum MetricUnit: Sendable {
  /// Whole things, bytes included: shown as they are.
  case count
  /// Nanoseconds in the cells, seconds in what is shown (Prometheus' base unit).
  case nanoseconds

  func text(_ value: UInt64) -> String {
    self == .count ? "\(value)" : MetricText.number(Double(value) / 1e9)
  }

  func text(_ value: Int64) -> String {
    self == .count ? "\(value)" : MetricText.number(Double(value) / 1e9)
  }
}

package enum MetricKind: String, Sendable {
  case counter, gauge, histogram
}

/// Upper bounds of a histogram's buckets, rising; what is above them all has a bucket of its own.
package enum MetricBounds {
  /// Latency, nanoseconds: gRPC proposal A66.
  package static let latencyNanoseconds: [UInt64] =
    [0, 10, 50, 100, 300, 600, 800].map { $0 * 1_000 }
    + ([1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250]
    + [300, 400, 500, 650, 800, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000])
    .map { $0 * 1_000_000 }

  /// Sizes, bytes: gRPC proposal A66.
  package static let sizeBytes: [UInt64] =
    [0] + [10, 11, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32].map { 1 << $0 }
}

/// One value that was read when it was asked for.
package struct MetricSample: Sendable, Equatable {
  /// One for each label of the family.
  package var labelValues: [String]
  package var value: Double

  package init(_ labelValues: [String] = [], _ value: Double) {
    self.labelValues = labelValues
    self.value = value
  }
}

/// Series of one name.
struct MetricFamily: Sendable {
  let name: String
  let help: String
  let kind: MetricKind
  let labels: [String]
  let unit: MetricUnit
  /// Series that nothing was counted in are left out: for families whose combinations mostly
  /// never happen.
  let hidesEmpty: Bool
  let bounds: [UInt64]
  /// Labels of each series as they are shown, without braces: `a="b",c="d"`.
  var series: [String] = []
  var firstCell = 0
  var firstBound = 0
  /// Instead of cells.
  var read: (@Sendable () -> [MetricSample])?

  var cellsPerSeries: Int { kind == .histogram ? bounds.count + 2 : 1 }
}

/// Names a declared family, to get its handles from a registry by.
package struct MetricFamilyID: Sendable {
  let index: Int
}

/// All families of a process with all their series, declared before anything is counted: what is
/// not declared here cannot be counted, so that no client can make series.
///
/// A wrong name, a label twice or a series twice is a mistake of ours: it traps.
package struct MetricSchema: Sendable {
  private(set) var families: [MetricFamily] = []
  private(set) var cellCount = 0
  private(set) var bounds: [UInt64] = []

  package init() {}

  /// `series`: values for `labels`, for each series; its order is that of the handles.
  package mutating func counter(
    _ name: String, _ help: String, labels: [String] = [], unit: MetricUnit = .count,
    hidesEmpty: Bool = false, series: [[String]] = [[]]
  ) -> MetricFamilyID {
    add(
      MetricFamily(
        name: name, help: help, kind: .counter, labels: labels, unit: unit,
        hidesEmpty: hidesEmpty, bounds: []),
      series)
  }

  package mutating func gauge(
    _ name: String, _ help: String, labels: [String] = [], unit: MetricUnit = .count,
    series: [[String]] = [[]]
  ) -> MetricFamilyID {
    add(
      MetricFamily(
        name: name, help: help, kind: .gauge, labels: labels, unit: unit, hidesEmpty: false,
        bounds: []),
      series)
  }

  /// `bounds` rise strictly, in the unit of the cells.
  package mutating func histogram(
    _ name: String, _ help: String, labels: [String] = [], unit: MetricUnit, bounds: [UInt64],
    hidesEmpty: Bool = false, series: [[String]] = [[]]
  ) -> MetricFamilyID {
    precondition(!bounds.isEmpty && !labels.contains("le"), "\(name): bounds, and no label le")
    precondition(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "\(name): bounds rise")
    return add(
      MetricFamily(
        name: name, help: help, kind: .histogram, labels: labels, unit: unit,
        hidesEmpty: hidesEmpty, bounds: bounds),
      series)
  }

  /// A family without cells: `read` is called for each exposition, on whatever thread asks.
  package mutating func observed(
    _ kind: MetricKind, _ name: String, _ help: String, labels: [String] = [],
    _ read: @escaping @Sendable () -> [MetricSample]
  ) {
    precondition(kind != .histogram, "\(name): a histogram has cells")
    var family = MetricFamily(
      name: name, help: help, kind: kind, labels: labels, unit: .count, hidesEmpty: false,
      bounds: [])
    family.read = read
    _ = add(family, [])
  }

  private mutating func add(_ family: MetricFamily, _ series: [[String]]) -> MetricFamilyID {
    precondition(MetricText.isName(family.name), "\(family.name) is no name of a metric")
    precondition(
      !families.contains { $0.name == family.name }, "\(family.name) is declared twice")
    precondition(
      family.labels.allSatisfy(MetricText.isLabel)
        && Set(family.labels).count
          == family.labels.count,
      "\(family.name): labels are names, each once")
    precondition(Set(series).count == series.count, "\(family.name) has a series twice")
    var family = family
    family.series = series.map { MetricText.labels(family.labels, $0) }
    family.firstCell = cellCount
    family.firstBound = bounds.count
    cellCount += series.count * family.cellsPerSeries
    bounds += family.bounds
    families.append(family)
    return MetricFamilyID(index: families.count - 1)
  }

  /// Every combination of one value from each list, the last list running fastest.
  package static func combinations(_ lists: [[String]]) -> [[String]] {
    lists.reduce([[]]) { made, list in made.flatMap { head in list.map { head + [$0] } } }
  }
}
