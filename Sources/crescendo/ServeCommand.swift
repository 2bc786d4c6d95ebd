import ArgumentParser
import Core
import Crypto
import Engine
import Executors
import Foundation
import Logging
import Models
import Server
import Signals
import Syscalls

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve promotion scores from a snapshot over gRPC.")

  @Option(help: "Where to listen; port 0 takes a free one. (default: 127.0.0.1:7001)")
  var listen: String?

  @Option(
    help: ArgumentHelp(
      "Where /metrics, /healthz and /readyz answer over HTTP. (default: nowhere)",
      valueName: "host:port"))
  var admin: String?

  @Option(
    help: "Folder of the snapshot, or a store of such folders with a link `current`.",
    completion: .directory)
  var snapshot: String?

  @Option(
    help: ArgumentHelp(
      "Folder for campaigns, budgets and deliveries. (default: none, and campaigns are off)",
      valueName: "dir"),
    completion: .directory)
  var data: String?

  @Flag(name: .customLong("mmap"), help: "Map the snapshot's files instead of reading them.")
  var mapped = false

  @Option(help: "Event loops, a thread each. (default: one per core)")
  var loops: String?

  @Option(help: "Shards, a Dispatch queue each. (default: one per core)")
  var shards: String?

  @Option(
    help: ArgumentHelp(
      "When batches are cut into slices for several shards: auto, always, never. (default: auto)",
      valueName: "auto|always|never"))
  var fanout: String?

  @Flag(help: "Serve without TLS on an address that other machines can reach.")
  var plaintext = false

  @Flag(help: "Loops never sleep: answers come sooner, and each takes a core whole.")
  var busyPoll = false

  @Option(
    help: ArgumentHelp(
      "trace, debug (a line per call), info, notice, warning, error or critical. (default: info)",
      valueName: "level"))
  var logLevel: String?

  @Option(
    name: .customLong("limit"),
    help: ArgumentHelp(
      "Moves a bound, for example stallNanoseconds=5m; --print-config shows them all.",
      valueName: "name=value"))
  var limits: [String] = []

  @Option(
    help: ArgumentHelp(
      "YAML with the names of these flags, and limits. Flags and CRESCENDO_LISTEN, … come first.",
      valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @Flag(help: "Print what would be served by, as a config file, and exit.")
  var printConfig = false

  func validate() throws {
    _ = try flags()
  }

  /// The layer of the command line.
  private func flags() throws(UsageError) -> [GivenSetting] {
    let values: [(name: String, text: String?)] = [
      ("listen", listen), ("admin", admin), ("snapshot", snapshot), ("data", data),
      ("mmap", mapped ? "true" : nil), ("loops", loops), ("shards", shards), ("fanout", fanout),
      ("plaintext", plaintext ? "true" : nil), ("log-level", logLevel),
      ("busy-poll", busyPoll ? "true" : nil),
    ]
    var given = values.compactMap { name, text in
      text.map { GivenSetting(name: name, text: $0, origin: "--\(name)") }
    }
    for limit in limits { given.append(try ServeSettings.limit(limit, origin: "--limit")) }
    return given
  }

  /// Every layer's settings, checked.
  private func settings() throws -> ServeSettings {
    do throws(UsageError) {
      let flags = try flags()
      let environment = try ServeSettings.environment(Environment.value)
      let file: [GivenSetting]
      do throws(CommandFailure) {
        file = try config.map(ConfigFile.read) ?? []
      } catch {
        throw UsageError(error.message)
      }
      return try ServeSettings(layers: [flags, environment, file])
    } catch {
      throw CommandFailure(.usage, error.description)
    }
  }

  func run() throws {
    let settings = try settings()
    if printConfig { return print(settings.yaml) }
    guard !settings.snapshot.isEmpty else {
      throw CommandFailure(.usage, "--snapshot DIR is missing: the folder to serve from")
    }
    Limits.serve(by: settings.limits)
    // Before any thread is started, so that all of them hold the signals back.
    StopSignals.hold()
    try serve(settings)
  }

  private func serve(_ settings: ServeSettings) throws {
    var logger = Logger(label: "crescendo") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = settings.logLevel
    let serving = try SnapshotFolder.load(settings.snapshot, mapped: settings.mapped)
    try raiseDescriptors(logger)
    let cores = Affinity.allowedCores()
    let (loops, shards) = (settings.loops ?? cores.count, settings.shards ?? cores.count)
    let seed = try randomSeed()
    let executor = DispatchShards(
      count: shards, cores: shards <= cores.count ? cores.reversed() : [],
      spinsBeforeSleep: loops + shards > cores.count ? 0 : ServeCommand.spins,
      queueNanoseconds: Limits.serving.shardQueueNanoseconds)
    let engine = Engine(serving, executor: executor, fanOut: settings.fanOut, clock: .system)
    let campaigns = try campaigns(settings.data, serving, executor, seed: seed, logger)
    var facts = try facts(serving)
    if let figures = campaigns?.figures { facts.ledger = { figures() } }
    let metrics = ServerMetrics(loops: loops, shards: shards, facts: facts)
    var listening = ScoringServer.Configuration(
      address: settings.listen, loops: loops, cores: loops <= cores.count ? cores : [], seed: seed)
    listening.isBusy = settings.busyPoll
    let server = try start(engine, listening, metrics, campaigns, logger)
    let admin = try startAdmin(settings.admin, metrics, server, executor)
    logger.info(
      "serving",
      metadata: [
        "address": "\(server.address)", "snapshot": "\(serving.snapshot.manifest.version)",
        "model": "\(serving.defaultBlueprint.declaration.name)",
        "trees": "\(serving.defaultBlueprint.forest.treeCount)",
        "items": "\(serving.snapshot.items.rowCount)",
        "users": "\(serving.snapshot.users?.rowCount ?? 0)", "loops": "\(loops)",
        "shards": "\(shards)", "fanout": "\(settings.fanOut.rawValue)",
      ])
    announce("listening on \(server.address)")
    if let admin { announce("admin on \(admin.address)") }
    let signal = StopSignals.wait()
    logger.info("stopping", metadata: ["signal": "\(signal)"])
    server.stop { executor.stop() }
    admin?.stop()
    logger.info("stopped")
  }

  /// A connection is a descriptor; some more are the server's own.
  private func raiseDescriptors(_ logger: Logger) throws(CommandFailure) {
    do throws(SystemError) {
      let limit = try Descriptors.raiseLimit()
      guard limit < Limits.serving.connections + 64 else { return }
      logger.warning(
        "descriptors are fewer than connections: those over it will be turned away",
        metadata: ["descriptors": "\(limit)", "connections": "\(Limits.serving.connections)"])
    } catch {
      throw CommandFailure(.negative, "cannot raise the limit of descriptors: \(error.reason)")
    }
  }

  /// A reader behind a pipe waits for these lines.
  private func announce(_ line: String) {
    print(line)
    fflush(nil)
  }

  private func start(
    _ engine: Engine, _ configuration: ScoringServer.Configuration, _ metrics: ServerMetrics,
    _ campaigns: CampaignRuntime?, _ logger: Logger
  ) throws(CommandFailure) -> ScoringServer {
    do throws(SystemError) {
      return try ScoringServer(
        engine, configuration, metrics: metrics, logger: logger, campaigns: campaigns)
    } catch {
      let hint = error.isAddressInUse ? "; is another server running there?" : ""
      throw CommandFailure(
        .negative, "cannot listen on \(configuration.address): \(error.reason)\(hint)")
    }
  }

  private func randomSeed() throws(CommandFailure) -> UInt64 {
    do throws(RandomBytesError) {
      return try RandomBytes.uint64()
    } catch {
      throw CommandFailure(.negative, "\(error)")
    }
  }

  /// Looks at an empty mailbox before a shard sleeps: about 20 µs.
  private static let spins = 2_000
}
