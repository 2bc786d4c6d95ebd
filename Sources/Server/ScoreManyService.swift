internal import Core
internal import Engine
internal import Transport
internal import Wire

/// A `ScoreMany` call: many batches over one stream, answered in the order in which they are done.
/// It lives until its last item has ended, also when the client has gone before.
struct ScoreManyState {
  /// Nil once nobody waits any more.
  var stream: UnsafeMutableRawPointer?
  /// Items that are worked on, linked.
  var items: ScoreWorkPointer?
  var itemCount = 0
  var isHalfClosed = false
  var isPaused = false
}

private typealias StatePointer = UnsafeMutablePointer<ScoreManyState>

private func state(_ call: ServerCall) -> StatePointer {
  guard let attachment = call.attachment else { preconditionFailure("a call without its state") }
  return attachment.assumingMemoryBound(to: ScoreManyState.self)
}

func startScoreMany(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let state = StatePointer.allocate(capacity: 1)
  state.initialize(to: ScoreManyState(stream: pointer))
  ServerCall(pointer).attachment = UnsafeMutableRawPointer(state)
}

/// One item. It fails alone.
func handleScoreMany(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let services = LoopServices.from(context)
  services._withUnsafeGuaranteedRef { loop in
    let call = ServerCall(pointer)
    let state = state(call)
    let work = loop.pool.take(services)
    work.pointee.stream = pointer
    work.pointee.credit = call.messageCredit
    var item = ScoreManyRequestView()
    do throws(CallFailure) {
      if let failure = ScoreManyRequestDecoder.decode(
        call.message, into: &item, arena: work.pointee.arena)
      {
        throw failure
      }
      try work.beginItem(item, call, state, loop)
    } catch {
      if error.endsCall {
        loop.pool.giveBack(work)
        state.abandon()
        return call.fail(error)
      }
      work.failItem(item.sequence, loop.advised(error), state, loop)
    }
    // The call may have failed over its item, and the state with it.
    if call.attachment != nil { call.pace(state) }
  }
}

func halfCloseScoreMany(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let state = state(ServerCall(pointer))
  state.pointee.isHalfClosed = true
  state.finishIfDone()
}

/// Answers have gone: the client may send again.
func resumeScoreMany(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  ServerCall(pointer).unpause(state(ServerCall(pointer)))
}

func cancelScoreMany(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let call = ServerCall(pointer)
  guard call.attachment != nil else { return }
  state(call).abandon()
}

extension ServerCall {
  /// Takes no more items while as many as may are worked on, or their answers do not go.
  fileprivate func pace(_ state: StatePointer) {
    guard !state.pointee.isPaused,
      state.pointee.itemCount >= Limits.serving.streamItems || !wantsMore()
    else { return }
    state.pointee.isPaused = true
    pauseReading()
  }

  fileprivate func unpause(_ state: StatePointer) {
    guard state.pointee.isPaused, state.pointee.itemCount <= Limits.serving.streamItems / 2,
      wantsMore()
    else { return }
    state.pointee.isPaused = false
    resumeReading()
  }
}

extension UnsafeMutablePointer where Pointee == ScoreManyState {
  fileprivate func link(_ work: ScoreWorkPointer) {
    work.pointee.next = pointee.items
    work.pointee.previous = nil
    pointee.items?.pointee.previous = work
    pointee.items = work
    pointee.itemCount += 1
  }

  fileprivate func unlink(_ work: ScoreWorkPointer) {
    if let previous = work.pointee.previous {
      previous.pointee.next = work.pointee.next
    } else {
      pointee.items = work.pointee.next
    }
    work.pointee.next?.pointee.previous = work.pointee.previous
    pointee.itemCount -= 1
  }

  /// The client has said all, and has all its answers.
  fileprivate func finishIfDone() {
    guard pointee.isHalfClosed, pointee.itemCount == 0, let stream = pointee.stream else { return }
    // Who resumed a call that ends by that must not find its state again.
    ServerCall(stream).attachment = nil
    free()
    ServerCall(stream).finish()
  }

  private func free() {
    deinitialize(count: 1)
    deallocate()
  }

  /// Nobody waits any more: items are dropped, and the last one frees the state.
  fileprivate func abandon() {
    pointee.stream.map { ServerCall($0).attachment = nil }
    pointee.stream = nil
    var work = pointee.items
    while let current = work {
      work = current.pointee.next
      current.cancel()
    }
    freeIfLeft()
  }

  /// After an item has ended.
  fileprivate func freeIfLeft() {
    if pointee.stream == nil && pointee.itemCount == 0 { free() }
  }
}

extension UnsafeMutablePointer where Pointee == ScoreWork {
  /// Decodes and starts an item; its answer is sent now or later.
  fileprivate func beginItem(
    _ item: ScoreManyRequestView, _ call: ServerCall, _ state: StatePointer, _ loop: LoopServices
  ) throws(CallFailure) {
    let now = call.nowNanoseconds
    var deadline = call.deadlineNanoseconds
    if item.timeoutMicroseconds > 0 {
      deadline = Swift.min(deadline, now + UInt64(item.timeoutMicroseconds) * 1_000)
    }
    var view = ScoreRequestView()
    try prepare(
      item.request, call, startedNanoseconds: now, deadlineNanoseconds: deadline, into: &view,
      loop)
    let answer = try layOut(
      in: .item(sequence: item.sequence), count: view.candidateCount, wantRaw: view.wantRaw, call)
    pointee.answer = answer
    pointee.call.pointee.setColumns(answer.columns)
    pointee.kind = .item(sequence: item.sequence, of: state)
    state.link(self)
    if pointee.boost?.pointee.asksShard == true {
      askShard(loop)
    } else {
      start(loop)
    }
  }

  /// An item that never began.
  fileprivate func failItem(
    _ sequence: UInt64, _ failure: CallFailure, _ state: StatePointer, _ loop: LoopServices
  ) {
    let (stream, credit) = (pointee.stream, pointee.credit)
    if let reason = failure.refusalReason { loop.metrics.refused(reason) }
    if let answer = pointee.answer { giveBack(answer) }
    loop.pool.giveBack(self)
    if let stream { state.send(failure, sequence, ServerCall(stream), answering: credit) }
  }

  /// Sends what an item came to, and gives everything back.
  func finishItem(_ loop: LoopServices) {
    guard case .item(let sequence, let state) = pointee.kind else {
      preconditionFailure("an item knows its call")
    }
    state.unlink(self)
    guard let stream = pointee.stream, let answer = pointee.answer else {
      if let answer = pointee.answer { giveBack(answer) }
      loop.pool.giveBack(self)
      return state.freeIfLeft()
    }
    let (call, credit) = (ServerCall(stream), pointee.credit)
    do throws(CallFailure) {
      let outcome = try loop.engine.outcome(pointee.call)
      let encodingBegan = loop.engine.clock.monotonicNanoseconds()
      let count = encode(answer, outcome, loop)
      loop.note(outcome, of: answer.candidates, call, since: encodingBegan)
      pointee.answer = nil
      loop.pool.giveBack(self)
      call.send(answer.buffer, count: count, answering: credit)
    } catch {
      giveBack(answer)
      pointee.answer = nil
      loop.pool.giveBack(self)
      if let reason = error.refusalReason { loop.metrics.refused(reason) }
      state.send(loop.advised(error), sequence, call, answering: credit)
      // The call itself may have failed over it, and the state with it.
      if call.attachment == nil { return }
    }
    call.unpause(state)
    if call.attachment != nil { state.finishIfDone() }
  }
}

extension UnsafeMutablePointer where Pointee == ScoreManyState {
  /// An item's failure is a message; where there is no room even for that, the call fails.
  fileprivate func send(
    _ failure: CallFailure, _ sequence: UInt64, _ call: ServerCall, answering credit: Int64
  ) {
    do throws(CallFailure) {
      let buffer = try call.takeBuffer(ScoreManyFailure.capacity(failure))
      call.send(
        buffer, count: ScoreManyFailure.write(sequence: sequence, failure, into: buffer),
        answering: credit)
    } catch {
      abandon()
      call.fail(error)
    }
  }
}
