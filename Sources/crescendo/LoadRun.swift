import ArgumentParser
import Client
import Core
import Glibc
import Load
import Report
import Syscalls

/// One invocation of `crescendo load`: its runs, what is printed, and the exit code.
struct LoadRun {
  var command: LoadCommand
  var address: SocketAddress
  var mix: RequestMix
  var headers: LoadHeaders
  /// What the calls travel by.
  var framing: LoadFraming

  private var showsProgress: Bool { isatty(2) == 1 }

  func once() throws {
    guard let rate = command.rate else { return }
    let step = try run(ratePerSecond: rate)
    try writeHistogram(step.report)
    switch command.output {
    case .table: print(step.report.table(verdicts: step.verdicts, palette: .standardOutput))
    case .json: print(step.json())
    }
    try writePage { step.json() }
    try LoadRun.end(step.report, step.verdicts)
  }

  /// What is wanted, but that a server which opens no session is measured by gRPC: that is told.
  static func framing(_ wanted: LoadFraming, at address: SocketAddress) -> LoadFraming {
    guard wanted == .session else { return wanted }
    do throws(SessionChannelError) {
      _ = try SessionChannel(address, SessionChannel.Options())
      return .session
    } catch {
      // What cannot be reached at all is the run's own to tell.
      guard case .notSpoken(let reason) = error else { return .session }
      StandardError.write(
        "\(address) opens no session: \(printable(reason)); measuring by gRPC\n")
      return .grpc
    }
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

  /// Looks for the capacity, telling each rate on the way.
  func search() throws -> (search: CapacitySearch, probes: [LoadProbe]) {
    var search = CapacitySearch(firstRatePerSecond: command.rate ?? 1)
    var probes: [LoadProbe] = []
    while let rate = search.next {
      let probe = try run(ratePerSecond: rate)
      search.record(probe.outcome)
      probes.append(probe)
      tell(probe.line)
    }
    return (search, probes)
  }

  /// A line on the way to the result: JSON has standard output for itself.
  func tell(_ line: String) {
    if command.output == .table { print(line) } else { StandardError.write(line + "\n") }
    fflush(nil)
  }

  func findCapacity() throws {
    let (search, probes) = try search()
    // The run that is reported is the best that passed, else the gentlest that did not.
    let best = probes.filter { $0.outcome == .passed }.max { $0.ratePerSecond < $1.ratePerSecond }
    guard let shown = best ?? probes.last else { return }
    try writeHistogram(shown.report)
    switch command.output {
    case .table:
      print("\n" + LoadProbe.summary(search))
      print("\n" + shown.report.table(verdicts: shown.verdicts, palette: .standardOutput))
    case .json:
      print(shown.json(capacity: (search, probes)))
    }
    try writePage { shown.json(capacity: (search, probes)) }
    if search.isLimitedByGenerator {
      throw CommandFailure(
        .fellBehind, "the load generator fell behind before the server missed its objectives")
    }
    if best == nil { throw ExitCode(ExitStatus.negative.rawValue) }
  }

  func run(ratePerSecond: Double) throws(CommandFailure) -> LoadProbe {
    let started = Clock.system.unixMilliseconds()
    var plan = command.plan(ratePerSecond: ratePerSecond)
    plan.target = address
    plan.framing = framing
    let pid = command.pid
    let showsProgress = showsProgress
    defer { if showsProgress { StandardError.write("\r\u{1B}[K") } }
    do throws(SystemError) {
      let generator = try LoadGenerator(
        plan: plan, headers: headers, mix: mix,
        surroundings: LoadGenerator.Surroundings(
          serverUsage: pid.map { pid in { ServerProcess.read(pid) } },
          progress: showsProgress ? { StandardError.write("\r\u{1B}[K" + $0.line) } : nil))
      let report = try generator.run()
      return LoadProbe(
        ratePerSecond: ratePerSecond, report: report,
        verdicts: command.slo.map { $0.verdict(report.tally) },
        setup: LoadSetup(
          candidates: mix.candidateCounts, startedUnixMilliseconds: started))
    } catch {
      throw CommandFailure(.unreachable(error), target: address)
    }
  }

  /// Draws what `json` says, where a page is asked for.
  func writePage(_ json: () -> String) throws(CommandFailure) {
    guard let path = command.report else { return }
    let page: String
    do throws(ReportError) {
      page = ReportPage.html(try LoadDocument(name: "this run", json: json()))
    } catch {
      throw CommandFailure(.usage, "cannot draw \(path): \(error)")
    }
    try PageFile.write(page, to: path)
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

/// One run: a rate that `--find-capacity` or `--sweep` has tried.
struct LoadProbe {
  var ratePerSecond: Double
  var report: LoadReport
  var verdicts: [ServiceObjective.Verdict]
  var setup = LoadSetup()

  /// The report for a program; `capacity` where it was looked for.
  func json(capacity: (search: CapacitySearch, probes: [LoadProbe])? = nil) -> String {
    report.json(verdicts: verdicts, setup: setup, capacity: capacity)
  }

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
