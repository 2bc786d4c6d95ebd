/// Latency by percentile, as HdrHistogram plots it.
enum PercentileChart {
  struct Curve {
    var name: String
    var tone: Chart.Tone
    var levels: [RunRecord.Level]
    var isDashed = false
    var shade: Double?
  }

  /// A limit further above every time than this is not drawn: it would press the curves flat.
  private static let limitFactorMax = 20.0

  static func of(_ run: RunRecord, name: String = "percentiles") -> Chart {
    let latency = run.levels(run.latencyLevels, run.latency)
    let service = run.levels(run.serviceLevels, run.service)
    var chart = chart(
      name, "Latency by percentile",
      [
        Curve(name: "latency, from the intended start", tone: .first, levels: latency),
        Curve(
          name: "service time, from the sending", tone: .second, levels: service, isDashed: true),
      ], calls: run.calls, objectives: run.latencyObjectives)
    if let answered = run.share(run.count("OK")), answered > 0, answered < 1 {
      chart.bands = [Chart.Band(from: answered, to: 1, label: "failed or not answered")]
    }
    chart.isWide = true
    chart.table = table(run)
    return chart
  }

  /// `calls` tells how fine percentiles can be: one call of them all.
  static func chart(
    _ name: String, _ title: String, _ curves: [Curve], calls: Int,
    objectives: [(share: Double, objective: RunRecord.Objective)] = []
  ) -> Chart {
    let times = curves.flatMap { $0.levels.compactMap(\.milliseconds) }
    let most = times.max() ?? 0
    let shown = objectives.filter { $0.objective.limit <= limitFactorMax * most }
    let hidden = objectives.filter { $0.objective.limit > limitFactorMax * most }
    var note = "Over all intended calls; one that failed or was never answered is infinite."
    for (_, objective) in hidden {
      note += " The limit of \(objective.name), \(Units.time(objective.limit)), is far above."
    }
    var chart = Chart(
      name: name, title: title, note: note,
      x: .nines(finest: 1 - 1 / Double(max(calls, 10))),
      y: .times(times + shown.map(\.objective.limit)),
      xTitle: "percentile of calls (%)")
    chart.lines = curves.map { curve in
      Chart.Line(
        name: curve.name, tone: curve.tone,
        points: curve.levels.map { ($0.share, $0.milliseconds.map { .at($0) } ?? .infinite) },
        isDashed: curve.isDashed, shade: curve.shade)
    }
    chart.rules = shown.map { share, objective in
      Chart.Rule(
        place: .across(y: objective.limit, end: share),
        label: "\(objective.name) ≤ \(Units.time(objective.limit))",
        tone: objective.isMet ? .met : .missed)
    }
    chart.readouts = readouts(curves)
    return chart
  }

  /// From half the way to the level before to half the way to the one behind.
  private static func readouts(_ curves: [Curve]) -> [Chart.Readout] {
    guard let longest = curves.max(by: { $0.levels.count < $1.levels.count }) else { return [] }
    let shares = longest.levels.map(\.share)
    return shares.indices.map { index in
      let lines = curves.compactMap { curve in
        curve.levels.first { $0.share >= shares[index] }
          .map { "\(curve.name): \(Units.time($0.milliseconds))" }
      }
      let next = index + 1 < shares.count ? shares[index + 1] : 1
      return Chart.Readout(
        from: shares[index], to: next,
        text: "p" + Units.nines(shares[index]) + "\n" + lines.joined(separator: "\n"))
    }
  }

  static func table(_ run: RunRecord) -> DataTable {
    DataTable(
      head: ["percentile", "latency", "service time"],
      rows: RunRecord.Percentiles.all.map { _, title, value in
        [title, Units.time(run.latency[keyPath: value]), Units.time(run.service[keyPath: value])]
      })
  }

  /// The named percentiles of several runs.
  static func table(_ head: String, _ runs: [(name: String, run: RunRecord)]) -> DataTable {
    DataTable(
      head: [head] + RunRecord.Percentiles.all.map(\.title),
      rows: runs.map { name, run in
        [name] + RunRecord.Percentiles.all.map { Units.time(run.latency[keyPath: $0.value]) }
      })
  }
}
