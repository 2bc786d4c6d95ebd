import ArgumentParser
import Client
import Core
import Glibc
import Load
import Syscalls

/// One invocation of `crescendo load`: its runs, what is printed, and the exit code.
struct LoadRun {
  var command: LoadCommand
  var address: SocketAddress
  var mix: RequestMix
  var headers: LoadHeaders

  private var showsProgress: Bool { isatty(2) == 1 }

  func once() throws {
    let report = try run(ratePerSecond: command.rate)
    let verdicts = command.slo.map { $0.verdict(report.tally) }
    try writeHistogram(report)
    switch command.output {
    case .table: print(report.table(verdicts: verdicts, palette: .standardOutput))
    case .json: print(report.json(verdicts: verdicts))
    }
    try LoadRun.end(report, verdicts)
  }

  /// The exit code of one run; the generator's fault comes first, for then nothing else holds.
  static func end(_ report: LoadReport, _ verdicts: [ServiceObjective.Verdict]) throws {
    if let fault = report.generatorFault {
      throw CommandFailure(.fellBehind, "the load generator fell behind: \(fault)")
    }
    if verdicts.contains(where: { !$0.isMet }) { throw ExitCode(ExitStatus.negative.rawValue) }
    if verdicts.isEmpty, report.tally.count(.ok) == 0, let failure = report.commonestFailure {
      throw CommandFailure(.callFailed, failure)
    }
  }

  func findCapacity() throws {
    var search = CapacitySearch(firstRatePerSecond: command.rate)
    var probes: [LoadProbe] = []
    while let rate = search.next {
      let report = try run(ratePerSecond: rate)
      let probe = LoadProbe(
        ratePerSecond: rate, report: report,
        verdicts: command.slo.map { $0.verdict(report.tally) })
      search.record(probe.outcome)
      probes.append(probe)
      if command.output == .table {
        print(probe.line)
      } else {
        StandardError.write(probe.line + "\n")
      }
      fflush(nil)
    }
    // The run that is reported is the best that passed, else the gentlest that did not.
    let best = probes.filter { $0.outcome == .passed }.max { $0.ratePerSecond < $1.ratePerSecond }
    guard let shown = best ?? probes.last else { return }
    try writeHistogram(shown.report)
    switch command.output {
    case .table:
      print("\n" + LoadProbe.summary(search))
      print("\n" + shown.report.table(verdicts: shown.verdicts, palette: .standardOutput))
    case .json:
      print(shown.report.json(verdicts: shown.verdicts, capacity: (search, probes)))
    }
    if search.isLimitedByGenerator {
      throw CommandFailure(
        .fellBehind, "the load generator fell behind before the server missed its objectives")
    }
    if best == nil { throw ExitCode(ExitStatus.negative.rawValue) }
  }

  private func run(ratePerSecond: Double) throws(CommandFailure) -> LoadReport {
    var plan = command.plan(ratePerSecond: ratePerSecond)
    plan.target = address
    let pid = command.pid
    let showsProgress = showsProgress
    defer { if showsProgress { StandardError.write("\r\u{1B}[K") } }
    do throws(SystemError) {
      let generator = try LoadGenerator(
        plan: plan, headers: headers, mix: mix,
        surroundings: LoadGenerator.Surroundings(
          serverUsage: pid.map { pid in { ServerProcess.read(pid) } },
          progress: showsProgress ? { StandardError.write("\r\u{1B}[K" + $0.line) } : nil))
      return try generator.run()
    } catch {
      throw CommandFailure(.unreachable(error), target: address)
    }
  }

  private func writeHistogram(_ report: LoadReport) throws(CommandFailure) {
    guard let path = command.hgrm else { return }
    let bytes = Array(report.tally.latency.percentileDistribution().utf8)
    guard let file = fopen(path, "we") else { throw LoadRun.cannotWrite(path, errno) }
    let written = fwrite(bytes, 1, bytes.count, file)
    let number = errno
    guard fclose(file) == 0 else { throw LoadRun.cannotWrite(path, errno) }
    guard written == bytes.count else { throw LoadRun.cannotWrite(path, number) }
  }

  private static func cannotWrite(_ path: String, _ number: Int32) -> CommandFailure {
    CommandFailure(
      .usage, "cannot write \(path): \(String(cString: strerror(number)).lowercased())")
  }
}

/// One rate that `--find-capacity` has tried.
struct LoadProbe {
  var ratePerSecond: Double
  var report: LoadReport
  var verdicts: [ServiceObjective.Verdict]

  var outcome: CapacitySearch.Outcome {
    if report.generatorFault != nil { return .generatorFellBehind }
    return verdicts.allSatisfy(\.isMet) ? .passed : .failed
  }

  var line: String {
    let word =
      switch outcome {
      case .passed: "passed"
      case .failed: "failed"
      case .generatorFellBehind: "the generator fell behind"
      }
    let values = verdicts.map {
      "\($0.objective.name) \($0.valueText)\($0.isMet ? "" : " (missed)")"
    }
    return "\(fixed(ratePerSecond, 1)) calls/s: \(word): " + values.joined(separator: ", ")
  }

  static func summary(_ search: CapacitySearch) -> String {
    guard let rate = search.highestPassed else { return "capacity: no rate met the objectives" }
    let bound = search.isLimitedByGenerator ? " at least (the generator was the limit)" : ""
    return "capacity: \(fixed(rate, 1)) calls/s\(bound)"
  }
}
