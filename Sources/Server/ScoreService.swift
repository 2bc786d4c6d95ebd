internal import Core
internal import Engine
internal import Transport
internal import Wire

/// `Score`: decode in place, plan, score here or on the shards, encode in place.
func handleScore(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let services = LoopServices.from(context)
  services._withUnsafeGuaranteedRef { loop in
    let (work, call) = (loop.pool.take(services), ServerCall(pointer))
    work.pointee.stream = pointer
    do throws(CallFailure) {
      var view = ScoreRequestView()
      try work.prepare(
        call.message, call, startedNanoseconds: call.startedNanoseconds,
        deadlineNanoseconds: call.deadlineNanoseconds, into: &view, loop)
      let answer = try work.layOut(
        in: .response, count: view.candidateCount, wantRaw: view.wantRaw, call)
      work.pointee.answer = answer
      work.pointee.call.pointee.setColumns(answer.columns)
      call.attachment = UnsafeMutableRawPointer(work)
      if work.pointee.boost?.pointee.asksShard == true {
        work.askShard(loop)
      } else {
        work.start(loop)
      }
    } catch {
      work.abandonUnary(loop)
      call.fail(loop.advised(error))
    }
  }
}

/// For `Score` and `StreamScores`.
func cancelScore(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  guard let attachment = ServerCall(pointer).attachment else { return }
  attachment.assumingMemoryBound(to: ScoreWork.self).cancel()
}

extension UnsafeMutablePointer where Pointee == ScoreWork {
  /// Answers, unless the client has gone, and gives everything back.
  func finishUnary(_ loop: LoopServices) {
    guard let stream = pointee.stream, let answer = pointee.answer else {
      return abandonUnary(loop)
    }
    let call = ServerCall(stream)
    do throws(CallFailure) {
      let outcome = try loop.engine.outcome(pointee.call)
      let encodingBegan =
        pointee.call.pointee.endedInPlaceNanoseconds ?? loop.engine.clock.monotonicNanoseconds()
      let count = encode(answer, outcome, loop)
      let now = loop.note(outcome, of: answer.candidates, call, since: encodingBegan)
      // From here on the buffer is the stream's.
      pointee.answer = nil
      call.respond(answer.buffer, count: count, now: now)
      loop.pool.giveBack(self)
    } catch {
      abandonUnary(loop)
      call.fail(loop.advised(error))
    }
  }

  func abandonUnary(_ loop: LoopServices) {
    if let answer = pointee.answer { giveBack(answer) }
    loop.pool.giveBack(self)
  }
}
