internal import Core
internal import Engine
internal import EventLoop
internal import Logging
internal import Models
internal import Signals
internal import Syscalls
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
  /// Where it lies, so that no call copies it.
  private let counts: UnsafeMutablePointer<LoopMetrics>
  let logsCalls: Bool
  // Unchecked, here and below: touched by one thread, and never while they are in use further up.
  @exclusivity(unchecked) var random: SplitMix64
  @exclusivity(unchecked) var pool = ScorePool()
  /// Nil without a data folder.
  var campaigns: LoopCampaigns?
  /// For messages that are decoded and done with at once.
  let reportArena: UnsafeMutablePointer<Arena>
  /// Calls of `Watch`.
  var watchers: [UnsafeMutableRawPointer: Watched] = [:]
  @exclusivity(unchecked) private var turn: UInt64 = 0
  @exclusivity(unchecked) private var turnBegunNanoseconds: UInt64 = 0
  @exclusivity(unchecked) private var wallTurn: UInt64 = .max
  @exclusivity(unchecked) private var wallUnixMilliseconds: Int64 = 0

  init(
    engine: Engine, eventLoop: EventLoop, health: ServingState, metrics: LoopMetrics,
    logger: Logger, seed: UInt64
  ) {
    self.engine = engine
    self.eventLoop = eventLoop
    self.health = health
    counts = .allocate(capacity: 1)
    counts.initialize(to: metrics)
    self.logger = logger
    logsCalls = logger.logLevel <= .debug
    random = SplitMix64(seed: seed)
    reportArena = .allocate(capacity: 1)
    reportArena.initialize(
      to: Arena(
        firstChunkBytes: Limits.serving.arenaFirstChunkBytes, limitBytes: Limits.serving.arenaBytes)
    )
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
    reportArena.deinitialize(count: 1)
    reportArena.deallocate()
    counts.deallocate()
    provenance.deinitialize(count: engine.serving.blueprints.count)
    provenance.deallocate()
  }

  var metrics: LoopMetrics { counts.pointee }

  /// From the context that the transport hands back.
  static func from(_ context: UnsafeMutableRawPointer?) -> Unmanaged<LoopServices> {
    guard let context else { preconditionFailure("a service without its loop") }
    return Unmanaged<LoopServices>.fromOpaque(context)
  }

  /// All methods that this server knows.
  func table() -> ServiceTable {
    var scoreMany = ServiceMethod(
      path: WireNames.scoreManyPath, handle: handleScoreMany, cancelled: cancelScoreMany)
    scoreMany.kind = .manyMessages
    scoreMany.hasDefaultDeadline = false
    scoreMany.started = startScoreMany
    scoreMany.halfClosed = halfCloseScoreMany
    scoreMany.writable = resumeScoreMany
    var watch = ServiceMethod(
      path: WireNames.healthWatchPath, handle: handleWatch, cancelled: cancelWatch)
    watch.hasDefaultDeadline = false
    var report = ServiceMethod(
      path: WireNames.reportExposuresPath, handle: handleReport, cancelled: cancelReport)
    report.kind = .manyMessages
    report.hasDefaultDeadline = false
    report.started = startReport
    report.halfClosed = halfCloseReport
    report.writable = resumeReport
    func pending(
      _ path: StaticString,
      _ handle: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer) -> Void
    ) -> ServiceMethod {
      ServiceMethod(path: path, handle: handle, cancelled: cancelPending)
    }
    var apply = pending(WireNames.applyCampaignsPath, handleApplyCampaigns)
    apply.takesCampaigns = true
    return ServiceTable(
      methods: [
        ServiceMethod(path: WireNames.scorePath, handle: handleScore, cancelled: cancelScore),
        ServiceMethod(
          path: WireNames.healthCheckPath, handle: handleHealthCheck, cancelled: ignoreCancelled),
        ServiceMethod(
          path: WireNames.streamScoresPath, handle: handleStreamScores, cancelled: cancelScore),
        scoreMany, watch,
        pending(WireNames.allocatePath, handleAllocate),
        pending(WireNames.releasePath, handleRelease),
        report,
        apply,
        pending(WireNames.getCampaignPath, handleGetCampaign),
        pending(WireNames.listCampaignsPath, handleListCampaigns),
        pending(WireNames.pauseCampaignPath, handlePauseCampaign),
        pending(WireNames.diagnoseCampaignPath, handleDiagnoseCampaign),
      ],
      context: Unmanaged.passUnretained(self).toOpaque(),
      callEnded: callEnded, callStarted: callStarted, turnEnded: turnEnded)
  }

  /// In the order of `table`.
  static let methods = [
    MeteredMethod(path: WireNames.scorePath, .unary),
    MeteredMethod(path: WireNames.healthCheckPath, .unary),
    MeteredMethod(path: WireNames.streamScoresPath, .serverStream),
    MeteredMethod(path: WireNames.scoreManyPath, .bidirectionalStream),
    MeteredMethod(path: WireNames.healthWatchPath, .serverStream),
    MeteredMethod(path: WireNames.allocatePath, .unary),
    MeteredMethod(path: WireNames.releasePath, .unary),
    MeteredMethod(path: WireNames.reportExposuresPath, .bidirectionalStream),
    MeteredMethod(path: WireNames.applyCampaignsPath, .unary),
    MeteredMethod(path: WireNames.getCampaignPath, .unary),
    MeteredMethod(path: WireNames.listCampaignsPath, .unary),
    MeteredMethod(path: WireNames.pauseCampaignPath, .unary),
    MeteredMethod(path: WireNames.diagnoseCampaignPath, .unary),
  ]

  /// What health is told of: "" is the whole server.
  static let healthServices: Set = [
    "", WireNames.scoreService, WireNames.allocationService, WireNames.deliveryService,
    WireNames.campaignService, WireNames.healthService,
  ]

  /// Of these, what is nothing without the ledger.
  static let ledgerServices: Set = [
    WireNames.allocationService, WireNames.deliveryService, WireNames.campaignService,
  ]

  // MARK: Admission

  /// Refuses a batch before it is decoded when no queue has room for as many candidates as its
  /// message may hold.
  func admit(messageBytes: Int, isBatch: Bool) -> CallFailure? {
    guard engine.isFull(candidates: messageBytes / 8, isBatch: isBatch) else { return nil }
    return CallFailure(
      .resourceExhausted, "the scoring queues are full: retry later",
      refusal: isBatch ? .shedBatch : .queueFull)
  }

  /// A failure with the time to come back, where a later try may find room.
  func advised(_ failure: CallFailure) -> CallFailure {
    guard failure.code == .resourceExhausted, failure.retryPushbackMilliseconds == nil else {
      return failure
    }
    var failure = failure
    failure.retryPushbackMilliseconds = pushbackMilliseconds()
    return failure
  }

  /// When to come back: between one and two times what a full queue takes to empty, so that those
  /// who were refused together do not come back together.
  private func pushbackMilliseconds() -> Int32 {
    let base = UInt64(Limits.serving.shardQueueNanoseconds / 1_000_000)
    return Int32(base + random.next() % base)
  }

  /// The wall clock, read once a turn.
  func turnUnixMilliseconds() -> Int64 {
    if wallTurn != eventLoop.turn {
      wallTurn = eventLoop.turn
      wallUnixMilliseconds = engine.clock.unixMilliseconds()
    }
    return wallUnixMilliseconds
  }

  /// What a call that begins now may take in place.
  func inPlaceNanosecondsLeft(now: UInt64) -> UInt64 {
    if turn != eventLoop.turn {
      turn = eventLoop.turn
      turnBegunNanoseconds = now
    }
    let spent = now - min(now, turnBegunNanoseconds)
    return spent < Limits.serving.inPlaceTurnNanoseconds ? Limits.serving.inPlaceNanoseconds : 0
  }

  /// Notes what a batch came to, for its call's record; answers what the clock says.
  @discardableResult
  func note(
    _ outcome: ScoreOutcome, of candidates: Int, _ call: ServerCall, since encodingBegan: UInt64
  ) -> UInt64 {
    var timing = call.timing
    timing.queueNanoseconds = max(timing.queueNanoseconds, outcome.queueNanoseconds)
    timing.candidates += candidates
    timing.scoreNanoseconds += outcome.scoreNanoseconds
    let now = engine.clock.monotonicNanoseconds()
    let encoding = now - encodingBegan
    timing.encodeNanoseconds += encoding
    call.timing = timing
    let known = candidates - outcome.unknown
    counts.pointee.candidates(outcome.fidelity, outcome.reason, count: known)
    counts.pointee.candidates(.none, .unknownItem, count: outcome.unknown)
    counts.pointee.work.queueDelay.record(outcome.queueNanoseconds)
    counts.pointee.work.score.record(outcome.scoreNanoseconds)
    counts.pointee.work.work.add(outcome.scoreNanoseconds)
    counts.pointee.encode.record(encoding)
    return now
  }

  fileprivate func note(_ figures: LoopFigures) {
    metrics.connections.set(figures.connections)
    metrics.streams.set(figures.streams)
    metrics.held(.receive).set(figures.receivingBytes)
    metrics.held(.send).set(figures.sendingBytes)
    metrics.held(.arena).set(pool.arenaBytes)
    metrics.turns.advance(to: figures.turns)
    metrics.writes.advance(to: figures.writes)
  }

  fileprivate func started(_ method: Int) { counts.pointee.callStarted(method: method) }

  /// A call's numbers, and its line in the log when debug lines are wanted.
  fileprivate func ended(_ pointer: UnsafePointer<CallRecord>) {
    let record = pointer.pointee
    counts.pointee.messagesReceived(method: record.method, count: record.receivedMessages)
    counts.pointee.messagesSent(method: record.method, count: record.sentMessages)
    counts.pointee.callEnded(
      method: record.method, status: record.status,
      durationNanoseconds: record.durationNanoseconds,
      receivedBytes: record.receivedBytes - MessageAssembler.prefixBytes * record.receivedMessages,
      sentBytes: record.sentBytes - MessageAssembler.prefixBytes * record.sentMessages)
    if let source = record.cancellation { counts.pointee.cancelled(source) }
    if let reason = record.refusal { counts.pointee.refused(reason) }
    if logsCalls { log(record) }
  }

  /// What a client chose, as one word of the line: it can forge neither a field nor a line.
  private func word(_ text: ByteSlice) -> String {
    let encoded = GRPCMessage.percentEncode(text.text)
      .flatMap { $0 == UInt8(ascii: " ") ? Array("%20".utf8) : [$0] }
    return String(decoding: encoded, as: UTF8.self)
  }

  private func log(_ record: CallRecord) {
    let method =
      LoopServices.methods.indices.contains(record.method)
      ? "/\(LoopServices.methods[record.method].fullName)" : "unknown"
    logger.debug(
      "call",
      metadata: [
        "method": "\(method)", "status": "\(record.status.name)",
        "received_bytes": "\(record.receivedBytes)", "sent_bytes": "\(record.sentBytes)",
        "peer": "\(Sockets.peerAddress(of: record.descriptor)?.description ?? "gone")",
        "request_id": "\(word(record.requestID))", "candidates": "\(record.timing.candidates)",
        "duration_us": "\(record.durationNanoseconds / 1_000)",
        "queue_us": "\(record.timing.queueNanoseconds / 1_000)",
        "score_us": "\(record.timing.scoreNanoseconds / 1_000)",
        "encode_us": "\(record.timing.encodeNanoseconds / 1_000)",
        "cancelled": "\(record.cancellation.map { "\($0)" } ?? "no")",
        "traceparent": "\(record.traceParent.text)",
      ])
  }
}

/// Calls that are answered before `handle` returns have nothing to cancel.
private func ignoreCancelled(
  _ context: UnsafeMutableRawPointer?, _ call: UnsafeMutableRawPointer
) {}

private func callStarted(_ context: UnsafeMutableRawPointer?, _ method: Int) {
  LoopServices.from(context)._withUnsafeGuaranteedRef { $0.started(method) }
}

private func turnEnded(_ context: UnsafeMutableRawPointer?, _ figures: UnsafeRawPointer) {
  let figures = figures.assumingMemoryBound(to: LoopFigures.self).pointee
  LoopServices.from(context)._withUnsafeGuaranteedRef { $0.note(figures) }
}

private func callEnded(_ context: UnsafeMutableRawPointer?, _ record: UnsafeRawPointer) {
  let record = record.assumingMemoryBound(to: CallRecord.self)
  LoopServices.from(context)._withUnsafeGuaranteedRef { $0.ended(record) }
}
