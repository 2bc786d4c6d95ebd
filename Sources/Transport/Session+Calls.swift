internal import Core
internal import HTTP2
internal import Wire

/// What a session does with the frames of its calls.
extension SessionPointer {
  /// `arrivedNanoseconds`: when its header came.
  func begin(_ request: SessionCallRequest, _ arrivedNanoseconds: UInt64) {
    let loop = loop
    let call = loop.pointee.sessionCalls.take {
      SessionCall(self, request, generation: $0, note: $1)
    }
    pointee.machine.calls.insert(request.id, UnsafeMutableRawPointer(call))
    loop.pointee.counters.callsStarted += 1
    loop.pointee.callStarted?(loop.pointee.serviceContext, request.method)
    call.pointee.call.startedNanoseconds = arrivedNanoseconds
    call.pointee.isWorking = request.isLast
    if request.metadata.count > 0 { note(request.metadata, call) }
    let service = call.service
    var timeout = UInt64(request.prelude.timeoutMicroseconds) * 1_000
    if timeout == 0, service.pointee.hasDefaultDeadline {
      timeout = Limits.serving.defaultTimeoutNanoseconds
    }
    let deadline = timeout == 0 ? .max : arrivedNanoseconds + timeout
    call.pointee.call.deadlineNanoseconds = deadline
    // Its payload has taken all of its time.
    guard deadline > loop.pointee.nowNanoseconds else { return call.fail(SessionRefusal.tooLate) }
    if service.pointee.kind == .manyMessages {
      service.pointee.started(loop.pointee.serviceContext, call)
    }
    // Its CALL's credit comes back with its end, not with an answer.
    guard call.deliver(request.message, work: request.prelude.work, cost: 0) else { return }
    if service.pointee.kind == .manyMessages, !call.halfCloseIfDone() { return }
    call.setTimer()
  }

  func note(_ metadata: ByteSlice, _ call: SessionCallPointer) {
    guard let value = SessionMetadata.value("traceparent", in: metadata), value.count == 55 else {
      return
    }
    let note = call.pointee.call.note
    for index in 0..<value.count { note.pointee.traceParent[index] = value[index] }
    call.pointee.call.hasTraceParent = true
  }

  func take(
    _ call: SessionCallPointer, _ message: ByteSlice, work: UInt32, cost: Int64, isLast: Bool
  ) {
    call.pointee.messageCosts += cost
    if call.pointee.isWorking { return end(call, SessionRefusal.messageAfterFin) }
    call.pointee.isWorking = isLast
    if call.pointee.isReadingPaused || call.pointee.held != nil {
      guard call.hold(message, work: work, cost: cost) else {
        return end(call, full)
      }
      return
    }
    guard call.deliver(message, work: work, cost: cost) else { return }
    _ = call.halfCloseIfDone()
  }

  /// Row Y7.
  var full: CallFailure {
    let base = UInt64(Limits.serving.shardQueueNanoseconds / 1_000_000)
    let jitter = (loop.pointee.nowNanoseconds / 1_000) % base
    return CallFailure(
      .resourceExhausted, "the server is full",
      retryPushbackMilliseconds: Int32(base + jitter), refusal: .memory)
  }

  func halfClose(_ call: SessionCallPointer) {
    if call.pointee.isWorking { return end(call, SessionRefusal.messageAfterFin) }
    call.pointee.isWorking = true
    _ = call.halfCloseIfDone()
  }

  /// A call that never began.
  func refuse(_ id: UInt32, _ cost: Int64, _ failure: CallFailure) {
    loop.pointee.callStarted?(loop.pointee.serviceContext, -1)
    var note = CallNote()
    withUnsafeMutablePointer(to: &note) { tellRefused(id, failure, $0) }
    let record = SessionEndRecord(
      queueNanoseconds: 0, scoreNanoseconds: 0, encodeNanoseconds: 0)
    queueEnd(failure, call: id, record, credit: cost)
  }

  private func tellRefused(
    _ id: UInt32, _ failure: CallFailure, _ note: UnsafeMutablePointer<CallNote>
  ) {
    var call = CallState(framing: .session, generation: 0, note: note)
    call.startedNanoseconds = loop.pointee.nowNanoseconds
    call.status = failure.code
    call.refusal = failure.refusalReason
    call.tellEnded(
      loop,
      CallOrigin(
        method: -1, descriptor: pointee.stream.pointee.connection.pointee.descriptor,
        traceParent: traceParent))
  }

  /// A fault of the framing: the service lets go of the call, and the client hears why.
  func end(_ call: SessionCallPointer, _ failure: CallFailure) {
    call.letGo()
    call.fail(failure)
  }

  func free(_ held: UnsafeMutablePointer<HeldMessage>) {
    pointee.stream.charge(-held.pointee.byteCount)
    UnsafeMutableRawPointer(held).deallocate()
  }
}
