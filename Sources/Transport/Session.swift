internal import Core
internal import EventLoop
internal import HTTP2
internal import Wire

/// A session on its stream: the state machine, and what it needs of loop and clock. The frames are
/// proto/SESSION.md's; rows named here are its.
struct Session: ~Copyable {
  let stream: StreamPointer
  var machine: SessionServer
  var reader = SessionFrameReader()
  /// Some call has `mustFail`.
  var hasFailing = false
  /// Some call's service waits for room.
  var hasWaiting = false

  /// When traffic was last seen each way, and heartbeats sent; monotonic, nanoseconds.
  var sentNanoseconds: UInt64
  var receivedNanoseconds: UInt64
  var pingedNanoseconds: UInt64
  /// When the frame began that is incomplete, or the session its wait for HELLO; 0 = neither.
  var frameBegunNanoseconds: UInt64
  /// When the header of the frame was whole that is incomplete: deadlines count from there (§10);
  /// 0 = it is not.
  var headerNanoseconds: UInt64 = 0
  /// When ERROR was queued.
  var failedNanoseconds: UInt64 = 0
}

typealias SessionPointer = UnsafeMutablePointer<Session>

private let sessionHeaders = HTTP2HeaderBlock(permanent: [
  HTTP2Header(":status", "200"), HTTP2Header("content-type", "application/x-crescendo-session"),
])

extension SessionServer.Bounds {
  /// What this process serves by.
  static var serving: SessionServer.Bounds {
    SessionServer.Bounds(
      frameBytes: Limits.serving.messageBytes + Limits.sessionFrameRoomBytes,
      messageBytes: Limits.serving.messageBytes,
      initialCredit: UInt32(clamping: Limits.serving.sessionCredit),
      calls: Limits.serving.sessionCalls, withoutChecksums: true)
  }
}

extension StreamPointer {
  /// The headers of a session are there: it is taken at once.
  func openSession() {
    let connection = pointee.connection
    let loop = connection.pointee.loop
    guard loop.pointee.drain == .none else {
      return fail(.unavailable, "this server stops: go to another one")
    }
    let now = loop.pointee.nowNanoseconds
    let session = SessionPointer.allocate(capacity: 1)
    session.initialize(
      to: Session(
        stream: self,
        machine: SessionServer(
          .serving, methods: loop.pointee.sessionMethods, count: loop.pointee.methods.count),
        sentNanoseconds: now, receivedNanoseconds: now, pingedNanoseconds: now,
        frameBegunNanoseconds: now))
    pointee.session = session
    pointee.phase = .session
    // Its calls have deadlines; `grpc-timeout` means nothing here (§2).
    pointee.call.deadlineNanoseconds = .max
    pointee.hasSentHeaders = true
    connection.pointee.session.submitResponse(pointee.id, sessionHeaders, endsStream: false)
    connection.markDirty()
    loop.touch(self)
  }
}

extension SessionPointer {
  var loop: LoopPointer { pointee.stream.pointee.connection.pointee.loop }
  var isOpening: Bool { pointee.machine.state == .opening }
  var takesFrames: Bool { isOpening || pointee.machine.isLive }

  /// Of its headers; it lives as long as the session.
  var traceParent: ByteSlice {
    guard pointee.stream.pointee.headers.hasTraceParent else { return .empty }
    return pointee.stream.traceParent
  }

  func isOpen(_ id: UInt32) -> Bool { pointee.machine.calls.find(id) != nil }

  // MARK: Frames in

  /// Bytes of the stream, inside the read that brought them. Their window is given back at once,
  /// but for those of a session that has failed (S35).
  func receive(_ bytes: ByteSlice) {
    let stream = pointee.stream
    let http2 = stream.pointee.connection.pointee.session
    guard takesFrames else { return http2.consumeConnection(count: bytes.count) }
    http2.consume(stream.pointee.id, count: bytes.count)
    let now = loop.pointee.nowNanoseconds
    pointee.receivedNanoseconds = now
    let before = pointee.reader.heldBytes
    let fault = takeFrames(bytes, now)
    stream.charge(pointee.reader.heldBytes - before)
    if let fault = fault ?? heldFault { fail(fault) }
    if !isOpening {
      if !pointee.reader.isInsideFrame {
        pointee.frameBegunNanoseconds = 0
      } else {
        if pointee.frameBegunNanoseconds == 0 { pointee.frameBegunNanoseconds = now }
        if pointee.headerNanoseconds == 0, pointee.reader.hasHeader {
          pointee.headerNanoseconds = now
        }
      }
    }
    loop.touch(stream)
  }

  /// All frames that the bytes complete; the fault that ended it.
  private func takeFrames(_ bytes: ByteSlice, _ now: UInt64) -> SessionFault? {
    var rest = bytes
    var request = SessionCallRequest()
    // Of the first frame; all behind it have come with this read.
    var arrived = pointee.headerNanoseconds > 0 ? pointee.headerNanoseconds : now
    do throws(SessionFault) {
      while takesFrames, let frame = try pointee.reader.next(&rest) {
        // It is whole: what comes behind it has a time of its own (S30).
        pointee.frameBegunNanoseconds = 0
        pointee.headerNanoseconds = 0
        let arrivedNanoseconds = arrived
        arrived = now
        guard frame.header.type == SessionFrameType.call, pointee.machine.isLive else {
          perform(try pointee.machine.take(frame.header, frame.payload, now: now))
          continue
        }
        switch try pointee.machine.call(frame.header, frame.payload, into: &request) {
        case .accepted: begin(request, arrivedNanoseconds)
        case .dropped: continue
        case .refused:
          let why = pointee.machine.refused(frame.header, request, frame.payload)
          refuse(request.id, request.cost, why)
        }
      }
      return nil
    } catch {
      return error
    }
  }

  /// Row F2.
  private var heldFault: SessionFault? {
    let held = pointee.stream.pointee.connection.pointee.bufferedBytes
    return held > Limits.serving.connectionBufferedBytes && pointee.reader.isInsideFrame
      ? .noRoom(pointee.reader.heldBytes) : nil
  }

  /// All but calls that begin.
  private func perform(_ step: SessionStep) {
    switch step {
    case .nothing: return
    case .hello: hello()
    case .ping(let bytes): queuePing(bytes, flags: SessionFlags.answer)
    case .message(let call, let message, let work, let cost, let isLast):
      take(
        call.assumingMemoryBound(to: SessionCall.self), message, work: work, cost: cost,
        isLast: isLast)
    case .halfClosed(let call): halfClose(call.assumingMemoryBound(to: SessionCall.self))
    case .refuseMessage(let call, let cost, let failure):
      let call = call.assumingMemoryBound(to: SessionCall.self)
      call.pointee.messageCosts += cost
      end(call, failure)
    case .cancel(let call):
      let call = call.assumingMemoryBound(to: SessionCall.self)
      call.cancel(.reset)
      call.fail(SessionRefusal.cancelled)
    case .failed:
      endCalls(.reset)
      reset(HTTP2ErrorCode.cancel)
    }
  }

  private func hello() {
    pointee.frameBegunNanoseconds = 0
    pointee.reader.frameBytesMax = SessionServer.Bounds.serving.frameBytes
    pointee.reader.checksChecksums = pointee.machine.usesChecksums
    var hello = loop.pointee.sessionHello
    if !pointee.machine.usesChecksums { hello.flags = SessionHello.withoutChecksums }
    queue(
      type: SessionFrameType.hello, code: SessionHello.version, payload: hello.encoded,
      withChecksum: true)
    if loop.pointee.drain != .none { drain() }
  }

  // MARK: After a read or a write

  /// What is owed goes out; services that waited for room produce again.
  func settle() {
    let stream = pointee.stream
    guard pointee.machine.isLive else {
      if pointee.machine.state == .failed, stream.pointee.outbound.isEmpty {
        reset(HTTP2ErrorCode.internalError)
      }
      return setTimer()
    }
    if pointee.hasFailing {
      pointee.hasFailing = false
      forEachCall(where: { $0.pointee.mustFail != nil }) { call in
        if let failure = call.pointee.mustFail { end(call, failure.pointee) }
      }
    }
    if pointee.hasWaiting,
      stream.pointee.outbound.unsentBytes <= Limits.serving.streamOutboundBytes / 2
    {
      pointee.hasWaiting = false
      forEachCall(where: { $0.pointee.wantsWritable }) { call in
        call.pointee.wantsWritable = false
        call.service.pointee.writable(loop.pointee.serviceContext, call)
      }
    }
    if pointee.machine.creditOwed > 0,
      stream.pointee.outbound.unsentBytes <= Limits.serving.streamOutboundBytes
    {
      queueCredit(pointee.machine.takeOwed())
    }
    setTimer()
  }

  /// Those of the open calls; `body` may end any of them.
  private func forEachCall(
    where isMeant: (SessionCallPointer) -> Bool, _ body: (SessionCallPointer) -> Void
  ) {
    var ids: [UInt32] = []
    pointee.machine.calls.forEach {
      let call = $0.assumingMemoryBound(to: SessionCall.self)
      if isMeant(call) { ids.append(call.pointee.id) }
    }
    for id in ids {
      if let call = pointee.machine.calls.find(id) {
        body(call.assumingMemoryBound(to: SessionCall.self))
      }
    }
  }

  // MARK: The end

  /// The client's END_STREAM (S6, S24 to S26).
  func endOfStream() {
    guard takesFrames else { return }
    if let fault = pointee.machine.endOfStream(isInsideFrame: pointee.reader.isInsideFrame) {
      return fail(fault)
    }
    pointee.machine.close()
    pointee.stream.pointee.phase = .answered
    pointee.stream.pump()
  }

  /// The server stops (S33): calls above the last one are not started.
  func drain() {
    guard pointee.machine.drain() else { return }
    queue(type: SessionFrameType.drain, call: pointee.machine.lastAccepted)
  }

  /// A fault ends the session: ERROR behind what is queued, then RST_STREAM.
  func fail(_ fault: SessionFault, _ source: CancellationSource = .reset) {
    guard takesFrames else { return }
    endCalls(source)
    pointee.machine.fail()
    pointee.failedNanoseconds = loop.pointee.nowNanoseconds
    // The one that runs may be due later.
    pointee.stream.pointee.call.hasTimer = false
    loop.pointee.counters.protocolErrors += 1
    queue(
      type: SessionFrameType.error, code: UInt16(fault.code.rawValue),
      payload: StatusText.bytes(fault.text))
    loop.touch(pointee.stream)
  }

  /// Row T18.
  func endCalls(_ source: CancellationSource) {
    while let call = pointee.machine.calls.any {
      let call = call.assumingMemoryBound(to: SessionCall.self)
      call.pointee.call.status = .cancelled
      call.cancel(source)
      call.close()
    }
  }

  func reset(_ code: UInt32) {
    let stream = pointee.stream
    pointee.machine.close()
    stream.pointee.phase = .answered
    stream.pointee.connection.pointee.session.resetStream(stream.pointee.id, code)
    stream.pointee.connection.markDirty()
  }

  /// HTTP/2 has closed the stream, or the connection is gone (S27).
  func ended(_ source: CancellationSource) {
    endCalls(source)
    pointee.stream.charge(-pointee.reader.heldBytes)
    deinitialize(count: 1)
    deallocate()
  }
}
