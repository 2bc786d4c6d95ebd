internal import Core
internal import Engine
internal import EventLoop
internal import Transport
internal import Wire

typealias ScoreWorkPointer = UnsafeMutablePointer<ScoreWork>

/// What all three kinds of scoring calls do alike.
extension UnsafeMutablePointer where Pointee == ScoreWork {
  /// Decodes a request, resolves its model and plans it; the level and the slices are the engine's
  /// choice. `view` lives as long as the message.
  func prepare(
    _ message: ByteSlice, _ call: ServerCall, startedNanoseconds: UInt64,
    deadlineNanoseconds: UInt64, into view: inout ScoreRequestView, _ loop: LoopServices
  ) throws(CallFailure) {
    let arena = pointee.arena
    pointee.begunNanoseconds = loop.engine.clock.monotonicNanoseconds()
    if let failure = loop.admit(messageBytes: message.count, isBatch: call.isBatch) {
      throw failure
    }
    if let failure = ScoreRequestDecoder.decode(
      message, into: &view, arena: arena, candidatesMax: Limits.serving.candidates)
    {
      throw failure
    }
    if let fault = call.workFault(view.candidateCount) { throw fault }
    if view.wantBoosts || view.wantExplanations { throw ScoreWork.campaignsAreOff }
    let blueprint = try loop.engine.blueprint(for: view)
    try keepRequestID(view.requestID, loop)
    if loop.logsCalls { call.noteRequestID(pointee.requestID) }
    pointee.provenance = UnsafePointer(loop.provenance + blueprint.index)
    let scoring = pointee.call
    scoring.pointee.owner = UnsafeMutableRawPointer(self)
    scoring.pointee.isBatch = call.isBatch
    scoring.pointee.clientDeadlineNanoseconds = deadlineNanoseconds
    scoring.pointee.deadlineNanoseconds = Engine.deadline(
      startedNanoseconds: startedNanoseconds, deadlineNanoseconds: deadlineNanoseconds)
    try loop.engine.plan(scoring, blueprint, view, arena: arena)
    let lowest = Fidelity(rawValue: UInt8(truncatingIfNeeded: view.minFidelity)) ?? .prior
    try loop.engine.schedule(
      scoring, lowest: lowest, arena: arena, inPlaceNanoseconds: loop.inPlaceNanosecondsLeft())
    loop.pool.noteArena(self)
  }

  /// The client's request id, or one of ours: 16 random bytes as hexadecimal digits.
  private func keepRequestID(_ asked: ByteSlice, _ loop: LoopServices) throws(CallFailure) {
    guard asked.isEmpty else {
      pointee.requestID = asked
      return
    }
    let count = 32
    guard let room = pointee.arena.pointee.allocate(UInt8.self, count: count) else {
      throw CallFailure(.resourceExhausted, "no memory for a request id")
    }
    for half in 0..<2 {
      var bits = loop.random.next()
      for index in 0..<16 {
        let nibble = UInt8(bits >> 60)
        bits <<= 4
        room[16 * half + index] =
          nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
      }
    }
    pointee.requestID = ByteSlice(room, count: count)
  }

  /// A buffer with room for an answer, laid out.
  func layOut(
    in envelope: ScoreEnvelope, count: Int, wantRaw: Bool, _ call: ServerCall
  ) throws(CallFailure) -> ScoreAnswer {
    guard let provenance = pointee.provenance?.pointee else {
      preconditionFailure("prepared before it is laid out")
    }
    let buffer = try call.takeBuffer(
      ScoreResponseLayout.capacity(
        in: envelope, count: count, wantRaw: wantRaw, requestIDBytes: pointee.requestID.count,
        provenance: provenance))
    let layout = ScoreResponseLayout(
      buffer, in: envelope, count: count, wantRaw: wantRaw,
      requestIDBytes: pointee.requestID.count, provenance: provenance)
    return ScoreAnswer(
      buffer: buffer, buffers: call.buffers, layout: layout, candidates: count)
  }

  /// Completes an answer; how many bytes it has.
  func encode(_ answer: ScoreAnswer, _ outcome: ScoreOutcome) -> Int {
    guard let provenance = pointee.provenance?.pointee else {
      preconditionFailure("prepared before it is encoded")
    }
    return answer.layout.finish(
      uniform: outcome.uniform(of: answer.candidates), requestID: pointee.requestID,
      provenance: provenance,
      timeUnixMilliseconds: pointee.call.pointee.timeUnixMilliseconds,
      treesUsed: outcome.treesUsed)
  }

  /// A buffer that was not sent goes back, to its call's account while that is open.
  func giveBack(_ answer: ScoreAnswer) {
    if let stream = pointee.stream {
      ServerCall(stream).giveBack(answer.buffer)
    } else {
      answer.buffers.giveBack(answer.buffer)
    }
  }

  /// Nobody waits any more: shards drop the work at their next look, and the loop frees it when
  /// they have.
  func cancel() {
    pointee.services._withUnsafeGuaranteedRef { $0.engine.cancel(pointee.call) }
    pointee.stream = nil
  }
}

extension ScoreWork {
  static let campaignsAreOff = CallFailure(
    .unimplemented,
    "want_boosts and want_explanations need campaigns, which are off: serve with --data DIR")
}

extension ScoreAnswer {
  /// Where the engine writes.
  var columns: ScoreColumns {
    ScoreColumns(
      scores: layout.scores, rawScores: layout.rawScores, fidelities: layout.fidelities,
      reasons: layout.reasons)
  }
}

extension ScoreOutcome {
  /// What all candidates have in common, if they do.
  func uniform(of count: Int) -> ScoreResponseLayout.Uniform? {
    if unknown == 0 { return ScoreResponseLayout.Uniform(fidelity: fidelity, reason: reason) }
    if unknown == count {
      return ScoreResponseLayout.Uniform(fidelity: .none, reason: .unknownItem)
    }
    return nil
  }
}

/// On the thread of the shard that finished last: over to the work's own loop.
func scoreCompleted(_ owner: UnsafeMutableRawPointer?) {
  guard let owner else { preconditionFailure("a call without its owner") }
  let work = owner.assumingMemoryBound(to: ScoreWork.self)
  work.pointee.services._withUnsafeGuaranteedRef { loop in
    loop.eventLoop.post(owner.assumingMemoryBound(to: LoopTask.self))
  }
}

/// On the loop: the answer goes out, or, if nobody waits any more, the memory goes back.
func scoreFinished(_ task: UnsafeMutableRawPointer) {
  let work = task.assumingMemoryBound(to: ScoreWork.self)
  work.pointee.services._withUnsafeGuaranteedRef { loop in
    switch work.pointee.kind {
    case .unary: work.finishUnary(loop)
    case .streamed: work.finishStreamed(loop)
    case .item: work.finishItem(loop)
    }
  }
}
