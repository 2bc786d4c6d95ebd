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
      PercentileChart.Curve(name: name, tone: tone, levels: run.levels(run.latencyLevels, run.latency))
    }
    var charts = [
      PercentileChart.chart(
        "percentiles", "Latency by percentile", [curve("A", .first, a), curve("B", .second, b)],
        objectives: b.latencyObjectives)
    ]
    charts[0].isWide = true
    if let one = a.series, let other = b.series, !one.seconds.isEmpty, !other.seconds.isEmpty {
      charts += [latency(one, other), inTime((a, one), (b, other))]
    }
    charts += [
      SweepCharts.shares(
        "outcomes", "Outcomes", "What came of the intended calls.", Outcome.kinds,
        labels: ["A", "B"], counts: [a.outcomes, b.outcomes], xTitle: "run"),
      SweepCharts.shares(
        "fidelity", "Fidelity",
        "How much of the model the OK answers came from.", FidelityKind.kinds,
        labels: ["A", "B"], counts: [a.fidelityCounts, b.fidelityCounts], xTitle: "run"),
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
    return chart
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
    return [curve, goodput, fidelity]
  }

  private static func sides(
    _ a: [RunRecord], _ b: [RunRecord], _ value: (RunRecord) -> Chart.Point
  ) -> [Chart.Line] {
    [("A", Chart.Tone.first, a), ("B", .second, b)].map { name, tone, runs in
      Chart.Line(name: name, tone: tone, points: runs.map { ($0.rate, value($0)) }, hasDots: true)
    }
  }
}
