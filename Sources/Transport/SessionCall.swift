internal import Core
internal import EventLoop
internal import Wire

/// One call of a session. Its memory lies in a slab of its loop.
struct SessionCall: SlabNode {
  /// First: services hold the address of this.
  var call: CallState
  var session: SessionPointer
  /// When free, in the slab's list.
  var next: UnsafeMutablePointer<SessionCall>?
  var id: UInt32
  /// Place in the service table.
  var method: Int32
  var isBatch: Bool
  /// The message that is being handled.
  var message = ByteSlice.empty
  /// What the client said of it, and what that took of the credit.
  var work: UInt32 = 0
  var messageCost: Int64 = 0
  /// What its CALL took of the credit, which its end gives back.
  let cost: Int64
  /// What its MESSAGEs took and has not been given back.
  var messageCosts: Int64 = 0
  /// The client has sent FIN.
  var isWorking = false
  /// The service has heard of it.
  var isHalfClosed = false
  var isReadingPaused = false
  var wantsWritable = false
  /// Messages that wait until the service takes them, oldest first.
  var held: UnsafeMutablePointer<HeldMessage>?
  var lastHeld: UnsafeMutablePointer<HeldMessage>?
  /// Why it has to be ended as soon as its service is not at work on it.
  var mustFail: UnsafeMutablePointer<CallFailure>?

  @inline(__always)
  init(
    _ session: SessionPointer, _ request: borrowing SessionCallRequest, generation: UInt64,
    note: UnsafeMutablePointer<CallNote>
  ) {
    call = CallState(framing: .session, generation: generation, note: note)
    self.session = session
    id = request.id
    method = Int32(request.method)
    isBatch = request.prelude.priority == 1
    cost = request.cost
  }
}

typealias SessionCallPointer = UnsafeMutablePointer<SessionCall>

/// A message of a call whose service takes none for now; its bytes follow it.
struct HeldMessage: BitwiseCopyable {
  var next: UnsafeMutablePointer<HeldMessage>?
  var count: Int
  var work: UInt32
  var cost: Int64

  var byteCount: Int { MemoryLayout<HeldMessage>.stride + count }
}

extension SessionCallPointer {
  var loop: LoopPointer { pointee.session.loop }
  var service: UnsafePointer<ServiceMethod> { loop.pointee.methods[pointee.method] }

  // MARK: Messages in

  /// Hands a message to the service, which may end the call with it: whether it is still open.
  func deliver(_ message: ByteSlice, work: UInt32, cost: Int64) -> Bool {
    let (session, id) = (pointee.session, pointee.id)
    pointee.message = message
    pointee.work = work
    pointee.messageCost = cost
    pointee.call.receivedMessages += 1
    pointee.call.receivedBytes += message.count + MessageAssembler.prefixBytes
    service.pointee.handle(loop.pointee.serviceContext, self)
    guard session.isOpen(id) else { return false }
    pointee.message = .empty
    return true
  }

  /// The service hears of FIN when it has had all messages. Whether the call is still open.
  func halfCloseIfDone() -> Bool {
    let (session, id) = (pointee.session, pointee.id)
    guard pointee.isWorking, !pointee.isHalfClosed, pointee.held == nil,
      !pointee.isReadingPaused
    else { return true }
    pointee.isHalfClosed = true
    service.pointee.halfClosed(loop.pointee.serviceContext, self)
    return session.isOpen(id)
  }

  /// Keeps a message until the service takes it; false when the connection holds too much.
  func hold(_ message: ByteSlice, work: UInt32, cost: Int64) -> Bool {
    let stream = pointee.session.pointee.stream
    let byteCount = MemoryLayout<HeldMessage>.stride + message.count
    guard
      stream.pointee.connection.pointee.bufferedBytes + byteCount
        <= Limits.serving.connectionBufferedBytes
    else { return false }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
    let held = memory.bindMemory(to: HeldMessage.self, capacity: 1)
    held.initialize(to: HeldMessage(next: nil, count: message.count, work: work, cost: cost))
    if let base = message.base {
      (memory + MemoryLayout<HeldMessage>.stride).copyMemory(from: base, byteCount: message.count)
    }
    if let last = pointee.lastHeld { last.pointee.next = held } else { pointee.held = held }
    pointee.lastHeld = held
    stream.charge(byteCount)
    return true
  }

  /// The service takes messages again.
  func resumeReading() {
    guard pointee.isReadingPaused else { return }
    pointee.isReadingPaused = false
    while let held = pointee.held, !pointee.isReadingPaused {
      pointee.held = held.pointee.next
      if pointee.held == nil { pointee.lastHeld = nil }
      let bytes = ByteSlice(
        UnsafeRawPointer(held) + MemoryLayout<HeldMessage>.stride, count: held.pointee.count)
      let isOpen = deliver(bytes, work: held.pointee.work, cost: held.pointee.cost)
      pointee.session.free(held)
      guard isOpen else { return }
    }
    _ = halfCloseIfDone()
  }

  // MARK: Answers

  func takeBuffer(_ byteCount: Int) throws(CallFailure) -> UnsafeMutableRawPointer {
    try pointee.session.pointee.stream.takeBuffer(byteCount + SessionEndRecord.byteCount)
  }

  /// A REPLY that is not the last.
  func send(_ buffer: UnsafeMutableRawPointer, count: Int, answering cost: Int64) {
    guard pointee.mustFail == nil, fits(buffer, count) else { return }
    pointee.messageCosts -= cost
    pointee.session.pointee.machine.owe(cost)
    note(count)
    pointee.session.queue(
      SessionFrameHeader(type: SessionFrameType.reply, call: pointee.id, length: count), buffer)
  }

  /// A REPLY with LAST: the whole answer of a unary call.
  func respond(_ buffer: UnsafeMutableRawPointer, count: Int, now: UInt64? = nil) {
    let length = count + SessionEndRecord.byteCount
    guard length <= pointee.session.pointee.machine.clientFrameBytes else {
      // Without the record it may still fit.
      send(buffer, count: count, answering: 0)
      return finish()
    }
    note(count)
    endRecord.write(to: buffer + count)
    let session = pointee.session
    session.queue(
      SessionFrameHeader(
        type: SessionFrameType.reply, flags: SessionFlags.last,
        code: UInt16(SessionEndRecord.byteCount), call: pointee.id, length: length),
      buffer, credit: pointee.cost)
    close(now: now)
  }

  private func note(_ count: Int) {
    pointee.call.sentMessages += 1
    pointee.call.sentBytes += count + MessageAssembler.prefixBytes
  }

  /// Row T14: an answer that is longer than the client takes ends the call, when its service is not
  /// at work on it.
  private func fits(_ buffer: UnsafeMutableRawPointer, _ length: Int) -> Bool {
    let session = pointee.session
    guard length > session.pointee.machine.clientFrameBytes else { return true }
    session.pointee.stream.release(buffer)
    let failure = UnsafeMutablePointer<CallFailure>.allocate(capacity: 1)
    failure.initialize(
      to: SessionRefusal.answerTooLong(length, session.pointee.machine.clientFrameBytes))
    pointee.mustFail = failure
    session.pointee.hasFailing = true
    loop.touch(session.pointee.stream)
    return false
  }

  /// Done, with nothing more to say.
  func finish() {
    if let failure = pointee.mustFail { return fail(failure.pointee) }
    pointee.session.queueEnd(call: pointee.id, endRecord, credit: pointee.cost)
    close()
  }

  func fail(_ failure: CallFailure) {
    pointee.call.status = failure.code
    pointee.call.refusal = failure.refusalReason
    pointee.session.queueEnd(failure, call: pointee.id, endRecord, credit: pointee.cost)
    close()
  }

  private var endRecord: SessionEndRecord {
    let timing = pointee.call.timing
    return SessionEndRecord(
      queueNanoseconds: timing.queueNanoseconds, scoreNanoseconds: timing.scoreNanoseconds,
      encodeNanoseconds: timing.encodeNanoseconds)
  }

  // MARK: The end

  /// Nobody waits any more: the service lets go of the call.
  func cancel(_ source: CancellationSource) {
    pointee.call.cancellation = source
    loop.pointee.counters.cancelled[source.rawValue] += 1
    letGo()
  }

  /// The service's pointer to the call ends.
  func letGo() {
    service.pointee.cancelled(loop.pointee.serviceContext, self)
  }

  /// Ended by a frame, or with its session. `now`: the clock, where it has just been read.
  func close(now: UInt64? = nil) {
    let (session, loop) = (pointee.session, loop)
    session.pointee.machine.calls.remove(pointee.id)
    session.pointee.machine.owe(pointee.messageCosts)
    while let held = pointee.held {
      pointee.held = held.pointee.next
      session.free(held)
    }
    pointee.call.tellEnded(
      loop,
      CallOrigin(
        method: Int(pointee.method),
        descriptor: session.pointee.stream.pointee.connection.pointee.descriptor,
        traceParent: session.traceParent),
      now: now)
    pointee.mustFail?.deinitialize(count: 1)
    pointee.mustFail?.deallocate()
    loop.pointee.counters.callsEnded += 1
    loop.pointee.sessionCalls.giveBack(self)
    if session.pointee.machine.creditOwed > 0 { loop.touch(session.pointee.stream) }
  }

  // MARK: Time

  func setTimer() {
    guard pointee.call.deadlineNanoseconds < .max else { return }
    UnsafeMutableRawPointer(self).assumingMemoryBound(to: CallState.self).setTimer(loop)
  }

  func timerDue() {
    pointee.call.hasTimer = false
    guard loop.pointee.nowNanoseconds >= pointee.call.deadlineNanoseconds else {
      return setTimer()
    }
    cancel(.deadline)
    fail(SessionRefusal.late)
  }
}
