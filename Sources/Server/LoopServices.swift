internal import Core
internal import Engine
internal import EventLoop
internal import Logging
internal import Models
internal import Signals
internal import Transport
internal import Wire

/// The services as one loop runs them: its own pool and random numbers, the shared engine behind.
/// Everything here is touched only by that loop's thread.
final class LoopServices {
  let engine: Engine
  let eventLoop: EventLoop
  /// By `Blueprint.index`.
  let provenance: UnsafeMutablePointer<ProvenanceTemplate>
  let health: ServingState
  let logger: Logger
  var random: SplitMix64
  var pool = ScorePool()

  init(
    engine: Engine, eventLoop: EventLoop, health: ServingState, logger: Logger, seed: UInt64
  ) {
    self.engine = engine
    self.eventLoop = eventLoop
    self.health = health
    self.logger = logger
    random = SplitMix64(seed: seed)
    let serving = engine.serving
    provenance = .allocate(capacity: serving.blueprints.count)
    for blueprint in serving.blueprints {
      (provenance + blueprint.index).initialize(
        to: ProvenanceTemplate(
          snapshot: serving.snapshot.manifest.version, model: blueprint.declaration.name,
          modelSHA256: blueprint.modelSHA256, treesTotal: blueprint.forest.treeCount))
    }
  }

  deinit {
    pool.destroy()
    provenance.deinitialize(count: engine.serving.blueprints.count)
    provenance.deallocate()
  }

  /// From the context that the transport hands back.
  static func from(_ context: UnsafeMutableRawPointer?) -> Unmanaged<LoopServices> {
    guard let context else { preconditionFailure("a service without its loop") }
    return Unmanaged<LoopServices>.fromOpaque(context)
  }

  /// All methods that this server knows; those that wait for their time say so.
  func table() -> ServiceTable {
    ServiceTable(
      methods: [
        ServiceMethod(path: WireNames.scorePath, handle: handleScore, cancelled: cancelScore),
        ServiceMethod(
          path: WireNames.healthCheckPath, handle: handleHealthCheck, cancelled: ignoreCancelled),
        ServiceMethod.unserved(path: WireNames.streamScoresPath, because: LoopServices.unaryOnly),
        ServiceMethod.unserved(path: WireNames.scoreManyPath, because: LoopServices.unaryOnly),
        ServiceMethod.unserved(path: WireNames.healthWatchPath, because: LoopServices.unaryOnly),
      ],
      context: Unmanaged.passUnretained(self).toOpaque(),
      callEnded: logger.logLevel <= .debug ? logCall : nil)
  }

  private static let unaryOnly =
    "this server answers unary calls only: use Score, or Check for health"

  /// In the order of `table`.
  static let methodNames = [
    WireNames.scorePath, WireNames.healthCheckPath, WireNames.streamScoresPath,
    WireNames.scoreManyPath, WireNames.healthWatchPath,
  ]
}

/// Calls that are answered before `handle` returns have nothing to cancel.
private func ignoreCancelled(
  _ context: UnsafeMutableRawPointer?, _ call: UnsafeMutableRawPointer
) {}

private func logCall(_ context: UnsafeMutableRawPointer?, _ record: UnsafeRawPointer) {
  let record = record.assumingMemoryBound(to: CallRecord.self).pointee
  let services = LoopServices.from(context).takeUnretainedValue()
  let method =
    record.method < 0 ? "unknown" : "\(LoopServices.methodNames[record.method])"
  services.logger.debug(
    "call",
    metadata: [
      "method": "\(method)", "status": "\(record.status.name)",
      "received_bytes": "\(record.receivedBytes)", "sent_bytes": "\(record.sentBytes)",
      "duration_us": "\(record.durationNanoseconds / 1_000)",
    ])
}
