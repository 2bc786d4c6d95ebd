internal import Core
internal import Engine
internal import EventLoop
internal import Transport
internal import Wire

/// `StreamScores`: as `Score`, but each slice is a message of its own, sent as it ends. The level
/// is fixed when the call starts.
func handleStreamScores(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let services = LoopServices.from(context)
  services._withUnsafeGuaranteedRef { loop in
    let (work, call) = (loop.pool.take(services), ServerCall(pointer))
    work.pointee.stream = pointer
    work.pointee.kind = .streamed
    work.pointee.call.pointee.sliceCompleted = partCompleted
    do throws(CallFailure) {
      var view = ScoreRequestView()
      try work.prepare(
        call.message, call, startedNanoseconds: call.startedNanoseconds,
        deadlineNanoseconds: call.deadlineNanoseconds, into: &view, loop)
      try work.layOutParts(wantRaw: view.wantRaw, call)
      call.attachment = UnsafeMutableRawPointer(work)
      if work.pointee.boost?.pointee.asksShard == true {
        work.askShard(loop)
      } else {
        work.start(loop)
      }
    } catch {
      work.abandonParts(loop)
      call.fail(loop.advised(error))
    }
  }
}

/// On the thread of the slice that has ended: its part goes to the loop, before the call does. In
/// place it is the loop itself, which sends all parts when `run` is back.
private func partCompleted(_ owner: UnsafeMutableRawPointer?, _ slice: Int) {
  guard let owner else { preconditionFailure("a call without its owner") }
  let work = owner.assumingMemoryBound(to: ScoreWork.self)
  guard !work.pointee.call.pointee.executesInPlace, let parts = work.pointee.parts else { return }
  work.pointee.services._withUnsafeGuaranteedRef { loop in
    loop.eventLoop.post(
      UnsafeMutableRawPointer(parts + slice).assumingMemoryBound(to: LoopTask.self))
  }
}

private func partFinished(_ task: UnsafeMutableRawPointer) {
  let part = task.assumingMemoryBound(to: ScorePart.self)
  let work = part.pointee.work
  work.pointee.services._withUnsafeGuaranteedRef { loop in
    work.sendPart(part.pointee.index, loop)
  }
}

extension UnsafeMutablePointer where Pointee == ScoreWork {
  /// A buffer for each slice that has candidates; an empty batch is one empty part.
  fileprivate func layOutParts(wantRaw: Bool, _ call: ServerCall) throws(CallFailure) {
    let scoring = pointee.call
    let slices = scoring.pointee.sliceCount
    guard
      let room = pointee.arena.pointee.allocate(
        byteCount: slices * MemoryLayout<ScorePart>.stride)
    else { throw CallFailure(.resourceExhausted, "no memory for the parts of the answer") }
    let parts = room.bindMemory(to: ScorePart.self, capacity: slices)
    for index in 0..<slices {
      (parts + index).initialize(
        to: ScorePart(
          task: LoopTask(run: partFinished, context: nil), work: self, index: index, answer: nil))
    }
    pointee.parts = parts
    for index in 0..<slices {
      let count = scoring.pointee.candidateCount(ofSlice: index)
      if count == 0 && slices > 1 { continue }
      var answer = try layOut(in: .part, count: count, wantRaw: wantRaw, call)
      answer.positions = scoring.pointee.positions(ofSlice: index)
      parts[index].answer = answer
      answer.writePositions(scoring.pointee.positions(ofSlice: index))
      scoring.pointee.setColumns(answer.columns, ofSlice: index)
    }
  }

  fileprivate func sendPart(_ index: Int, _ loop: LoopServices) {
    guard let parts = pointee.parts, let answer = parts[index].answer,
      let stream = pointee.stream
    else { return }
    let call = ServerCall(stream)
    let outcome = loop.engine.outcome(ofSlice: index, of: pointee.call)
    let encodingBegan = loop.engine.clock.monotonicNanoseconds()
    let count = encode(answer, outcome, loop)
    loop.note(outcome, of: answer.candidates, call, since: encodingBegan)
    parts[index].answer = nil
    call.send(answer.buffer, count: count)
  }

  /// All slices have ended. What was stopped before it ran, or in place, has not been sent.
  func finishStreamed(_ loop: LoopServices) {
    guard let stream = pointee.stream else { return abandonParts(loop) }
    let call = ServerCall(stream)
    do throws(CallFailure) {
      _ = try loop.engine.outcome(pointee.call)
      for index in 0..<pointee.call.pointee.sliceCount { sendPart(index, loop) }
      loop.pool.giveBack(self)
      call.finish()
    } catch {
      abandonParts(loop)
      call.fail(loop.advised(error))
    }
  }

  fileprivate func abandonParts(_ loop: LoopServices) {
    if let parts = pointee.parts {
      for index in 0..<pointee.call.pointee.sliceCount {
        if let answer = parts[index].answer { giveBack(answer) }
      }
    }
    loop.pool.giveBack(self)
  }
}

extension ScoreAnswer {
  /// `positions` nil: all candidates, in order.
  fileprivate func writePositions(_ positions: UnsafePointer<UInt32>?) {
    guard let target = layout.positions else { return }
    // Loops without a choice in them: vectors of positions at a time.
    if let positions {
      for index in 0..<candidates {
        target.storeBytes(
          of: positions[index].littleEndian, toByteOffset: 4 &* index, as: UInt32.self)
      }
    } else {
      for index in 0..<candidates {
        target.storeBytes(
          of: UInt32(truncatingIfNeeded: index).littleEndian, toByteOffset: 4 &* index,
          as: UInt32.self)
      }
    }
  }
}
