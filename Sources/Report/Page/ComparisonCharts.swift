/// Two reports drawn over each other: A in the first colour, B in the second.
enum ComparisonCharts {
  static func of(_ comparison: LoadComparison) -> [Chart] {
    comparison.a.isSweep
      ? sweeps(comparison.a.runs, comparison.b.runs)
      : runs(comparison.a.runs[0], comparison.b.runs[0])
  }

  // MARK: Runs

  private static func runs(_ a: RunRecord, _ b: RunRecord) -> [Chart] {
    let curve: (String, Chart.Tone, RunRecord) -> PercentileChart.Curve = { name, tone, run in
      PercentileChart.Curve(
        name: name, tone: tone, levels: run.levels(run.latencyLevels, run.latency))
    }
    var charts = [
      PercentileChart.chart(
        "percentiles", "Latency by percentile", [curve("A", .first, a), curve("B", .second, b)],
        calls: max(a.calls, b.calls), objectives: b.latencyObjectives)
    ]
    charts[0].isWide = true
    charts[0].table = PercentileChart.table("run", [("A", a), ("B", b)])
    if let one = a.series, let other = b.series, !one.seconds.isEmpty, !other.seconds.isEmpty {
      charts += [latency(one, other), inTime((a, one), (b, other))]
    }
    charts += [
      SweepCharts.shares(
        "outcomes", "Outcomes", "What came of the intended calls.", Outcome.kinds,
        labels: ["A", "B"], counts: [a.outcomes, b.outcomes], xTitle: "report"),
      SweepCharts.shares(
        "fidelity", "Fidelity",
        "How much of the model the OK answers came from.", FidelityKind.kinds,
        labels: ["A", "B"], counts: [a.fidelityCounts, b.fidelityCounts], xTitle: "report"),
    ]
    return charts
  }

  private static func axis(_ a: RunRecord.Series, _ b: RunRecord.Series) -> Axis {
    .span(min(a.extent.from, b.extent.from), max(a.extent.to, b.extent.to)) { Units.number($0) }
  }

  private static func latency(_ a: RunRecord.Series, _ b: RunRecord.Series) -> Chart {
    let known = (a.p50 + a.p99 + b.p50 + b.p99).compactMap { $0 }
    var chart = Chart(
      name: "latency-time", title: "Latency over time",
      note: "p99 drawn through, p50 dashed.",
      x: axis(a, b), y: .times(known), xTitle: TimeCharts.xTitle)
    chart.bands = TimeCharts.warmUp(a.extent.from < b.extent.from ? a : b)
    for (name, tone, series) in [("A", Chart.Tone.first, a), ("B", .second, b)] {
      chart.lines += [
        Chart.Line(
          name: "\(name) p99", tone: tone,
          points: TimeCharts.points(series) { TimeCharts.time(series, series.p99, $0) }),
        Chart.Line(
          name: "\(name) p50", tone: tone,
          points: TimeCharts.points(series) { TimeCharts.time(series, series.p50, $0) },
          isDashed: true),
      ]
    }
    chart.explainInfinite()
    let text: (Double?) -> String = { $0.map { Units.time($0) } ?? "-" }
    chart.table = table(["A p50", "A p99", "B p50", "B p99"], a, b) { index, series in
      [text(series.p50[index]), text(series.p99[index])]
    }
    return chart
  }

  private static func inTime(
    _ a: (run: RunRecord, series: RunRecord.Series), _ b: (run: RunRecord, series: RunRecord.Series)
  ) -> Chart {
    let rate: (RunRecord, RunRecord.Series, Int) -> Double = { run, series, index in
      Double(series.inTime[index]) / series.covered(index, run.setup)
    }
    let all = [a, b].flatMap { run, series in
      series.seconds.indices.map { rate(run, series, $0) }
    }
    var chart = Chart(
      name: "calls-time", title: "Answers in time over time",
      note: "Calls a second that were answered OK by their deadline.",
      x: axis(a.series, b.series),
      y: .upTo(max(all.max() ?? 0, a.run.rate, b.run.rate), Units.rate), xTitle: TimeCharts.xTitle)
    chart.bands = TimeCharts.warmUp(
      a.series.extent.from < b.series.extent.from ? a.series : b.series)
    chart.lines = [("A", Chart.Tone.first, a), ("B", .second, b)].map { name, tone, side in
      Chart.Line(
        name: name, tone: tone,
        points: TimeCharts.points(side.series) { .at(rate(side.run, side.series, $0)) })
    }
    chart.table = table(["A", "B"], a.series, b.series) { index, series in
      [Units.count(series.inTime[index])]
    }
    return chart
  }

  /// Cells of both sides for each instant that either has.
  private static func table(
    _ head: [String], _ a: RunRecord.Series, _ b: RunRecord.Series,
    _ cells: (Int, RunRecord.Series) -> [String]
  ) -> DataTable {
    let width = head.count / 2
    let rows = [a, b].map { series in
      Dictionary(uniqueKeysWithValues: series.seconds.enumerated().map { ($1, cells($0, series)) })
    }
    let empty = [String](repeating: "", count: width)
    return DataTable(
      head: ["from"] + head,
      rows: Set(a.seconds + b.seconds).sorted().map { second in
        [Units.seconds(second)] + (rows[0][second] ?? empty) + (rows[1][second] ?? empty)
      })
  }

  // MARK: Sweeps

  private static func sweeps(_ a: [RunRecord], _ b: [RunRecord]) -> [Chart] {
    let both = a + b
    let times = both.flatMap { [$0.latency.p50, $0.latency.p99] }.compactMap { $0 }
    var curve = Chart(
      name: "curve", title: "Latency by rate",
      note: "p99 drawn through, p50 dashed.",
      x: SweepCharts.rates(both), y: .times(times), xTitle: SweepCharts.xTitle, isWide: true)
    curve.lines = [
      SweepCharts.line(a, "A p99", .first, \.p99),
      SweepCharts.line(a, "A p50", .first, \.p50, isDashed: true),
      SweepCharts.line(b, "B p99", .second, \.p99),
      SweepCharts.line(b, "B p50", .second, \.p50, isDashed: true),
    ]
    curve.explainInfinite()
    curve.table = PercentileChart.table("calls/s", named(a, b))
    let most = both.map(\.rate).max() ?? 1
    var goodput = Chart(
      name: "goodput", title: "Answers in time by rate",
      note: "Calls a second that were answered OK by their deadline.",
      x: SweepCharts.rates(both), y: .upTo(most, Units.rate), xTitle: SweepCharts.xTitle)
    goodput.lines =
      [SweepCharts.offered(both)]
      + sides(a, b) { run in run.inTimeRate.map { .at($0) } ?? .none }
    var fidelity = Chart(
      name: "fidelity", title: "Whole answers by rate",
      note: "Intended calls that were answered OK from the whole model.",
      x: SweepCharts.rates(both), y: .upTo(100) { Units.number($0) + " %" },
      xTitle: SweepCharts.xTitle)
    fidelity.lines = sides(a, b) { run in
      run.share(run.count(fidelity: "FULL")).map { .at(100 * $0) } ?? .none
    }
    goodput.table = DataTable(
      head: ["calls/s", "in time", "whole answers"],
      rows: named(a, b).map { name, run in
        [
          name, run.inTimeRate.map(Units.rate) ?? "-",
          run.share(run.count(fidelity: "FULL")).map(Units.percent) ?? "-",
        ]
      })
    fidelity.table = goodput.table
    return [curve, goodput, fidelity]
  }

  /// Every rate of both, A before B where they have the same.
  private static func named(_ a: [RunRecord], _ b: [RunRecord]) -> [(name: String, run: RunRecord)]
  {
    let all =
      a.map { ("A \(Units.rate($0.rate))", $0) } + b.map { ("B \(Units.rate($0.rate))", $0) }
    return all.enumerated().sorted { one, other in
      (one.element.1.rate, one.offset) < (other.element.1.rate, other.offset)
    }.map(\.element)
  }

  private static func sides(
    _ a: [RunRecord], _ b: [RunRecord], _ value: (RunRecord) -> Chart.Point
  ) -> [Chart.Line] {
    [("A", Chart.Tone.first, a), ("B", .second, b)].map { name, tone, runs in
      Chart.Line(name: name, tone: tone, points: runs.map { ($0.rate, value($0)) }, hasDots: true)
    }
  }
}
