package import Core
internal import Signals

/// When a batch is cut into slices for several shards.
package enum FanOut: String, Sendable, CaseIterable {
  /// In place on the loop up to `Limits.inPlaceNanoseconds` of estimated work; then one shard;
  /// from `Limits.fanOutNanoseconds` on, one slice per shard.
  case auto
  /// One slice per shard, however small.
  case always
  /// The whole batch as one shard's job.
  case never
}

/// Plans and scores requests on one snapshot: in place, or on shards.
///
/// A call goes `blueprint(for:)` → `plan` → `start` → `outcome`, all on the loop that owns it;
/// only its slices run elsewhere. The same request gives the same bits whatever the fan-out.
package final class Engine: Sendable {
  package let serving: Serving
  package let clock: Clock
  private let executor: any ShardExecutor
  private let fanOut: FanOut

  package init(
    _ serving: Serving, executor: any ShardExecutor, fanOut: FanOut, clock: Clock
  ) {
    self.serving = serving
    self.executor = executor
    self.fanOut = fanOut
    self.clock = clock
  }

  /// The model that a request names, once the request is found to make sense.
  package func blueprint(for request: ScoreRequestView) throws(CallFailure) -> Blueprint {
    if request.wantBoosts || request.wantExplanations {
      throw CallFailure(
        .unimplemented, "want_boosts and want_explanations are not served yet; leave them out")
    }
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

  /// Computes what does not depend on the candidates. `call.columns` and `.deadlineNanoseconds`
  /// are set by then; what is allocated lies in `arena`.
  package func plan(
    _ call: UnsafeMutablePointer<ScoreCall>, _ blueprint: Blueprint,
    _ request: ScoreRequestView, arena: UnsafeMutablePointer<Arena>
  ) throws(CallFailure) {
    var planner = ScorePlanner(
      self, blueprint, request, arena, nowUnixMilliseconds: clock.unixMilliseconds())
    call.pointee.plan = try planner.plan()
  }

  /// Scores the call here, or hands it to shards.
  ///
  /// True: it is finished. False: `completed` will be called. The request's message may go away
  /// when this returns: what slices still read of it has been copied to `arena`.
  package func start(
    _ call: UnsafeMutablePointer<ScoreCall>, arena: UnsafeMutablePointer<Arena>
  ) throws(CallFailure) -> Bool {
    guard let plan = call.pointee.plan else { preconditionFailure("planned before it is started") }
    let count = plan.candidateCount
    let work = plan.blueprint._withUnsafeGuaranteedRef { $0.cost.nanoseconds(candidates: count) }
    let cut = Slicing(call, arena)
    if count == 0 || (fanOut == .auto && work <= Limits.inPlaceNanoseconds) {
      let slice = try cut.whole(work: work)
      call.pointee.control.pointee.reset(slices: 0)
      slice.score()
      return call.pointee.control.pointee.leave()
    }
    try cut.detach()
    let isCut =
      executor.shardCount > 1
      && (fanOut == .always || (fanOut == .auto && work > Limits.fanOutNanoseconds))
    if isCut {
      try cut.byItem(shards: executor.shardCount, work: work)
    } else {
      _ = try cut.whole(work: work)
    }
    return submit(call, isCut: isCut)
  }

  /// Hands every slice to its shard; those that find no room stop the call.
  private func submit(_ call: UnsafeMutablePointer<ScoreCall>, isCut: Bool) -> Bool {
    guard let slices = call.pointee.slices else { preconditionFailure("cut before submitted") }
    let control = call.pointee.control
    control.pointee.reset(slices: call.pointee.sliceCount)
    for index in 0..<call.pointee.sliceCount {
      let slice = slices + index
      // A slice without candidates has nothing to run.
      let shard = isCut ? index : executor.leastLoadedShard
      let job = UnsafeMutableRawPointer(slice).assumingMemoryBound(to: ShardJob.self)
      if slice.pointee.count > 0, executor.submit(job, to: shard) { continue }
      if slice.pointee.count > 0 { control.pointee.stop(.queueFull) }
      _ = control.pointee.leave()
    }
    return control.pointee.leave()
  }

  /// What a finished call came to: how many candidates the snapshot did not know.
  package func outcome(_ call: UnsafeMutablePointer<ScoreCall>) throws(CallFailure) -> Int {
    switch call.pointee.control.pointee.stopReason {
    case nil: break
    case .cancelled: throw CallFailure(.cancelled, "the call was cancelled")
    case .deadline:
      throw CallFailure(.deadlineExceeded, "the deadline passed before all candidates were scored")
    case .queueFull:
      throw CallFailure(.resourceExhausted, "the scoring queue is full: retry later")
    }
    var unknown = 0
    for index in 0..<call.pointee.sliceCount {
      unknown += call.pointee.slices?[index].unknown ?? 0
    }
    return unknown
  }

  /// When the engine stops working on a call: early enough for its answer to arrive in time.
  package static func deadline(startedNanoseconds: UInt64, deadlineNanoseconds: UInt64) -> UInt64 {
    guard deadlineNanoseconds > startedNanoseconds else { return deadlineNanoseconds }
    let timeout = deadlineNanoseconds - startedNanoseconds
    return deadlineNanoseconds - min(1_000_000, timeout / 5)
  }
}
