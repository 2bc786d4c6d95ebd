internal import Core

/// Two runs side by side: each figure of both, the difference, the ratio, and what makes them hard
/// to compare.
package struct RunComparison: Sendable, Equatable {
  package struct Row: Sendable, Equatable {
    /// Its name in JSON.
    package var key: String
    /// Its name in a table.
    package var title: String
    package var unit: Unit
    package var a: Double?
    package var b: Double?
    /// Whether more is better, worse, or neither.
    package var better: Better

    /// B − A; nil where one of them is infinite or not known. Percentages are subtracted.
    package var difference: Double? {
      guard let a, let b else { return nil }
      return b - a
    }

    /// B ÷ A; nil where one of them is infinite or not known, or A is 0.
    package var ratio: Double? {
      guard let a, let b, a != 0 else { return nil }
      return b / a
    }

    /// The unit's name behind a number.
    package func text(_ value: Double?) -> String {
      guard let value else { return isTime ? "infinite" : "-" }
      return switch unit {
      case .perSecond: fixed(value, 1)
      case .percent: fixed(value, 3)
      case .milliseconds: fixed(value, 3)
      case .microseconds: fixed(value, 2)
      case .mebibytes: fixed(value, 1)
      }
    }

    private var isTime: Bool { key.hasPrefix("latency") || key.hasPrefix("service") }
  }

  package enum Unit: String, Sendable {
    case perSecond = "calls/s"
    case percent = "%"
    case milliseconds = "ms"
    case microseconds = "us"
    case mebibytes = "MiB"
  }

  package enum Better: Sendable {
    case less
    case more
    case neither
  }

  package var a: RunRecord
  package var b: RunRecord
  package var rows: [Row]
  /// Sentences; empty when the runs are alike but for what was to be compared.
  package var warnings: [String]

  package init(_ a: RunRecord, _ b: RunRecord) {
    self.a = a
    self.b = b
    rows = RunComparison.rows(a, b)
    warnings = RunComparison.warnings(a, b)
  }

  // MARK: Rows

  private static func rows(_ a: RunRecord, _ b: RunRecord) -> [Row] {
    func row(
      _ key: String, _ title: String, _ unit: Unit, _ better: Better,
      _ value: (RunRecord) -> Double?
    ) -> Row {
      Row(key: key, title: title, unit: unit, a: value(a), b: value(b), better: better)
    }
    func share(_ key: String, _ title: String, _ better: Better, _ count: (RunRecord) -> Int?)
      -> Row
    {
      row(key, title, .percent, better) { run in run.share(count(run)).map { 100 * $0 } }
    }
    var rows = [
      row("offered_rps", "offered", .perSecond, .neither) { $0.offered },
      row("achieved_rps", "achieved", .perSecond, .more) { $0.achieved },
      row("in_time_rps", "in time", .perSecond, .more) { $0.inTimeRate },
      share("in_time", "in time", .more) { $0.inTime },
      share("late", "late", .less) { $0.late },
    ]
    for name in names(a.statuses, b.statuses, RunRecord.statusOrder) {
      rows.append(share("status.\(name)", name, name == "OK" ? .more : .less) { $0.count(name) })
    }
    rows.append(share("missing", "never sent", .less) { $0.missing })
    for name in names(a.fidelities, b.fidelities, RunRecord.fidelityOrder) {
      let better: Better = name == "FULL" ? .more : .neither
      rows.append(share("fidelity.\(name)", name, better) { $0.count(fidelity: name) })
    }
    for (kind, of) in [("latency", \RunRecord.latency), ("service", \RunRecord.service)] {
      for (key, title, value) in RunRecord.Percentiles.all {
        rows.append(
          row("\(kind)_ms.\(key)", "\(kind) \(title)", .milliseconds, .less) {
            $0[keyPath: of][keyPath: value]
          })
      }
    }
    rows.append(
      row("server.cpu_us_per_call", "server CPU a call", .microseconds, .less) {
        $0.server?.cpuMicrosecondsPerCall
      })
    rows.append(
      row("server.rss_mib", "server memory", .mebibytes, .less) {
        $0.server.map { $0.residentBytes / 1_048_576 }
      })
    rows.append(
      row("schedule_lag_ms", "schedule lag p99", .milliseconds, .less) { $0.lagMilliseconds })
    // What neither says is no row.
    return rows.filter { row in
      row.a != nil || row.b != nil || row.key.contains("_ms.")
    }
  }

  private static func names(
    _ a: [RunRecord.Entry], _ b: [RunRecord.Entry], _ order: [String]
  ) -> [String] {
    RunRecord.sorted(Set((a + b).map(\.name)), order)
  }

  // MARK: Warnings

  /// Rates further apart than this are other rates: Poisson's own scatter is a per cent at 10,000
  /// calls.
  static let rateTolerance = 0.01

  private static func warnings(_ a: RunRecord, _ b: RunRecord) -> [String] {
    var warnings: [String] = []
    if !isSame(a.rate, b.rate) {
      warnings.append(
        "the rates differ: \(Units.rate(a.rate)) and \(Units.rate(b.rate)) calls/s")
    }
    warnings += differences(a, b)
    for (name, run) in [("A", a), ("B", b)] where run.generator?.fellBehind == true {
      warnings.append("the generator fell behind in \(name): it says nothing of the server")
    }
    return warnings
  }

  /// Of what was asked for, but for the rate.
  static func differences(_ a: RunRecord, _ b: RunRecord) -> [String] {
    var warnings: [String] = []
    func differ<Value: Equatable>(
      _ what: String, _ value: KeyPath<RunRecord.Setup, Value?>, _ text: (Value) -> String
    ) {
      guard let one = a.setup[keyPath: value], let other = b.setup[keyPath: value], one != other
      else { return }
      warnings.append("the \(what) differ: \(text(one)) and \(text(other))")
    }
    differ("schedules", \.schedule) { $0 }
    differ("framings", \.framing) { $0 }
    differ("numbers of connections", \.connections) { "\($0)" }
    differ("timeouts", \.timeoutMilliseconds, Units.time)
    differ("durations", \.durationSeconds, Units.seconds)
    if let one = batch(a.setup), let other = batch(b.setup), one != other {
      warnings.append("the batches differ: \(one) and \(other) candidates")
    }
    if let one = a.setup.target, let other = b.setup.target {
      let kinds = (TargetKind(one), TargetKind(other))
      if kinds.0 != kinds.1 {
        warnings.append(
          "the targets are of different kinds: \(one) (\(kinds.0.rawValue)) "
            + "and \(other) (\(kinds.1.rawValue))")
      }
    }
    return warnings
  }

  private static func batch(_ setup: RunRecord.Setup) -> String? {
    guard let least = setup.candidatesLeast, let most = setup.candidatesMost else { return nil }
    return least == most ? "\(least)" : "\(least) to \(most)"
  }

  static func isSame(_ one: Double, _ other: Double) -> Bool {
    abs(one - other) <= rateTolerance * max(abs(one), abs(other))
  }
}

/// How far away a server is.
enum TargetKind: String {
  case unixSocket = "a Unix socket"
  case loopback = "this machine"
  case network = "the network"

  init(_ target: String) {
    if target.hasPrefix("unix:") || target.hasPrefix("/") {
      self = .unixSocket
    } else if target.hasPrefix("127.") || target.hasPrefix("[::1]")
      || target.hasPrefix("localhost:")
    {
      self = .loopback
    } else {
      self = .network
    }
  }
}

extension RunRecord.Percentiles {
  /// With their names in JSON and in a table.
  static var all: [(key: String, title: String, value: KeyPath<Self, Double?>)] {
    [
      ("p50", "p50", \.p50), ("p90", "p90", \.p90), ("p99", "p99", \.p99),
      ("p99_9", "p99.9", \.p999), ("p99_99", "p99.99", \.p9999), ("max", "max", \.max),
    ]
  }
}
