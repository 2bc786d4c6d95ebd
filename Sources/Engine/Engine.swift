package import Core
internal import Signals

/// When a batch is cut into slices for several shards.
package enum FanOut: String, Sendable, CaseIterable {
  /// In place on the loop up to `ServingLimits.inPlaceNanoseconds` of estimated work; then one
  /// shard; from `ServingLimits.fanOutNanoseconds` on, one slice per shard.
  case auto
  /// One slice per shard, however small.
  case always
  /// The whole batch as one shard's job.
  case never
}

/// Plans and scores requests on one snapshot: in place, or on shards.
///
/// A call goes `blueprint(for:)` → `plan` → `schedule` → `run` → `outcome`, all on the loop that
/// owns it; only its slices run elsewhere. The same request gives the same bits whatever the
/// fan-out.
// Unchecked: what `queueDelays` points to belongs to the shards' threads, one element each.
package final class Engine: @unchecked Sendable {
  package let serving: Serving
  package let clock: Clock
  let executor: any ShardExecutor
  let fanOut: FanOut
  /// Two by shard, its interactive jobs' and its batch jobs'; they are its own thread's. Batch
  /// jobs stand behind the others, so that one kind's waits say nothing of the other's.
  let queueDelays: UnsafeMutablePointer<QueueDelay>

  package init(
    _ serving: Serving, executor: any ShardExecutor, fanOut: FanOut, clock: Clock
  ) {
    self.serving = serving
    self.executor = executor
    self.fanOut = fanOut
    self.clock = clock
    queueDelays = .allocate(capacity: 2 * executor.shardCount)
    queueDelays.initialize(repeating: QueueDelay(), count: 2 * executor.shardCount)
  }

  deinit {
    queueDelays.deallocate()
  }

  /// The model that a request names, once the request is found to make sense.
  package func blueprint(for request: ScoreRequestView) throws(CallFailure) -> Blueprint {
    if request.itemIDCount > 0, request.itemURIs.count > 0 {
      throw CallFailure(
        .invalidArgument, "item_ids and item_uris are both set: send one of them",
        field: "item_uris")
    }
    if request.requestID.count > Limits.requestIDBytes {
      throw CallFailure(
        .invalidArgument,
        "request_id has \(request.requestID.count) bytes; the limit is \(Limits.requestIDBytes)",
        field: "request_id")
    }
    if Fidelity(rawValue: UInt8(truncatingIfNeeded: request.minFidelity)) == nil
      || request.minFidelity != Int32(UInt8(truncatingIfNeeded: request.minFidelity))
    {
      throw CallFailure(
        .invalidArgument, "min_fidelity \(request.minFidelity) is no Fidelity",
        field: "min_fidelity")
    }
    if request.model.isEmpty { return serving.defaultBlueprint }
    guard let index = serving.modelNames.index(of: request.model) else {
      let known = serving.blueprints.map(\.declaration.name).joined(separator: ", ")
      throw CallFailure(
        .invalidArgument, "the snapshot has no model \(request.model.text); it has \(known)",
        field: "model")
    }
    return serving.blueprints[index]
  }

  /// Computes what does not depend on the candidates. What is allocated lies in `arena`.
  /// `nowUnixMilliseconds`: the wall clock, where the caller has just read it.
  package func plan(
    _ call: UnsafeMutablePointer<ScoreCall>, _ blueprint: Blueprint,
    _ request: ScoreRequestView, arena: UnsafeMutablePointer<Arena>,
    nowUnixMilliseconds: Int64? = nil
  ) throws(CallFailure) {
    var planner = ScorePlanner(
      self, blueprint, request, arena,
      nowUnixMilliseconds: nowUnixMilliseconds ?? clock.unixMilliseconds())
    call.pointee.plan = try planner.plan()
    call.pointee.sliceCount = 0
    call.pointee.control.pointee.begin()
  }

  /// Chooses how far the call goes and where, and cuts it into slices. The request's message may go
  /// away when `run` returns: what shards still read of it has been copied to `arena`.
  ///
  /// `inPlaceNanoseconds` is what the loop may still spend in this turn. `outlivesMessage`: `run`
  /// comes later than the message goes. Nothing that is a worse
  /// answer than the request allows is begun: DEADLINE_EXCEEDED where time is short,
  /// RESOURCE_EXHAUSTED where the queue is long. `now`: the clock, where the caller has just read
  /// it.
  package func schedule(
    _ call: UnsafeMutablePointer<ScoreCall>, lowest: Fidelity, arena: UnsafeMutablePointer<Arena>,
    inPlaceNanoseconds: UInt64 = Limits.serving.inPlaceNanoseconds, outlivesMessage: Bool = false,
    now: UInt64? = nil
  ) throws(CallFailure) {
    guard let plan = call.pointee.plan else { preconditionFailure("planned before scheduled") }
    let now = now ?? clock.monotonicNanoseconds()
    guard now < call.pointee.deadlineNanoseconds else {
      throw CallFailure(.deadlineExceeded, "the deadline had passed before any work was done")
    }
    // A level that is little enough work waits for no shard.
    func isInPlace(_ work: UInt64) -> Bool {
      plan.candidateCount == 0 || (fanOut == .auto && work <= inPlaceNanoseconds)
    }
    let full = work(plan, LevelChoice.full)
    let workers = workers(full)
    let queue =
      isInPlace(full) ? 0 : queueNanoseconds(isCut: workers > 1, isBatch: call.pointee.isBatch)
    let levels = plan.blueprint._withUnsafeGuaranteedRef { $0.levels }
    let (choice, reason) = LevelChoice.choose(
      levels: levels, lowest: levels.lowest(lowest),
      nanosecondsLeft: call.pointee.deadlineNanoseconds - now
    ) { level in
      let work = work(plan, level)
      return isInPlace(work)
        ? LevelChoice.Cost(work: work, queue: 0)
        : LevelChoice.Cost(work: work / workers, queue: queue)
    }
    if reason == .deadline {
      plan.blueprint._withUnsafeGuaranteedRef { $0.cost.doubt(now: now) }
    }
    guard let choice else { throw Engine.short(reason) }
    let aimed = work(plan, choice.level)
    call.pointee.lowestLevel = levels.lowest(lowest)
    call.pointee.targetLevel = choice.level
    call.pointee.targetReason = choice.reason
    call.pointee.answeredLevel = choice.level
    call.pointee.answeredReason = choice.reason
    call.pointee.executesInPlace = isInPlace(aimed)
    call.pointee.isCutByItem = workers > 1 && !call.pointee.executesInPlace
    let slicing = Slicing(
      call, arena,
      hasCheckpoints: call.pointee.sliceCompleted == nil
        && aimed / (call.pointee.isCutByItem ? workers : 1) > Limits.serving.blockNanoseconds)
    if outlivesMessage || !call.pointee.executesInPlace { try slicing.detach() }
    if call.pointee.isCutByItem {
      try slicing.byItem(shards: executor.shardCount, work: aimed)
    } else {
      try slicing.whole(work: aimed)
    }
  }

  /// Shards that a batch of this much work is cut for.
  func workers(_ work: UInt64) -> UInt64 {
    let isCut = fanOut == .always || (fanOut == .auto && work > Limits.serving.fanOutNanoseconds)
    return isCut ? UInt64(executor.shardCount) : 1
  }

  /// Estimated work of a planned call at a level.
  private func work(_ plan: ScorePlan, _ level: Int) -> UInt64 {
    plan.blueprint._withUnsafeGuaranteedRef {
      $0.cost.nanoseconds(candidates: plan.candidateCount, level: min(level, $0.levels.full))
    }
  }

  private static func short(_ reason: Reason) -> CallFailure {
    reason == .overload
      ? CallFailure(.resourceExhausted, "too much waits for an answer of that fidelity in time")
      : CallFailure(.deadlineExceeded, "there is no time for an answer of that fidelity")
  }

  /// Estimated work ahead of a new job: on the shard that would get it, or, cut, on the fullest.
  private func queueNanoseconds(isCut: Bool, isBatch: Bool) -> UInt64 {
    func ahead(_ shard: Int) -> UInt64 {
      isBatch
        ? executor.queuedNanoseconds(of: shard) : executor.interactiveNanoseconds(of: shard)
    }
    if !isCut { return ahead(executor.leastLoadedShard) }
    return (0..<executor.shardCount).map(ahead).max() ?? 0
  }

  /// Scores the scheduled call here, or hands its slices to shards; their columns are set by then.
  /// True: it is finished. False: `completed` will be called.
  package func run(_ call: UnsafeMutablePointer<ScoreCall>) -> Bool {
    guard let plan = call.pointee.plan, let slices = call.pointee.slices else {
      preconditionFailure("scheduled before it runs")
    }
    let control = call.pointee.control
    if call.pointee.executesInPlace {
      control.pointee.expect(slices: 0)
      slices.runInPlace(plan, clock)
      return true
    }
    control.pointee.expect(slices: call.pointee.sliceCount)
    let isStreamed = call.pointee.sliceCompleted != nil
    let now = clock.monotonicNanoseconds()
    var submitted = 0
    for index in 0..<call.pointee.sliceCount {
      let slice = slices + index
      slice.pointee.submittedNanoseconds = now
      // A slice without candidates has nothing to run.
      if slice.pointee.count == 0 {
        _ = control.pointee.leave()
      } else if submit(slice, isBatch: call.pointee.isBatch, isCut: call.pointee.isCutByItem) {
        slice.pointee.isSubmitted = true
        submitted += 1
      } else {
        slice.pointee.isRefused = true
        if !isStreamed { control.pointee.stop(.queueFull) }
      }
    }
    // Parts may be on their way already: then what is refused is a part like any other.
    if submitted == 0, plan.candidateCount > 0 { control.pointee.stop(.queueFull) }
    for index in 0..<call.pointee.sliceCount where slices[index].isRefused {
      if isStreamed, submitted > 0 { (slices + index).missEntirely(plan) }
      _ = control.pointee.leave()
    }
    guard control.pointee.leave() else { return false }
    if !isStreamed { call.settle(plan, clock) }
    return true
  }

  private func submit(_ slice: ScoreSlicePointer, isBatch: Bool, isCut: Bool) -> Bool {
    let shard = isCut ? slice.pointee.index : executor.leastLoadedShard
    let queued = isBatch ? executor.queuedNanoseconds(of: shard) : 0
    let work = slice.pointee.job.workNanoseconds
    guard Engine.hasRoom(for: work, isBatch: isBatch, queued: queued) else { return false }
    let job = UnsafeMutableRawPointer(slice).assumingMemoryBound(to: ShardJob.self)
    return executor.submit(job, to: shard)
  }

  /// Nobody wants a running call's answer any more: its slices stop at their next look, and those
  /// that still wait take no room in their queues. On the loop that owns the call.
  package func cancel(_ call: UnsafeMutablePointer<ScoreCall>) {
    call.pointee.cancel()
    guard !call.pointee.executesInPlace, let slices = call.pointee.slices else { return }
    for index in 0..<call.pointee.sliceCount where slices[index].isSubmitted {
      executor.withdraw(
        UnsafeMutableRawPointer(slices + index).assumingMemoryBound(to: ShardJob.self))
    }
  }

  /// What a finished call came to.
  package func outcome(_ call: UnsafeMutablePointer<ScoreCall>) throws(CallFailure) -> ScoreOutcome
  {
    switch call.pointee.control.pointee.stopReason {
    case nil: break
    case .cancelled: throw CallFailure(.cancelled, "the call was cancelled")
    case .deadline:
      throw CallFailure(.deadlineExceeded, "the deadline passed before all candidates were scored")
    case .queueFull:
      throw CallFailure(.resourceExhausted, "the scoring queue is full: retry later")
    case .shed:
      throw CallFailure(.resourceExhausted, "the request waited too long for a shard: retry later")
    }
    var outcome = answer(call, level: call.pointee.answeredLevel, call.pointee.answeredReason)
    for index in 0..<call.pointee.sliceCount { outcome.add(call.pointee.slices?[index]) }
    return outcome
  }

  /// What one slice of a streamed call came to, once it has ended.
  package func outcome(ofSlice index: Int, of call: UnsafeMutablePointer<ScoreCall>)
    -> ScoreOutcome
  {
    var outcome = answer(call, level: call.pointee.targetLevel, call.pointee.targetReason)
    outcome.add(call.pointee.slices?[index])
    if call.pointee.slices?[index].isMissed == true {
      outcome.fidelity = .none
      outcome.reason = call.pointee.slices?[index].missReason ?? .deadline
    }
    return outcome
  }

  private func answer(_ call: UnsafeMutablePointer<ScoreCall>, level: Int, _ reason: Reason)
    -> ScoreOutcome
  {
    guard let plan = call.pointee.plan else { preconditionFailure("planned before finished") }
    return plan.blueprint._withUnsafeGuaranteedRef { blueprint in
      ScoreOutcome(
        unknown: 0, fidelity: blueprint.levels.fidelity(level), reason: reason,
        treesUsed: blueprint.levels.treeCount(level), queueNanoseconds: 0, scoreNanoseconds: 0)
    }
  }

  /// When the engine stops working on a call: early enough for its answer to arrive in time.
  package static func deadline(startedNanoseconds: UInt64, deadlineNanoseconds: UInt64) -> UInt64 {
    guard deadlineNanoseconds > startedNanoseconds else { return deadlineNanoseconds }
    let timeout = deadlineNanoseconds - startedNanoseconds
    return deadlineNanoseconds - min(1_000_000, timeout / 5)
  }
}
