internal import Core
package import Engine
internal import EventLoop
package import Logging
package import Syscalls
internal import Transport

/// Crescendo's server: the services of every loop over one engine.
package final class ScoringServer {
  private let transport: TransportServer
  private let health: ServingState
  /// Held for the loops, which know them by address only.
  let services: [LoopServices]
  /// Held for the loops, which know their handles only.
  private let metrics: ServerMetrics
  private let campaigns: CampaignRuntime?

  package struct Configuration: Sendable {
    package var address: SocketAddress
    /// Event loops, one thread each, at least 1.
    package var loops: Int
    /// Cores that the loops are pinned to, in turn; empty = not pinned.
    package var cores: [Int]
    /// Loops that never sleep.
    package var isBusy = false
    /// For request ids that clients leave empty; random, so that they differ between servers.
    package var seed: UInt64

    package init(address: SocketAddress, loops: Int, cores: [Int], seed: UInt64) {
      self.address = address
      self.loops = loops
      self.cores = cores
      self.seed = seed
    }
  }

  /// Listens and serves from now on. `metrics` has handles for as many loops. Without `campaigns`
  /// there are none.
  package init(
    _ engine: Engine, _ configuration: Configuration, metrics: ServerMetrics, logger: Logger,
    campaigns: CampaignRuntime? = nil
  ) throws(SystemError) {
    let health = ServingState(ledger: campaigns?.ledger.condition)
    var seeds = SplitMix64(seed: configuration.seed)
    var services: [LoopServices] = []
    var listening = TransportConfiguration(
      address: configuration.address, loops: configuration.loops, cores: configuration.cores,
      clock: engine.clock)
    listening.isBusy = configuration.isBusy
    transport = try TransportServer(listening) { eventLoop in
      let loop = LoopServices(
        engine: engine, eventLoop: eventLoop, health: health,
        metrics: metrics.loop(services.count), logger: logger, seed: seeds.next())
      if let campaigns {
        loop.campaigns = LoopCampaigns(runtime: campaigns, inUse: campaigns.firstBoard)
      }
      services.append(loop)
      return loop.table()
    }
    self.services = services
    self.campaigns = campaigns
    campaigns?.connect(services, commitLatency: metrics.commitLatency)
    self.metrics = metrics
    self.health = health
  }

  /// Where it listens, with the port that was really taken.
  package var address: SocketAddress { transport.address }

  /// Whether it takes calls, for whoever asks on whatever thread.
  package var readiness: @Sendable () -> Bool {
    let health = health
    return { health.isServing }
  }

  /// What does not serve though the server does, and why; for whoever asks on whatever thread.
  package var notice: @Sendable () -> String? {
    let health = health
    return { health.notice }
  }

  /// Says NOT_SERVING, takes no new connections, lets calls finish within the drain time, and
  /// returns when all is closed. `stopShards` returns when no shard runs any more.
  package func stop(stopShards: () -> Void) {
    health.stopServing()
    for loop in services { loop.postEndOfWatches() }
    transport.stop(loopsEnded: {
      stopShards()
      campaigns?.stop()
    })
  }
}
