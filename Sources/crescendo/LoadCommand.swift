import ArgumentParser
import Client
import Core
import Engine
import Glibc
import Load
import Signals
import Syscalls
import Wire

struct LoadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Put a server under a load that does not wait for it, and tell how it answered.",
    discussion: """
      The times at which calls start are fixed before the first answer, and latency counts from \
      them: what a server makes its callers wait for shows, whether their calls were sent or not. \
      Percentiles are over all intended calls; one that failed or was never answered is infinite. \
      Exits with 1 when --slo is missed and with 5 when the generator itself fell behind.

      --sweep runs one rate after the other and exits with 1 when none of them meets --slo. \
      --compare makes no load: it reads what --output json has written. --report draws either, or \
      a run, as one page that needs nothing else.
      """)

  @OptionGroup var target: TargetOptions

  @Option(
    help: ArgumentHelp(
      "Calls a second; with --find-capacity, the first guess.", valueName: "calls/s"),
    transform: LoadNumber.rate)
  var rate: Double?

  @Option(
    help: "What is measured. Else 30s; 3s for each rate of --find-capacity and --sweep.",
    transform: LoadNumber.duration)
  var duration: DurationArgument?

  @Option(
    help: "Calls before that, which do not count. Else 2s; 500ms for each of several rates.",
    transform: LoadNumber.warmUp)
  var warmUp: DurationArgument?

  @Option(
    help: """
      grpc: a stream for each call; session: one session for each connection (gRPC where none is \
      spoken).
      """)
  var framing = LoadFraming.grpc

  @Option(help: "HTTP/2 connections.", transform: LoadNumber.connections)
  var connections = 8

  @Option(
    help: "Calls under way at one time. Else 100 for each connection.",
    transform: LoadNumber.inFlight)
  var maxInFlight: Int?

  @Option(
    help: ArgumentHelp(
      "Candidates of a call, drawn from the items. Else 64 of a snapshot, a file's whole list.",
      valueName: "n|min-max"),
    transform: BatchArgument.init(parsing:))
  var batch: BatchArgument?

  @Option(
    help: ArgumentHelp(
      "The items, one URI or id a line, # starts a comment; - is standard input.",
      valueName: "file"))
  var itemsFile: String?

  @Option(help: ArgumentHelp("Items and users of a snapshot.", valueName: "folder"))
  var snapshot: String?

  @Option(
    help: "Users 1 to N, or the first N of the snapshot. Else all of the snapshot, or nobody.",
    transform: LoadNumber.users)
  var users: Int?

  @Option(
    help: ArgumentHelp(
      "Exponent of how often the users come: rank to the power of -s.", valueName: "s"),
    transform: LoadNumber.exponent)
  var zipf = 1.0

  @Option(help: "How calls are spread over time.")
  var schedule = ArrivalSchedule.Kind.poisson

  @Option(help: "Of everything that is drawn: the same seed, the same calls.")
  var seed: UInt64 = 1

  @Option(help: "The least that counts as an answer.")
  var minFidelity: RequestOptions.MinimumFidelity?

  @Option(help: "Sent as crescendo-priority.")
  var priority: CallPriority?

  @Option(help: "ISO 3166-1 alpha-2, for example SE.")
  var market = ""

  @Option(help: "Where the items may appear, for example radio.")
  var surface = ""

  @Option(help: "Another model than the snapshot's default.")
  var model = ""

  @Option(
    help: ArgumentHelp(
      "What must hold: p50 … p99.99, max; errors, late (at most); full, in_time (at least).",
      valueName: "p99=10ms,errors=0.1%,full=99%"),
    transform: LoadNumber.objectives)
  var slo: [ServiceObjective] = []

  @Flag(help: "Look for the highest rate that meets --slo.")
  var findCapacity = false

  @Option(
    help: ArgumentHelp(
      "Rates one after the other: calls/s, or 12 from LOW to HIGH times the capacity, which is "
        + "then looked for first.", valueName: "1000,2000,…|LOW..HIGH"),
    transform: SweepArgument.init(parsing:))
  var sweep: SweepArgument?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Two reports of --output json, of runs or of sweeps, side by side.", valueName: "file"))
  var compare: [String] = []

  @Option(
    help: ArgumentHelp(
      "A page with plots of the run, the sweep or the comparison.", valueName: "file.html"))
  var report: String?

  @Option(help: "The server's process on this machine: its CPU time and memory are told.")
  var pid: Int32?

  @Option(
    help: "The generator's own lag, 99th percentile, above which its measurements do not count.",
    transform: LoadNumber.duration)
  var maxLag = DurationArgument(nanoseconds: 5_000_000)

  @Option(help: ArgumentHelp("Latencies as HdrHistogram's percentiles.", valueName: "file"))
  var hgrm: String?

  @Option(help: "How the report is shown.")
  var output = OutputFormat.table

  func run() throws {
    if let report { try PageFile.check(report) }
    guard compare.isEmpty else { return try LoadFiles.compare(self) }
    let address = try target.address(environment: Environment.value)
    let run = LoadRun(
      command: self, address: address, mix: try mix(readFile: TextFile.read),
      headers: LoadHeaders(
        authority: address.description, timeoutNanoseconds: target.timeout.nanoseconds,
        metadata: priority.map { [MetadataEntry("crescendo-priority", $0.rawValue)] } ?? []),
      framing: LoadRun.framing(framing, at: address))
    if let sweep {
      try run.sweep(sweep)
    } else if findCapacity {
      try run.findCapacity()
    } else {
      try run.once()
    }
  }

  func validate() throws {
    guard compare.isEmpty else { return try validateComparison() }
    guard target.timeout.nanoseconds <= LoadPlan.longestNanoseconds else {
      throw ValidationError("--timeout is at most 7d")
    }
    guard (itemsFile == nil) != (snapshot == nil) else {
      throw ValidationError("name the items with either --items-file or --snapshot")
    }
    try validateRates()
    if let pid, ServerProcess.read(pid) == nil {
      throw ValidationError("--pid \(pid) is no process of this machine that can be read")
    }
    if let maxInFlight, maxInFlight < connections {
      throw ValidationError("--max-in-flight \(maxInFlight) leaves some connections without a call")
    }
  }

  private func validateRates() throws {
    guard !findCapacity || !slo.isEmpty else {
      throw ValidationError("--find-capacity looks for the highest rate that meets --slo: give one")
    }
    switch sweep {
    case nil: break
    case _ where findCapacity:
      throw ValidationError("--sweep LOW..HIGH looks for the capacity itself: no --find-capacity")
    case _ where hgrm != nil:
      throw ValidationError("--hgrm is a file of one run: it does not go with --sweep")
    case .rates?:
      guard rate == nil else { throw ValidationError("--sweep names the rates: leave out --rate") }
      return
    case .shares?:
      guard !slo.isEmpty else {
        throw ValidationError(
          "--sweep LOW..HIGH looks for the highest rate that meets --slo: give one")
      }
    }
    guard rate != nil else { throw ValidationError("Missing expected argument '--rate <calls/s>'") }
  }

  private func validateComparison() throws {
    guard compare.count == 2 else { throw ValidationError("--compare takes two files") }
    guard rate == nil, sweep == nil, !findCapacity, hgrm == nil, slo.isEmpty else {
      throw ValidationError(
        "--compare makes no load: leave out --rate, --sweep, --find-capacity, --slo and --hgrm")
    }
  }

  func plan(ratePerSecond: Double) -> LoadPlan {
    let (duration, warmUp): (UInt64, UInt64) =
      findCapacity || sweep != nil ? (3_000_000_000, 500_000_000) : (30_000_000_000, 2_000_000_000)
    // The address is set by who has it.
    var plan = LoadPlan(
      target: SocketAddress(host: "", port: 0), ratePerSecond: ratePerSecond,
      warmUpNanoseconds: self.warmUp?.nanoseconds ?? warmUp,
      durationNanoseconds: self.duration?.nanoseconds ?? duration,
      timeoutNanoseconds: target.timeout.nanoseconds)
    plan.schedule = schedule
    plan.seed = seed
    plan.connectionCount = connections
    plan.framing = framing
    plan.inFlightMax = maxInFlight ?? 100 * connections
    plan.ownLagMaxNanoseconds = maxLag.nanoseconds
    return plan
  }

  /// The requests of the run.
  func mix(readFile: (String) throws(UsageError) -> String) throws(CommandFailure) -> RequestMix {
    var request = ScoreRequestMessage()
    request.context.market = market
    request.context.surface = surface
    request.model = model
    request.minFidelity = minFidelity.map { Int32($0.fidelity.rawValue) } ?? 0
    do {
      if let itemsFile {
        return try RequestMix(
          batches: try LoadBatches.from(
            try ItemList(lines: try readFile(itemsFile)), sizes: batch?.sizes, like: request,
            seed: seed),
          users: users.map { .numbered(count: $0) } ?? .anonymous, exponent: zipf)
      }
      let snapshot = try SnapshotFolder.load(snapshot ?? "", mapped: true).snapshot
      return try RequestMix(
        batches: try LoadBatches.from(
          snapshot.items, sizes: batch?.sizes, like: request, seed: seed),
        users: try LoadBatches.users(of: snapshot, count: users), exponent: zipf)
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(.usage, "\(error)")
    }
  }
}

/// The kernel's counters of a process.
enum ServerProcess {
  static func read(_ pid: Int32) -> ServerUsage? {
    guard pid > 0, let stat = try? TextFile.read("/proc/\(pid)/stat"),
      let statm = try? TextFile.read("/proc/\(pid)/statm")
    else { return nil }
    return ServerUsage(
      stat: stat, statm: statm, ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)),
      pageBytes: sysconf(Int32(_SC_PAGESIZE)))
  }
}
