import ArgumentParser
import Core
import Load

extension LoadRun {
  /// Runs at rising rates: a row for each, then all of them as one report.
  func sweep(_ argument: SweepArgument) throws {
    var found: (search: CapacitySearch, probes: [LoadProbe])?
    let rates: [Double]
    switch argument {
    case .rates(let listed): rates = listed
    case .shares(let low, let high):
      let result = try search()
      found = result
      tell(LoadProbe.summary(result.search) + "\n")
      guard let capacity = result.search.highestPassed else {
        throw CommandFailure(.negative, "there is no capacity to sweep up to; list rates instead")
      }
      rates = SweepArgument.rates(low: low, high: high, of: capacity)
    }
    tell(Palette.standardOutput.paint(LoadSweep.head, .dim))
    var steps: [LoadProbe] = []
    for rate in rates {
      let step = try run(ratePerSecond: rate)
      steps.append(step)
      tell(LoadSweep.row(step))
    }
    if command.output == .json { print(LoadSweep.json(steps, found)) }
    try writePage { LoadSweep.json(steps, found) }
    try LoadSweep.end(steps)
  }
}

/// The steps of a sweep, as rows and as JSON.
enum LoadSweep {
  private static let columns = [
    "calls/s", "answered", "in time", "p50 ms", "p99 ms", "p99.9 ms", "OK %", "FULL %",
  ]

  static var head: String { line(columns, note: "") }

  static func row(_ step: LoadProbe) -> String {
    let tally = step.report.tally
    let time: (Int) -> String = { millionths in
      guard tally.latency.count > 0 else { return "-" }
      return tally.latency.value(Quantile(millionths: millionths)).map {
        fixed(Double($0) / 1e6, 3)
      }
        ?? "infinite"
    }
    let percent: (Int) -> String = { count in
      tally.intended > 0 ? fixed(100 * Double(count) / Double(tally.intended), 2) : "-"
    }
    let note =
      switch step.outcome {
      case .generatorFellBehind: "  the generator fell behind"
      case .passed: step.verdicts.isEmpty ? "" : "  slo ok"
      case .failed: "  slo missed"
      }
    return line(
      [
        fixed(step.ratePerSecond, 1), fixed(step.report.achievedPerSecond, 1),
        fixed(step.report.inTimePerSecond, 1), time(500_000), time(990_000), time(999_000),
        percent(tally.count(.ok)), percent(tally.count(fidelity: .full)),
      ], note: note)
  }

  private static func line(_ cells: [String], note: String) -> String {
    cells.map { String(repeating: " ", count: max(0, 11 - $0.count)) + $0 }.joined() + note
  }

  static func json(
    _ steps: [LoadProbe], _ found: (search: CapacitySearch, probes: [LoadProbe])?
  ) -> String {
    var members = [(key: "sweep", value: JSONText.array(steps.map { $0.json() }))]
    if let found {
      members.append((key: "capacity", value: LoadReport.json(found.search, found.probes)))
    }
    return JSONText.object(members)
  }

  /// The exit code: a step that says nothing comes first, then objectives that no step met, then
  /// calls of which none was answered.
  static func end(_ steps: [LoadProbe]) throws {
    if let step = steps.first(where: { $0.outcome == .generatorFellBehind }) {
      throw CommandFailure(
        .fellBehind,
        "the load generator fell behind at \(fixed(step.ratePerSecond, 1)) calls/s: "
          + (step.report.generatorFault ?? ""))
    }
    guard let first = steps.first else { return }
    if !first.verdicts.isEmpty {
      if !steps.contains(where: { $0.outcome == .passed }) {
        throw ExitCode(ExitStatus.negative.rawValue)
      }
    } else if steps.allSatisfy({ $0.report.tally.count(.ok) == 0 }),
      let failure = first.report.commonestFailure
    {
      throw CommandFailure(.callFailed, failure)
    }
  }
}
