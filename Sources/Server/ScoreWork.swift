internal import Campaigns
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
    if let failure = loop.admit(messageBytes: message.count, isBatch: call.isBatch) {
      throw failure
    }
    if let failure = ScoreRequestDecoder.decode(
      message, into: &view, arena: arena, candidatesMax: Limits.serving.candidates)
    {
      throw failure
    }
    if let fault = call.workFault(view.itemIDCount + view.itemURIs.count) { throw fault }
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
    var isAllocation = false
    if case .allocation = pointee.kind { isAllocation = true }
    // What money or a campaign's hours hang on is told the time anew.
    let isPlain = !isAllocation && !view.wantBoosts && !view.wantExplanations
    try loop.engine.plan(
      scoring, blueprint, view, arena: arena,
      nowUnixMilliseconds: isPlain ? loop.turnUnixMilliseconds() : nil)
    if isAllocation {
      // What an allocation answers with is its own.
      (view.wantBoosts, view.wantExplanations, view.wantRaw) = (false, false, false)
      try prepareBoosts(view, blueprint, loop, forAllocation: true)
    } else if view.wantBoosts || view.wantExplanations {
      try prepareBoosts(view, blueprint, loop)
    }
    let lowest = Fidelity(rawValue: UInt8(truncatingIfNeeded: view.minFidelity)) ?? .prior
    let now = loop.engine.clock.monotonicNanoseconds()
    try loop.engine.schedule(
      scoring, lowest: lowest, arena: arena,
      inPlaceNanoseconds: loop.inPlaceNanosecondsLeft(now: now),
      outlivesMessage: pointee.boost?.pointee.asksShard ?? false, now: now)
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
    let target = UnsafeMutableRawPointer(room)
    for half in 0..<2 {
      let bits = loop.random.next()
      let (high, low) = (hexadecimalDigits(bits >> 32), hexadecimalDigits(bits & 0xFFFF_FFFF))
      target.storeBytes(of: high.littleEndian, toByteOffset: 16 * half, as: UInt64.self)
      target.storeBytes(of: low.littleEndian, toByteOffset: 16 * half + 8, as: UInt64.self)
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
    let requestIDBytes = pointee.requestID.count
    let capacity = ScoreResponseLayout.capacity(
      in: envelope, count: count, wantRaw: wantRaw, requestIDBytes: requestIDBytes,
      provenance: provenance)
    guard let boost = pointee.boost else {
      let buffer = try call.takeBuffer(capacity)
      let layout = ScoreResponseLayout(
        buffer, in: envelope, count: count, wantRaw: wantRaw, requestIDBytes: requestIDBytes,
        provenance: provenance)
      return ScoreAnswer(
        buffer: buffer, buffers: call.buffers, layout: layout, candidates: count)
    }
    let room = boost.pointee.room(count)
    var isPart = false
    if case .part = envelope { isPart = true }
    let memory = try boostMemory(
      count, isPart: isPart, wantsRaw: boost.pointee.wantsExplanations && !wantRaw)
    let buffer = try call.takeBuffer(capacity + room.capacity(count: count))
    var columns: Wire.BoostColumns?
    let layout = ScoreResponseLayout(
      buffer, in: envelope, count: count, wantRaw: wantRaw, requestIDBytes: requestIDBytes,
      provenance: provenance, room: room, boosts: &columns)
    var answer = ScoreAnswer(
      buffer: buffer, buffers: call.buffers, layout: layout, candidates: count)
    answer.boosts = columns
    answer.memory = memory
    return answer
  }

  /// Completes an answer; how many bytes it has.
  func encode(_ answer: ScoreAnswer, _ outcome: ScoreOutcome, _ loop: LoopServices) -> Int {
    guard let provenance = pointee.provenance?.pointee else {
      preconditionFailure("prepared before it is encoded")
    }
    let time = pointee.call.pointee.timeUnixMilliseconds
    guard let boost = pointee.boost, let columns = answer.boosts else {
      return answer.layout.finish(
        uniform: outcome.uniform(of: answer.candidates), requestID: pointee.requestID,
        provenance: provenance, timeUnixMilliseconds: time, treesUsed: outcome.treesUsed)
    }
    let (reason, explanations) = writeBoosts(answer, loop)
    return answer.layout.finish(
      uniform: outcome.uniform(of: answer.candidates), boosts: columns, boostReason: reason,
      requestID: pointee.requestID, provenance: provenance,
      details: ProvenanceDetails(
        timeUnixMilliseconds: time, treesUsed: outcome.treesUsed,
        arm: ByteSlice(boost.pointee.audience.arm.text), boostScale: boost.pointee.inUse.scale),
      explanations: explanations)
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

/// The eight hexadecimal digits of 32 bits, as characters: the first digit in the lowest byte.
private func hexadecimalDigits(_ bits: UInt64) -> UInt64 {
  // Halves, bytes, then nibbles change places on their way apart.
  var digits = (bits & 0xFFFF) << 32 | bits >> 16
  digits = (digits & 0x0000_00FF_0000_00FF) << 16 | (digits & 0x0000_FF00_0000_FF00) >> 8
  digits = (digits & 0x000F_000F_000F_000F) << 8 | (digits & 0x00F0_00F0_00F0_00F0) >> 4
  // 1 where a digit is above 9: it is a letter, 39 behind the character that follows "9".
  let letters = ((digits &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
  return (digits | 0x3030_3030_3030_3030) &+ 0x27 &* letters
}

extension ScoreAnswer {
  /// Where the engine writes.
  var columns: ScoreColumns {
    ScoreColumns(
      scores: layout.scores,
      rawScores: layout.rawScores ?? memory?.raw.map { UnsafeMutableRawPointer($0) },
      fidelities: layout.fidelities, reasons: layout.reasons, outputs: memory?.outputs)
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
  work.pointee.services._withUnsafeGuaranteedRef { work.finish($0) }
}

extension UnsafeMutablePointer where Pointee == ScoreWork {
  /// Scores what is prepared and laid out; its answer is sent now or later.
  func start(_ loop: LoopServices) {
    guard pointee.stream != nil else { return finish(loop) }
    guard loop.engine.run(pointee.call) else { return }
    if case .streamed = pointee.kind, !pointee.call.pointee.executesInPlace {
      // Shards were faster than this loop: their parts are in its mailbox, and go first.
      return loop.eventLoop.post(
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: LoopTask.self))
    }
    finish(loop)
  }

  /// The answer goes out, or, if nobody waits any more, the memory goes back.
  fileprivate func finish(_ loop: LoopServices) {
    switch pointee.kind {
    case .unary: finishUnary(loop)
    case .streamed: finishStreamed(loop)
    case .item: finishItem(loop)
    case .allocation: finishAllocation(loop)
    }
  }
}
