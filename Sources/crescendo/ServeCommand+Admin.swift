import Core
import Engine
import Executors
import Foundation
import Server
import Signals
import Syscalls

extension ServeCommand {
  /// What `/metrics` reads when somebody asks.
  func facts(_ serving: Serving) throws(UsageError) -> ServerFacts {
    let manifest = serving.snapshot.manifest
    let snapshot = ServerFacts.Snapshot(
      version: manifest.version, models: serving.blueprints.map(\.declaration.name),
      createdUnixMilliseconds: try TimeArgument(parsing: manifest.created).unixMilliseconds)
    return ServerFacts(
      snapshot: { snapshot },
      learnedCosts: {
        serving.blueprints.flatMap { blueprint in
          blueprint.learnedCosts.map {
            ServerFacts.LearnedCost(
              model: blueprint.declaration.name, level: $0.level, nanoseconds: $0.nanoseconds)
          }
        }
      },
      process: {
        guard let usage = try? ProcessUsage.current() else { return nil }
        return ServerFacts.Process(
          residentBytes: usage.residentBytes, cpuNanoseconds: usage.cpuNanoseconds)
      },
      clock: .system)
  }

  /// The admin port, when one is asked for. A server without the one that it should have is
  /// stopped, so that it holds nothing when the process ends.
  func startAdmin(
    _ address: SocketAddress?, _ metrics: ServerMetrics, _ server: ScoringServer,
    _ executor: DispatchShards
  ) throws(CommandFailure) -> AdminServer? {
    guard let address else { return nil }
    do throws(AdminError) {
      return try AdminServer(
        address,
        AdminServer.Answers(
          metrics: { metrics.exposition() }, isReady: server.readiness, notice: server.notice))
    } catch {
      server.stop { executor.stop() }
      throw CommandFailure(.negative, "--admin \(address): \(error)")
    }
  }
}
