/// Runs at rising rates.
enum SweepCharts {
  static let xTitle = "intended calls a second"

  static func rates(_ runs: [RunRecord]) -> Axis {
    .span(0, 1.03 * (runs.map(\.rate).max() ?? 1), Units.rate)
  }

  static func of(_ document: LoadDocument) -> [Chart] {
    let runs = document.runs
    return [
      curve(runs, capacity: document.capacity), goodput(runs), outcomes(runs), fidelity(runs),
      percentiles(runs),
    ].compactMap { $0 }
  }

  /// A time of each run by its rate.
  static func line(
    _ runs: [RunRecord], _ name: String, _ tone: Chart.Tone,
    _ value: KeyPath<RunRecord.Percentiles, Double?>, isDashed: Bool = false
  ) -> Chart.Line {
    Chart.Line(
      name: name, tone: tone,
      points: runs.map { run in
        let time = run.latency[keyPath: value]
        return (run.rate, time.map { .at($0) } ?? (run.calls > 0 ? .infinite : .none))
      }, isDashed: isDashed, hasDots: true)
  }

  private static func curve(_ runs: [RunRecord], capacity: Double?) -> Chart {
    let limits = runs[0].latencyObjectives.map(\.objective)
    let times = runs.flatMap { [$0.latency.p50, $0.latency.p99, $0.latency.p999] }
      .compactMap { $0 }
    let shown = limits.filter { $0.limit <= 20 * (times.max() ?? 0) }
    var chart = Chart(
      name: "curve", title: "Latency by rate",
      note: "The throughput–latency curve: latency from the intended start, over all intended "
        + "calls.",
      x: rates(runs), y: .times(times + shown.map(\.limit)), xTitle: xTitle, isWide: true)
    chart.lines = [
      line(runs, "p99.9", .third, \.p999, isDashed: true), line(runs, "p99", .second, \.p99),
      line(runs, "p50", .first, \.p50),
    ]
    chart.explainInfinite()
    chart.rules = shown.map {
      Chart.Rule(
        place: .across(y: $0.limit, end: nil), label: "\($0.name) ≤ \(Units.time($0.limit))",
        tone: .plain)
    }
    if let capacity {
      chart.rules.append(
        Chart.Rule(
          place: .up(x: capacity), label: "capacity \(Units.rate(capacity))", tone: .met))
    }
    chart.readouts = readouts(runs.map(\.rate)) { index in
      let latency = runs[index].latency
      return "p50: \(Units.time(latency.p50))\np99: \(Units.time(latency.p99))\n"
        + "p99.9: \(Units.time(latency.p999))"
    }
    chart.table = table(runs)
    return chart
  }

  /// From the middle between a rate and the one before to the middle to the next.
  static func readouts(_ rates: [Double], _ text: (Int) -> String) -> [Chart.Readout] {
    rates.indices.map { index in
      let rate = rates[index]
      let from = index > 0 ? (rates[index - 1] + rate) / 2 : 0
      let to = index + 1 < rates.count ? (rate + rates[index + 1]) / 2 : 2 * rate
      return Chart.Readout(
        from: from, to: to, text: Units.rate(rate) + " calls/s\n" + text(index))
    }
  }

  private static func goodput(_ runs: [RunRecord]) -> Chart {
    let most = runs.map { max($0.rate, $0.achieved) }.max() ?? 1
    var chart = Chart(
      name: "goodput", title: "Answers by rate",
      note: "Calls a second that were answered at all, and those that were OK by their deadline.",
      x: rates(runs), y: .upTo(most, Units.rate), xTitle: xTitle)
    chart.lines = [
      offered(runs),
      Chart.Line(
        name: "answered", tone: .second, points: runs.map { ($0.rate, .at($0.achieved)) },
        hasDots: true),
      Chart.Line(
        name: "OK in time", tone: .first,
        points: runs.map { ($0.rate, $0.inTimeRate.map { .at($0) } ?? .none) }, hasDots: true),
    ]
    chart.readouts = readouts(runs.map(\.rate)) { index in
      "answered: \(Units.rate(runs[index].achieved))\n"
        + "OK in time: \(runs[index].inTimeRate.map(Units.rate) ?? "-")"
    }
    chart.table = DataTable(
      head: ["intended", "answered", "OK in time"],
      rows: runs.map { run in
        [
          Units.rate(run.rate), Units.rate(run.achieved), run.inTimeRate.map(Units.rate) ?? "-",
        ]
      })
    return chart
  }

  /// What is asked for against itself: the best that there could be.
  static func offered(_ runs: [RunRecord]) -> Chart.Line {
    let most = runs.map(\.rate).max() ?? 1
    return Chart.Line(
      name: "as many as intended", tone: .plain, points: [(0, .at(0)), (most, .at(most))],
      isDashed: true)
  }

  private static func outcomes(_ runs: [RunRecord]) -> Chart {
    shares(
      "outcomes", "Outcomes by rate", "What came of the intended calls.", Outcome.kinds,
      labels: runs.map { Units.rate($0.rate) }, counts: runs.map(\.outcomes), xTitle: xTitle)
  }

  private static func fidelity(_ runs: [RunRecord]) -> Chart {
    shares(
      "fidelity", "Fidelity by rate",
      "How much of the model the OK answers came from.", FidelityKind.kinds,
      labels: runs.map { Units.rate($0.rate) }, counts: runs.map(\.fidelityCounts),
      xTitle: xTitle)
  }

  /// A bar for each label, cut by kinds.
  static func shares(
    _ name: String, _ title: String, _ note: String, _ kinds: [(name: String, tone: Chart.Tone)],
    labels: [String], counts: [[Int]], xTitle: String
  ) -> Chart {
    var chart = Chart(
      name: name, title: title, note: note, x: .categories(labels),
      y: .upTo(100) { Units.number($0) + " %" }, xTitle: xTitle)
    let totals = counts.map { max($0.reduce(0, +), 1) }
    chart.layers = Chart.stack(
      kinds, spans: labels.indices.map { (Double($0) + 0.12, Double($0) + 0.88) },
      values: kinds.indices.map { kind in
        zip(counts, totals).map { 100 * Double($0[kind]) / Double($1) }
      })
    let seen = kinds.indices.filter { kind in counts.contains { $0[kind] > 0 } }
    let text: (Int, Int) -> String = { bar, kind in
      Units.percent(Double(counts[bar][kind]) / Double(totals[bar]))
    }
    chart.readouts = labels.indices.map { bar in
      Chart.Readout(
        from: Double(bar), to: Double(bar) + 1,
        text: labels[bar] + "\n"
          + seen.map { "\(kinds[$0].name): \(text(bar, $0))" }.joined(separator: "\n"))
    }
    chart.table = DataTable(
      head: [""] + seen.map { kinds[$0].name },
      rows: labels.indices.map { bar in [labels[bar]] + seen.map { text(bar, $0) } })
    return chart
  }

  private static func percentiles(_ runs: [RunRecord]) -> Chart {
    var chart = PercentileChart.chart(
      "percentiles", "Latency by percentile, for each rate",
      runs.enumerated().map { index, run in
        PercentileChart.Curve(
          name: Units.rate(run.rate) + " calls/s", tone: .first,
          levels: run.levels(run.latencyLevels, run.latency),
          shade: Double(index) / Double(max(runs.count - 1, 1)))
      }, calls: runs.map(\.calls).max() ?? 0)
    let rates = runs.map(\.rate)
    chart.ramp = "\(Units.rate(rates.first ?? 0)) to \(Units.rate(rates.last ?? 0)) calls/s"
    // A line of text for each rate would hide the plot.
    chart.readouts = []
    chart.table = table(runs)
    return chart
  }

  private static func table(_ runs: [RunRecord]) -> DataTable {
    PercentileChart.table("calls/s", runs.map { (Units.rate($0.rate), $0) })
  }
}
