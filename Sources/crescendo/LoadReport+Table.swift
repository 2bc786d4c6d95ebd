import Core
import Load

extension LoadReport {
  /// The report for somebody who reads it.
  func table(verdicts: [ServiceObjective.Verdict], palette: Palette) -> String {
    var lines = [
      "offered \(fixed(offeredPerSecond, 1)) calls/s, achieved \(fixed(achievedPerSecond, 1)), "
        + "in time \(fixed(inTimePerSecond, 1))",
      "\(tally.intended) calls: " + outcomes.joined(separator: ", "),
    ]
    if !fidelities.isEmpty {
      lines.append(
        "fidelity: " + fidelities.map { "\($0.name) \($0.count)" }.joined(separator: ", "))
    }
    lines += [
      "", palette.paint(Self.row("ms", Quantile.reported.map { Self.title($0.name) }), .dim),
    ]
    for (name, histogram) in [("latency", tally.latency), ("service", tally.service)] {
      lines.append(Self.row(name, Quantile.reported.map { Self.time(histogram, $0.quantile) }))
    }
    lines += ["", "schedule lag " + lagText, "generator " + generatorText]
    if let server { lines.append("server " + Self.serverText(server, tally.answered)) }
    for (code, text) in texts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where !text.isEmpty
    {
      lines.append("first \(code.name): \(printable(text))")
    }
    if !verdicts.isEmpty { lines.append("") }
    for verdict in verdicts {
      let line =
        "slo \(verdict.objective.name): \(verdict.valueText), "
        + "\(verdict.isLeast ? "at least" : "at most") \(verdict.limitText): "
        + (verdict.isMet ? "ok" : "missed")
      lines.append(palette.paint(line, verdict.isMet ? .green : .red))
    }
    return lines.joined(separator: "\n")
  }

  private var outcomes: [String] {
    var texts = statuses.map { "\($0.code.name) \($0.count)" }
    if tally.missing > 0 { texts.append("never sent \(tally.missing)") }
    if tally.timedOut > 0 { texts.append("given up \(tally.timedOut)") }
    if tally.late > 0 { texts.append("late \(tally.late)") }
    return texts
  }

  private var lagText: String {
    "p99 \(Self.time(tally.lag, Quantile(millionths: 990_000))) ms, "
      + "max \(Self.time(tally.lag, Quantile(millionths: 1_000_000))) ms"
  }

  private var generatorText: String {
    let cpu = Double(generator.cpuNanoseconds) / 1e3 / Double(max(tally.answered, 1))
    var text =
      "\(fixed(cpu, 2)) us of CPU a call, busy \(fixed(100 * generator.busyShare, 1)) %, "
      + "at most \(generator.inFlightHighest) in flight"
    if generator.heldCalls > 0 { text += ", \(generator.heldCalls) calls waited for room" }
    if generator.reconnects > 0 { text += ", \(generator.reconnects) reconnects" }
    return text
  }

  private static func serverText(_ server: ServerShare, _ answered: Int) -> String {
    let cpu = Double(server.cpuNanoseconds) / 1e3 / Double(max(answered, 1))
    return "\(fixed(cpu, 2)) us of CPU a call, "
      + "\(fixed(Double(server.residentBytes) / 1_048_576, 1)) MiB resident"
  }

  private static func title(_ name: String) -> String {
    String(name.map { $0 == "_" ? "." : $0 })
  }

  private static func time(_ histogram: LatencyHistogram, _ quantile: Quantile) -> String {
    guard histogram.count > 0 else { return "-" }
    return histogram.value(quantile).map { fixed(Double($0) / 1e6, 3) } ?? "infinite"
  }

  private static func row(_ name: String, _ cells: [String]) -> String {
    let pad: (String, Int) -> String = { text, width in
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    return name + String(repeating: " ", count: max(0, 8 - name.count))
      + cells.map { pad($0, 11) }.joined()
  }
}

extension LoadGenerator.Progress {
  /// One line, for a terminal that shows the newest alone.
  var line: String {
    let seconds: (UInt64) -> String = { fixed(Double($0) / 1e9, 0) }
    let failed = tally.intended - tally.count(.ok)
    return "\(seconds(elapsedNanoseconds)) of \(seconds(totalNanoseconds)) s: "
      + "\(tally.intended) calls, \(failed) not OK, \(inFlight) in flight"
  }
}
