import Core
import Load
import Syscalls

/// What a report says of its run beside the plan.
struct LoadSetup {
  /// Of a call, the fewest and the most; nil = not known.
  var candidates: ClosedRange<Int>?
  var startedUnixMilliseconds: Int64?
}

extension LoadReport {
  typealias Members = [(key: String, value: String)]

  /// What was asked for.
  func json(_ setup: LoadSetup) -> Members {
    let seconds: (UInt64) -> String = { JSONText.number(Double($0) / 1e9) }
    let words = texts.filter { !$0.value.isEmpty }.sorted { $0.key.rawValue < $1.key.rawValue }
    return [
      ("version", JSONText.string(Version.text)),
      ("started_unix_ms", setup.startedUnixMilliseconds.map { "\($0)" } ?? "null"),
      ("target", JSONText.string(plan.target.description)),
      ("framing", JSONText.string(plan.framing.rawValue)),
      ("schedule", JSONText.string(plan.schedule.rawValue)),
      ("seed", "\(plan.seed)"),
      ("connections", "\(plan.connectionCount)"),
      ("in_flight_limit", "\(plan.inFlightMax)"),
      ("rate", JSONText.number(plan.ratePerSecond)),
      ("duration_s", seconds(plan.durationNanoseconds)),
      ("warm_up_s", seconds(plan.warmUpNanoseconds)),
      ("timeout_ms", LoadReport.milliseconds(plan.timeoutNanoseconds)),
      (
        "candidates",
        setup.candidates.map {
          JSONText.object([("min", "\($0.lowerBound)"), ("max", "\($0.upperBound)")])
        } ?? "null"
      ),
      ("texts", JSONText.object(words.map { ($0.key.name, JSONText.string($0.value)) })),
    ]
  }

  /// Latency by percentile, and everything over time.
  var curvesJSON: Members {
    [
      (
        "percentiles",
        JSONText.object([
          ("latency_ms", LoadReport.levels(tally.latency)),
          ("service_ms", LoadReport.levels(tally.service)),
        ])
      ),
      ("series", LoadReport.json(tally.series)),
    ]
  }

  private static func levels(_ histogram: LatencyHistogram) -> String {
    JSONText.array(
      histogram.levels.map { level in
        JSONText.array([JSONText.number(100 * level.share), milliseconds(level.nanoseconds)])
      })
  }

  /// Columns of one length.
  private static func json(_ series: LoadSeries) -> String {
    let points = series.points
    func column(_ value: (LoadSeries.Point) -> String) -> String {
      JSONText.array(points.map(value))
    }
    let codes = StatusCode.allCases.filter { code in
      points.contains { $0.count(code) > 0 }
    }
    let levels = LoadReport.fidelityNames.filter { level in
      points.contains { $0.count(fidelity: level.fidelity) > 0 }
    }
    return JSONText.object([
      ("interval_s", JSONText.number(Double(series.intervalNanoseconds) / 1e9)),
      ("t_s", column { JSONText.number($0.seconds) }),
      ("calls", column { "\($0.intended)" }),
      ("in_time", column { "\($0.inTime)" }),
      ("missing", column { "\($0.missing)" }),
      (
        "status",
        JSONText.object(codes.map { code in (code.name, column { "\($0.count(code))" }) })
      ),
      (
        "fidelity",
        JSONText.object(
          levels.map { level in
            (level.name, column { "\($0.count(fidelity: level.fidelity))" })
          })
      ),
      ("p50_ms", column { milliseconds($0.p50Nanoseconds) }),
      ("p99_ms", column { milliseconds($0.p99Nanoseconds) }),
      ("longest_ok_ms", column { milliseconds($0.longestNanoseconds) }),
      ("in_flight", column { JSONText.number($0.inFlight) }),
    ])
  }

  /// The best first.
  static let fidelityNames: [(fidelity: Fidelity, name: String)] = [
    (.full, "FULL"), (.partial, "PARTIAL"), (.prior, "PRIOR"), (.none, "NONE"),
    (.unspecified, "UNSPECIFIED"),
  ]
}
