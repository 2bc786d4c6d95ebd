/// A run over time.
enum TimeCharts {
  /// All that there are of one run; none of a file without a time series.
  static func of(_ run: RunRecord, prefix: String = "") -> [Chart] {
    guard let series = run.series, !series.seconds.isEmpty else { return [] }
    return [
      latency(run, series, prefix), calls(run, series, prefix), fidelity(run, series, prefix),
      inFlight(run, series, prefix),
    ].compactMap { $0 }
  }

  static func axis(_ series: RunRecord.Series) -> Axis {
    .span(series.extent.from, series.extent.to) { Units.number($0) }
  }

  static func warmUp(_ series: RunRecord.Series) -> [Chart.Band] {
    series.extent.from < 0
      ? [Chart.Band(from: series.extent.from, to: 0, label: "warm-up")] : []
  }

  static let xTitle = "seconds since the warm-up"

  /// In the middle of each interval.
  static func points(
    _ series: RunRecord.Series, _ value: (Int) -> Chart.Point
  ) -> [(x: Double, y: Chart.Point)] {
    series.seconds.indices.map { (series.seconds[$0] + series.intervalSeconds / 2, value($0)) }
  }

  /// A time of an interval: infinite where it is not known and calls were made.
  static func time(_ series: RunRecord.Series, _ values: [Double?], _ index: Int) -> Chart.Point {
    values[index].map { .at($0) } ?? (series.calls[index] > 0 ? .infinite : .none)
  }

  static func each(_ series: RunRecord.Series) -> String {
    let length =
      series.intervalSeconds == 1 ? "second" : Units.seconds(series.intervalSeconds)
    return "each \(length)"
  }

  // MARK: Charts

  private static func latency(_ run: RunRecord, _ series: RunRecord.Series, _ prefix: String)
    -> Chart
  {
    let known = (series.p50 + series.p99 + series.longest).compactMap { $0 }
    let limit = run.latencyObjectives.first { $0.share == 0.99 && $0.objective.limit > 0 }
    let isShown = (limit?.objective.limit ?? .infinity) <= 20 * (known.max() ?? 0)
    var chart = Chart(
      name: prefix + "latency-time", title: "Latency over time",
      note: "Percentiles of \(each(series)).",
      x: axis(series),
      y: .times(known + (isShown ? [limit?.objective.limit ?? 0] : [])), xTitle: xTitle)
    chart.bands = warmUp(series)
    chart.lines = [
      Chart.Line(
        name: "longest answer", tone: .third,
        points: points(series) { series.longest[$0].map { .at($0) } ?? .none }, isDashed: true),
      Chart.Line(
        name: "p99", tone: .second, points: points(series) { time(series, series.p99, $0) }),
      Chart.Line(
        name: "p50", tone: .first, points: points(series) { time(series, series.p50, $0) }),
    ]
    chart.explainInfinite()
    if let limit, isShown {
      chart.rules = [
        Chart.Rule(
          place: .across(y: limit.objective.limit, end: nil),
          label: "p99 ≤ \(Units.time(limit.objective.limit))",
          tone: limit.objective.isMet ? .met : .missed)
      ]
    }
    let text: (Double?) -> String = { $0.map { Units.time($0) } ?? "-" }
    chart.readouts = series.readouts { index in
      let infinite: (Double?) -> String = { series.calls[index] > 0 ? Units.time($0) : "-" }
      return "p50: \(infinite(series.p50[index]))\np99: \(infinite(series.p99[index]))\n"
        + "longest answer: \(text(series.longest[index]))"
    }
    chart.table = DataTable(
      head: ["from", "calls", "in time", "p50", "p99", "longest answer", "in flight"],
      rows: series.seconds.indices.map { index in
        [
          Units.seconds(series.seconds[index]), Units.count(series.calls[index]),
          Units.count(series.inTime[index]),
          series.calls[index] > 0 ? Units.time(series.p50[index]) : "-",
          series.calls[index] > 0 ? Units.time(series.p99[index]) : "-",
          text(series.longest[index]), Units.number(series.inFlight[index]),
        ]
      })
    return chart
  }

  private static func calls(_ run: RunRecord, _ series: RunRecord.Series, _ prefix: String) -> Chart
  {
    let counts = series.seconds.indices.map { series.outcomes($0) }
    let rates = series.seconds.indices.map { index in
      let seconds = series.covered(index, run.setup)
      return counts[index].map { Double($0) / seconds }
    }
    let most = rates.map { $0.reduce(0, +) }.max() ?? 0
    var chart = Chart(
      name: prefix + "calls-time", title: "Calls over time",
      note: "Calls a second that were meant to start then, by what came of them.",
      x: axis(series), y: .upTo(max(most, run.rate), Units.rate), xTitle: xTitle)
    chart.bands = warmUp(series)
    chart.layers = Chart.stack(
      Outcome.kinds, spans: series.seconds.indices.map(series.span),
      values: Outcome.allCases.map { outcome in rates.map { $0[outcome.rawValue] } })
    chart.rules = [
      Chart.Rule(
        place: .across(y: run.rate, end: nil), label: "intended \(Units.rate(run.rate)) calls/s",
        tone: .plain)
    ]
    let names = Outcome.allCases.filter { outcome in counts.contains { $0[outcome.rawValue] > 0 } }
    chart.readouts = series.readouts { index in
      names.map { "\($0.name): \(Units.count(counts[index][$0.rawValue]))" }
        .joined(separator: "\n")
    }
    chart.table = DataTable(
      head: ["from", "calls"] + names.map(\.name),
      rows: series.seconds.indices.map { index in
        [Units.seconds(series.seconds[index]), Units.count(series.calls[index])]
          + names.map { Units.count(counts[index][$0.rawValue]) }
      })
    return chart
  }

  private static func fidelity(_ run: RunRecord, _ series: RunRecord.Series, _ prefix: String)
    -> Chart?
  {
    let kinds = FidelityKind.kinds
    let counts = kinds.map { kind in
      series.fidelities.first { $0.name == kind.name }?.counts
        ?? [Int](repeating: 0, count: series.seconds.count)
    }
    let totals = series.seconds.indices.map { index in counts.reduce(0) { $0 + $1[index] } }
    guard totals.contains(where: { $0 > 0 }) else { return nil }
    let shares = counts.map { row in
      zip(row, totals).map { $1 > 0 ? 100 * Double($0) / Double($1) : 0 }
    }
    var chart = Chart(
      name: prefix + "fidelity-time", title: "Fidelity over time",
      note: "How much of the model the OK answers came from.",
      x: axis(series), y: .upTo(100) { Units.number($0) + " %" }, xTitle: xTitle)
    chart.bands = warmUp(series)
    chart.layers = Chart.stack(
      kinds, spans: series.seconds.indices.map(series.span), values: shares)
    let seen = kinds.indices.filter { counts[$0].contains { $0 > 0 } }
    chart.readouts = series.readouts { index in
      seen.map { "\(kinds[$0].name): \(Units.count(counts[$0][index]))" }.joined(separator: "\n")
    }
    chart.table = DataTable(
      head: ["from"] + seen.map { kinds[$0].name },
      rows: series.seconds.indices.map { index in
        [Units.seconds(series.seconds[index])] + seen.map { Units.count(counts[$0][index]) }
      })
    return chart
  }

  private static func inFlight(_ run: RunRecord, _ series: RunRecord.Series, _ prefix: String)
    -> Chart
  {
    var chart = Chart(
      name: prefix + "in-flight", title: "Calls under way",
      note: "Sent, and not answered yet: the mean over \(each(series)).",
      x: axis(series), y: .upTo(series.inFlight.max() ?? 0) { Units.number($0) }, xTitle: xTitle)
    chart.bands = warmUp(series)
    chart.lines = [
      Chart.Line(
        name: "under way", tone: .first, points: points(series) { .at(series.inFlight[$0]) })
    ]
    chart.readouts = series.readouts { "under way: \(Units.number(series.inFlight[$0]))" }
    chart.table = DataTable(
      head: ["from", "under way"],
      rows: series.seconds.indices.map { index in
        [Units.seconds(series.seconds[index]), Units.number(series.inFlight[index])]
      })
    return chart
  }
}
