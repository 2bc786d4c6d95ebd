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

  @Option(help: "Where to listen; port 0 takes a free one.")
  var listen = "127.0.0.1:7001"

  @Option(
    help: ArgumentHelp(
      "Where /metrics, /healthz and /readyz answer over HTTP. (default: nowhere)",
      valueName: "host:port"))
  var admin: String?

  @Option(help: "Folder of the snapshot, or a store of such folders with a link `current`.")
  var snapshot: String

  @Flag(name: .customLong("mmap"), help: "Map the snapshot's files instead of reading them.")
  var mapped = false

  @Option(help: "Event loops, a thread each. (default: one per core)")
  var loops: Int?

  @Option(help: "Shards, a Dispatch queue each. (default: one per core)")
  var shards: Int?

  @Option(
    help: ArgumentHelp(
      "When batches are cut into slices for several shards: auto, always, never.",
      valueName: "auto|always|never"))
  var fanout = FanOut.auto

  @Flag(help: "Serve without TLS on an address that other machines can reach.")
  var plaintext = false

  @Option(
    help: ArgumentHelp(
      "trace, debug (a line per call), info, notice, warning, error or critical.",
      valueName: "level"),
    transform: { text in
      guard let level = Logger.Level(rawValue: text) else {
        throw ValidationError("\(text) is no log level")
      }
      return level
    })
  var logLevel = Logger.Level.info

  static let threadsMax = 256

  func validate() throws {
    guard let address = SocketAddress(listen) else {
      throw ValidationError("--listen \(listen): HOST:PORT is expected, for example 127.0.0.1:7001")
    }
    if let admin { try validate(admin: admin) }
    guard address.isLoopback || plaintext else {
      throw ValidationError(
        "--listen \(listen) can be reached from other machines, and TLS is not served yet: "
          + "listen on 127.0.0.1, or say --plaintext")
    }
    for (name, count) in [("--loops", loops), ("--shards", shards)] {
      if let count, !(1...ServeCommand.threadsMax).contains(count) {
        throw ValidationError("\(name) \(count): 1 to \(ServeCommand.threadsMax) are possible")
      }
    }
  }

  private func validate(admin: String) throws {
    guard let address = SocketAddress(admin) else {
      throw ValidationError("--admin \(admin): HOST:PORT is expected, for example 127.0.0.1:9090")
    }
    guard address.isLoopback || plaintext else {
      throw ValidationError(
        "--admin \(admin) can be reached from other machines, and TLS is not served yet: "
          + "listen on 127.0.0.1, or say --plaintext")
    }
  }

  func run() throws {
    guard let address = SocketAddress(listen) else { throw ValidationError("--listen \(listen)") }
    // Before any thread is started, so that all of them hold the signals back.
    StopSignals.hold()
    var logger = Logger(label: "crescendo") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = logLevel
    let serving = try SnapshotFolder.load(snapshot, mapped: mapped)
    let cores = Affinity.allowedCores()
    let (loopCount, shardCount) = (loops ?? cores.count, shards ?? cores.count)
    let seed = try randomSeed()
    let executor = DispatchShards(
      count: shardCount, cores: shardCount <= cores.count ? cores.reversed() : [],
      spinsBeforeSleep: loopCount + shardCount > cores.count ? 0 : ServeCommand.spins,
      queueNanoseconds: Limits.shardQueueNanoseconds)
    let engine = Engine(serving, executor: executor, fanOut: fanout, clock: .system)
    let metrics = ServerMetrics(loops: loopCount, shards: shardCount, facts: try facts(serving))
    let server = try start(
      engine,
      ScoringServer.Configuration(
        address: address, loops: loopCount, cores: loopCount <= cores.count ? cores : [],
        seed: seed),
      metrics, logger)
    let admin = try startAdmin(metrics, server)
    announce(server, serving, loopCount, shardCount, logger)
    announce(admin)
    let signal = StopSignals.wait()
    logger.info("stopping", metadata: ["signal": "\(signal)"])
    server.stop { executor.stop() }
    admin?.stop()
    logger.info("stopped")
  }

  private func start(
    _ engine: Engine, _ configuration: ScoringServer.Configuration, _ metrics: ServerMetrics,
    _ logger: Logger
  ) throws(CommandFailure) -> ScoringServer {
    do throws(SystemError) {
      return try ScoringServer(engine, configuration, metrics: metrics, logger: logger)
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

  private func announce(
    _ server: ScoringServer, _ serving: Serving, _ loops: Int, _ shards: Int, _ logger: Logger
  ) {
    logger.info(
      "serving",
      metadata: [
        "address": "\(server.address)", "snapshot": "\(serving.snapshot.manifest.version)",
        "model": "\(serving.defaultBlueprint.declaration.name)",
        "trees": "\(serving.defaultBlueprint.forest.treeCount)",
        "items": "\(serving.snapshot.items.rowCount)",
        "users": "\(serving.snapshot.users?.rowCount ?? 0)", "loops": "\(loops)",
        "shards": "\(shards)", "fanout": "\(fanout.rawValue)",
      ])
    print("listening on \(server.address)")
    // A reader behind a pipe waits for this line.
    fflush(nil)
  }
}

extension FanOut: ExpressibleByArgument {}
