internal import Core
internal import Engine
internal import EventLoop
internal import Transport
internal import Wire

typealias ScoreWorkPointer = UnsafeMutablePointer<ScoreWork>

/// `Score`: decode in place, plan, score here or on the shards, encode in place.
func handleScore(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let services = LoopServices.from(context)
  services._withUnsafeGuaranteedRef { loop in
    let work = loop.pool.take(services)
    work.pointee.stream = pointer
    do throws(CallFailure) {
      try work.prepare(ServerCall(pointer), loop)
      if loop.engine.run(work.pointee.call) {
        work.finish(loop)
      } else {
        ServerCall(pointer).attachment = UnsafeMutableRawPointer(work)
      }
    } catch {
      work.abandon(loop)
      ServerCall(pointer).fail(error)
    }
  }
}

/// The client has gone: shards drop the work at their next look, and `finish` frees it.
func cancelScore(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  guard let attachment = ServerCall(pointer).attachment else { return }
  let work = attachment.assumingMemoryBound(to: ScoreWork.self)
  work.pointee.call.pointee.cancel()
  work.pointee.stream = nil
}

/// On the thread of the shard that finished last: over to the call's own loop.
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
    work.finish(loop)
  }
}

extension UnsafeMutablePointer where Pointee == ScoreWork {
  /// Decodes the request, lays the answer out and plans the call.
  func prepare(_ unary: ServerCall, _ loop: LoopServices) throws(CallFailure) {
    var view = ScoreRequestView()
    let arena = pointee.arena
    if let failure = ScoreRequestDecoder.decode(
      unary.message, into: &view, arena: arena, candidatesMax: Limits.candidates)
    {
      throw failure
    }
    let blueprint = try loop.engine.blueprint(for: view)
    try keepRequestID(view.requestID, loop)
    let count = view.candidateCount
    let provenance = UnsafePointer(loop.provenance + blueprint.index)
    let capacity = ScoreResponseLayout.capacity(
      count: count, wantRaw: view.wantRaw, requestIDBytes: pointee.requestID.count,
      provenance: provenance.pointee)
    let buffer = try unary.takeBuffer(capacity)
    let layout = ScoreResponseLayout(buffer, count: count, wantRaw: view.wantRaw)
    pointee.answer = ScoreAnswer(
      buffer: buffer, buffers: unary.buffers, layout: layout,
      candidates: count, provenance: provenance)
    pointee.call.pointee.owner = UnsafeMutableRawPointer(self)
    pointee.call.pointee.clientDeadlineNanoseconds = unary.deadlineNanoseconds
    pointee.call.pointee.deadlineNanoseconds = Engine.deadline(
      startedNanoseconds: unary.startedNanoseconds, deadlineNanoseconds: unary.deadlineNanoseconds)
    try loop.engine.plan(pointee.call, blueprint, view, arena: arena)
    let lowest = Fidelity(rawValue: UInt8(truncatingIfNeeded: view.minFidelity)) ?? .prior
    try loop.engine.schedule(pointee.call, lowest: lowest, arena: arena)
    pointee.call.pointee.setColumns(
      ScoreColumns(
        scores: layout.scores, rawScores: layout.rawScores, fidelities: layout.fidelities,
        reasons: layout.reasons))
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

  /// Answers, unless the client has gone, and gives everything back.
  func finish(_ loop: LoopServices) {
    guard let stream = pointee.stream, let answer = pointee.answer else {
      return abandon(loop)
    }
    let unary = ServerCall(stream)
    do throws(CallFailure) {
      let outcome = try loop.engine.outcome(pointee.call)
      let count = answer.layout.finish(
        uniform: outcome.uniform(of: answer.candidates), requestID: pointee.requestID,
        provenance: answer.provenance.pointee,
        timeUnixMilliseconds: pointee.call.pointee.timeUnixMilliseconds,
        treesUsed: outcome.treesUsed)
      // From here on the buffer is the stream's.
      pointee.answer = nil
      unary.respond(answer.buffer, count: count)
      loop.pool.giveBack(self)
    } catch {
      abandon(loop)
      unary.fail(error)
    }
  }

  /// Gives everything back without an answer.
  func abandon(_ loop: LoopServices) {
    if let answer = pointee.answer {
      answer.buffers.giveBack(answer.buffer)
    }
    loop.pool.giveBack(self)
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
