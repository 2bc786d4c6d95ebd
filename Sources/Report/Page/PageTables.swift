extension PageParts {
  /// What a run's JSON has beside its curves.
  static func tables(_ run: RunRecord) -> [Markup] {
    var tables = [
      PercentileChart.of(run).table?.markup(caption: "Latency"),
      statuses(run).markup(caption: "Statuses"),
      fidelities(run).markup(caption: "Fidelity"),
      machine(run).markup(caption: "Generator and server"),
    ].compactMap { $0 }
    if !run.texts.isEmpty {
      tables.append(
        DataTable(
          head: ["status", "its first words"], rows: run.texts.map { [$0.name, $0.text] },
          isProse: true
        )
        .markup(caption: "What the server said"))
    }
    return [Markup("div", ["class": "tables"], tables)]
  }

  private static func statuses(_ run: RunRecord) -> DataTable {
    var rows = run.statuses.map { (name: $0.name, count: $0.count) }
    let others = [
      (name: "of OK: late", count: run.late), (name: "of all: given up", count: run.timedOut),
      (name: "never sent", count: run.missing),
    ]
    rows += others.filter { $0.count > 0 }
    return DataTable(
      head: ["status", "calls", "share"],
      rows: rows.map { row in
        [row.name, Units.count(row.count), run.share(row.count).map(Units.percent) ?? "-"]
      })
  }

  private static func fidelities(_ run: RunRecord) -> DataTable {
    DataTable(
      head: ["fidelity", "answers", "of all calls"],
      rows: run.fidelities.map {
        [$0.name, Units.count($0.count), run.share($0.count).map(Units.percent) ?? "-"]
      })
  }

  private static func machine(_ run: RunRecord) -> DataTable {
    let microseconds: (Double?) -> String = { $0.map { Units.time($0 / 1e3) } ?? "-" }
    var rows = [
      ["intended", "\(Units.rate(run.offered)) calls/s"],
      ["answered", "\(Units.rate(run.achieved)) calls/s"],
      ["schedule lag, p99", Units.time(run.lagMilliseconds)],
    ]
    if let generator = run.generator {
      rows += [
        ["generator's own lag, p99", generator.lagMilliseconds.map { Units.time($0) } ?? "-"],
        ["generator's CPU a call", microseconds(generator.cpuMicrosecondsPerCall)],
        ["generator busy", Units.percent(generator.busyShare)],
        ["most calls in flight", Units.count(generator.inFlightMax)],
        ["calls that waited for room", Units.count(generator.heldCalls)],
        ["reconnects", Units.count(generator.reconnects)],
      ]
    }
    if let server = run.server {
      rows += [
        ["server's CPU a call", microseconds(server.cpuMicrosecondsPerCall)],
        ["server's memory", "\(Units.number(server.residentBytes / 1_048_576)) MiB"],
      ]
    }
    return DataTable(head: ["", ""], rows: rows)
  }

  /// The rates of a sweep.
  static func table(_ document: LoadDocument) -> Markup {
    let rows = document.runs.map { run in
      [
        Units.rate(run.rate), Units.rate(run.achieved), run.inTimeRate.map(Units.rate) ?? "-",
        Units.time(run.latency.p50), Units.time(run.latency.p99), Units.time(run.latency.p999),
        run.share(run.count("OK")).map(Units.percent) ?? "-",
        run.share(run.count(fidelity: "FULL")).map(Units.percent) ?? "-",
        run.server?.cpuMicrosecondsPerCall.map { Units.time($0 / 1e3) } ?? "-", word(run),
      ]
    }
    let marked = document.runs.indices.filter { index in
      let run = document.runs[index]
      return run.generator?.fellBehind == true || run.objectives.contains { !$0.isMet }
    }
    return DataTable(
      head: [
        "intended", "answered", "in time", "p50", "p99", "p99.9", "OK", "FULL", "server CPU", "SLO",
      ], rows: rows, marked: Set(marked)
    ).markup(caption: "Calls a second, latency, shares of the intended calls")
  }

  private static func word(_ run: RunRecord) -> String {
    if run.generator?.fellBehind == true { return "generator fell behind" }
    if run.objectives.isEmpty { return "-" }
    return run.objectives.allSatisfy(\.isMet) ? "met" : "missed"
  }

  /// Both sides of a comparison.
  static func table(_ comparison: RunComparison) -> Markup {
    DataTable(
      head: ["", "A", "B", "B − A", "B ÷ A"],
      rows: comparison.rows.map { row in
        [
          "\(row.title), \(row.unit.rawValue)", row.text(row.a), row.text(row.b),
          row.difference.map { ($0 > 0 ? "+" : "") + row.text($0) } ?? "-",
          row.ratio.map { Units.number($0) } ?? "-",
        ]
      }
    ).markup(caption: "A and B, the difference and the ratio")
  }
}
