internal import FoundationEssentials

/// The parts of a page that are no plots.
enum PageParts {
  static func section(_ title: String, _ parts: [Markup]) -> Markup {
    Markup("section", [:], [Markup("h2", text: title)] + parts)
  }

  static func figures(_ charts: [Chart]) -> Markup {
    Markup("div", ["class": "figures"], charts.map(\.figure))
  }

  /// What was measured, in a line.
  static func setup(_ setup: RunRecord.Setup) -> Markup {
    var facts: [String] = []
    if let target = setup.target { facts.append(target) }
    if let framing = setup.framing {
      facts.append(framing == "grpc" ? "gRPC" : "framing \(framing)")
    }
    if let schedule = setup.schedule {
      facts.append(schedule == "poisson" ? "Poisson arrivals" : "\(schedule) arrivals")
    }
    if let connections = setup.connections {
      facts.append(connections == 1 ? "1 connection" : "\(connections) connections")
    }
    if let least = setup.candidatesLeast, let most = setup.candidatesMost {
      facts.append(
        (least == most ? "\(least)" : "\(least) to \(most)") + " candidates a call")
    }
    if let timeout = setup.timeoutMilliseconds { facts.append("timeout \(Units.time(timeout))") }
    if let duration = setup.durationSeconds, let warmUp = setup.warmUpSeconds {
      facts.append(
        "\(Units.seconds(duration)) measured after \(Units.seconds(warmUp)) of warm-up")
    }
    if let started = setup.startedUnixMilliseconds {
      let date = Date(timeIntervalSince1970: Double(started / 1_000))
      // 2026-11-27T18:30:00Z
      let text = date.ISO8601Format()
      facts.append(text.prefix(10) + " " + text.dropFirst(11).prefix(5) + " UTC")
    }
    return Markup("ul", ["class": "facts"], facts.map { Markup("li", text: $0) })
  }

  /// Both sides of a comparison.
  static func sides(_ a: LoadDocument, _ b: LoadDocument) -> Markup {
    Markup(
      "dl", ["class": "sides"],
      [("A", "first", a), ("B", "second", b)].map { side, tone, document in
        let run = document.runs[0]
        let what =
          document.isSweep
          ? "\(document.runs.count) rates"
          : Units.rate(run.rate)
            + " calls/s"
        return Markup([
          Markup("dt", [:], [Markup("i", ["class": tone]), Markup(text: side)]),
          Markup("dd", [:], [Markup("b", text: "\(document.name): \(what)"), setup(run.setup)]),
        ])
      })
  }

  static func warnings(_ warnings: [String]) -> Markup {
    guard !warnings.isEmpty else { return Markup([]) }
    return Markup(
      "div", ["class": "banner bad", "role": "note"],
      [
        Markup("b", text: "Mind when you compare"),
        Markup("ul", ["class": "sentences"], warnings.map { Markup("li", text: $0) }),
      ])
  }

  // MARK: Verdicts

  static func verdict(_ run: RunRecord) -> Markup {
    if run.generator?.fellBehind == true {
      return banner("bad", "Does not count", "The load generator fell behind.", run.objectives)
    }
    guard !run.objectives.isEmpty else {
      return banner("", "No objective", "No --slo was given: nothing is judged.", [])
    }
    let isMet = run.objectives.allSatisfy(\.isMet)
    return banner(isMet ? "good" : "bad", isMet ? "SLO met" : "SLO missed", "", run.objectives)
  }

  static func sweepVerdict(_ document: LoadDocument) -> Markup {
    let judged = document.runs.filter { !$0.objectives.isEmpty }
    var words = ""
    if let capacity = document.capacity {
      words = "The capacity that was found: \(Units.rate(capacity)) calls/s."
    }
    let behind = document.runs.filter { $0.generator?.fellBehind == true }
    if !behind.isEmpty {
      words +=
        " The generator fell behind at "
        + behind.map { Units.rate($0.rate) }.joined(separator: ", ")
        + " calls/s: these runs say nothing of the server."
    }
    guard !judged.isEmpty else {
      return banner("", "No objective", "No --slo was given: nothing is judged. " + words, [])
    }
    let met = judged.filter { run in
      run.objectives.allSatisfy(\.isMet) && run.generator?.fellBehind != true
    }
    guard let highest = met.last else {
      return banner("bad", "SLO missed at every rate", words, judged[0].objectives)
    }
    let isUpTo = judged.prefix(met.count).last?.rate == highest.rate
    let rate = "\(Units.rate(highest.rate)) calls/s"
    let title =
      isUpTo
      ? "SLO met up to \(rate)"
      : "SLO met at \(met.count) of \(judged.count) rates, the highest \(rate)"
    return banner("good", title, words, highest.objectives)
  }

  private static func banner(
    _ kind: String, _ title: String, _ words: String, _ objectives: [RunRecord.Objective]
  ) -> Markup {
    var parts = [Markup("b", text: title)]
    if !words.isEmpty { parts.append(Markup("span", text: words)) }
    if !objectives.isEmpty {
      parts.append(Markup("ul", [:], objectives.map(objective)))
    }
    return Markup("div", ["class": "banner \(kind)", "role": "status"], parts)
  }

  private static func objective(_ objective: RunRecord.Objective) -> Markup {
    let text: (Double?) -> String = { value in
      if objective.unit == "ms" { return Units.time(value) }
      return value.map { Units.percent($0 / 100) } ?? "-"
    }
    let sign = ["full", "in_time"].contains(objective.name) ? "≥" : "≤"
    return Markup(
      "li", ["class": objective.isMet ? "met" : "missed"],
      text: "\(objective.isMet ? "✓" : "✗") \(objective.name) \(text(objective.value)) "
        + "(\(sign) \(text(objective.limit)))")
  }

  // MARK: Figures at a glance

  static func tiles(_ run: RunRecord) -> Markup {
    var tiles: [(title: String, value: String, note: String)] = [
      (
        "in time", run.share(run.inTime).map(Units.percent) ?? "-",
        run.inTimeRate.map { Units.rate($0) + " calls/s" } ?? ""
      ),
      ("p50", Units.time(run.latency.p50), "service \(Units.time(run.service.p50))"),
      ("p99", Units.time(run.latency.p99), "service \(Units.time(run.service.p99))"),
      ("p99.9", Units.time(run.latency.p999), "service \(Units.time(run.service.p999))"),
      (
        "whole answers", run.share(run.count(fidelity: "FULL")).map(Units.percent) ?? "-",
        "fidelity FULL"
      ),
    ]
    if let server = run.server {
      tiles.append(
        (
          "server CPU",
          server.cpuMicrosecondsPerCall.map { Units.time($0 / 1e3) } ?? "-",
          "a call; \(Units.number(server.residentBytes / 1_048_576)) MiB resident"
        ))
    }
    return Markup(
      "dl", ["class": "tiles"],
      tiles.map { title, value, note in
        Markup(
          "div", [:],
          [
            Markup("dt", text: title), Markup("dd", text: value),
            Markup("dd", ["class": "note"], text: note),
          ])
      })
  }

  static func meters(_ run: RunRecord) -> Markup {
    Markup(
      "div", ["class": "meters"],
      [
        meter("outcomes-meter", "Outcomes", Outcome.kinds, run.outcomes),
        meter("fidelity-meter", "Fidelity", FidelityKind.kinds, run.fidelityCounts),
      ].compactMap { $0 })
  }

  /// One bar that is cut by kinds, and their counts; nil without any.
  private static func meter(
    _ name: String, _ title: String, _ kinds: [(name: String, tone: Chart.Tone)], _ counts: [Int]
  ) -> Markup? {
    let total = counts.reduce(0, +)
    guard total > 0 else { return nil }
    let seen = kinds.indices.filter { counts[$0] > 0 }
    var from = 0.0
    var bars: [Markup] = []
    for kind in seen {
      let share = Double(counts[kind]) / Double(total)
      bars.append(
        Markup(
          "rect",
          [
            "class": kinds[kind].tone.rawValue, "x": Chart.percent(from),
            "width": Chart.percent(share), "y": "0", "height": "100%",
          ]))
      from += share
    }
    let words = seen.map { kind in
      "\(kinds[kind].name) \(Units.count(counts[kind])) "
        + "(\(Units.percent(Double(counts[kind]) / Double(total))))"
    }
    return Markup(
      "figure", ["id": name],
      [
        Markup("h3", text: title),
        Markup(
          "svg", ["class": "meter", "role": "img", "height": "14"],
          [Markup("title", text: "\(title): " + words.joined(separator: ", "))] + bars),
        Markup(
          "ul", ["class": "legend"],
          zip(seen, words).map { kind, text in
            Markup(
              "li", [:],
              [Markup("i", ["class": kinds[kind].tone.rawValue]), Markup(text: text)])
          }),
      ])
  }
}
