package import Core

/// What comes in: rows C and D of proto/SESSION.md §7.
extension SessionClient {
  /// The next step of what `bytes` hold, taken from their front; nil when there is none: then all
  /// of them are taken. Also without new bytes: calls of a session that is over come one by one.
  package mutating func next(_ bytes: inout ByteSlice, now: UInt64) -> SessionClientStep? {
    while state != .failed && state != .closed {
      do throws(SessionFault) {
        if bytes.count > 0 { receivedNanoseconds = now }
        guard let frame = try reader.next(&bytes) else {
          noteIncomplete(now)
          break
        }
        // It is whole: what comes behind it has a time of its own.
        frameBegunNanoseconds = 0
        if let step = try judge(frame.header, frame.payload, now) { return step }
      } catch {
        fail(error, now)
      }
    }
    if state == .failed || state == .closed { bytes = .empty }
    return pendingStep(now)
  }

  private mutating func noteIncomplete(_ now: UInt64) {
    guard state != .opening else { return }
    if !reader.isInsideFrame {
      frameBegunNanoseconds = 0
    } else if frameBegunNanoseconds == 0 {
      frameBegunNanoseconds = now
    }
  }

  /// What is not told yet and needs no bytes.
  private mutating func pendingStep(_ now: UInt64) -> SessionClientStep? {
    let isOver = state == .failed || state == .closed
    if isOver || hasDrain, let step = endedStep(isOver) { return step }
    if isOver {
      guard !hasToldFailure, let failure else { return nil }
      hasToldFailure = true
      return .failed(failure)
    }
    if state == .open, highestCall >= SessionClient.lastCall { drain(now: now) }
    if hasDrain { endIfDone(now) }
    if hasDrain || highestCall >= SessionClient.lastCall, !hasToldDrain {
      hasToldDrain = true
      return .draining
    }
    guard balance > 0, output.count < bounds.unsentBytes else { return nil }
    let hasPlace = lacksRoom && state == .open && calls.count < callsMax
    guard hasPlace || (lacksMessageRoom && isLive) else { return nil }
    (lacksRoom, lacksMessageRoom) = (hasPlace ? false : lacksRoom, false)
    return .room
  }

  /// A call that has ended with the session (D19), or was above its DRAIN (D18).
  private mutating func endedStep(_ isOver: Bool) -> SessionClientStep? {
    while let address = isOver ? calls.any : calls.first(above: drainedAbove) {
      let call = forget(call(at: address))
      guard !call.isAbandoned else { continue }
      return call.id > drainedAbove ? .notStarted(call.context) : .lost(call.context)
    }
    return nil
  }

  // MARK: Frames

  @inline(__always)
  private mutating func judge(_ header: SessionFrameHeader, _ payload: ByteSlice, _ now: UInt64)
    throws(SessionFault) -> SessionClientStep?
  {
    if header.type == SessionFrameType.reply, isLive { return try reply(header, payload, now) }
    return try judgeOther(header, payload, now)
  }

  private mutating func judgeOther(
    _ header: SessionFrameHeader, _ payload: ByteSlice, _ now: UInt64
  ) throws(SessionFault) -> SessionClientStep? {
    if header.type == SessionFrameType.error {
      let code = StatusCode(rawValue: Int32(header.code)) ?? .unknown
      let text = ByteSlice(payload.base, count: min(payload.count, Limits.statusDetailBytes))
      var told = SessionFailure(code == .ok ? .unknown : code, text.text)
      told.isTold = true
      told.isNotSpoken = state == .opening && code == .unimplemented
      end(told)
      return nil
    }
    if state == .opening {
      guard header.type == SessionFrameType.hello else { throw .notHello }
      return try takeHello(header, payload)
    }
    switch header.type {
    case SessionFrameType.extensions...: return nil
    case SessionFrameType.hello: throw .secondHello
    case SessionFrameType.reply: return try reply(header, payload, now)
    case SessionFrameType.end: return try end(header, payload, now)
    case SessionFrameType.credit: try credit(header, payload)
    case SessionFrameType.drain: try serverDrains(header, payload, now)
    case SessionFrameType.ping: try ping(header, payload, now)
    case SessionFrameType.call, SessionFrameType.message, SessionFrameType.cancel:
      throw .notForThisEnd(header.type)
    default: throw .unknownType(header.type)
    }
    return nil
  }

  /// Row F8.
  @inline(__always)
  private func check(_ header: SessionFrameHeader, flags: UInt8, code: Bool, call: Bool)
    throws(SessionFault)
  {
    guard header.flags & ~flags == 0, code || header.code == 0, call || header.call == 0 else {
      throw .mustBeZero(header.type)
    }
  }

  private mutating func takeHello(_ header: SessionFrameHeader, _ payload: ByteSlice)
    throws(SessionFault) -> SessionClientStep
  {
    try check(header, flags: 0, code: true, call: false)
    guard header.code == SessionHello.version else { throw .version(header.code) }
    hello = try SessionHello(fromServer: payload)
    balance = Int64(hello.initialCredit)
    callsMax = min(bounds.calls, Int(hello.maxCalls))
    usesChecksums =
      !bounds.withoutChecksums || hello.flags & SessionHello.withoutChecksums == 0
    reader.checksChecksums = usesChecksums
    reader.frameBytesMax = bounds.frameBytes
    state = .open
    return .opened
  }

  @inline(__always)
  private mutating func reply(_ header: SessionFrameHeader, _ payload: ByteSlice, _ now: UInt64)
    throws(SessionFault) -> SessionClientStep?
  {
    let isLast = header.flags & SessionFlags.last != 0
    try check(
      header, flags: isLast ? SessionFlags.last | SessionFlags.keep : 0, code: isLast, call: true)
    guard isLast else { return message(try openCall(header), payload, now) }
    let messageBytes = payload.count - SessionEndRecord.byteCount
    guard Int(header.code) == SessionEndRecord.byteCount, messageBytes >= 0,
      let base = payload.base, SessionEndRecord.isPlain(base + messageBytes)
    else { throw .malformed(header.type) }
    let record = SessionEndRecord(base + messageBytes)
    let call = settle(try openCall(header), header, now)
    guard !call.isAbandoned else { return nil }
    if call.isUnary, call.hasAnswer { return .ended(call.context, SessionClient.twoAnswers) }
    return .answered(call.context, ByteSlice(base, count: messageBytes), record)
  }

  /// Rows D8, D12 and D16.
  private mutating func message(
    _ slot: UnsafeMutablePointer<SessionClientCall>, _ payload: ByteSlice, _ now: UInt64
  ) -> SessionClientStep? {
    guard !slot.pointee.isAbandoned else { return nil }
    let context = slot.pointee.context
    if slot.pointee.isUnary, slot.pointee.hasAnswer {
      abandon(slot, now)
      return .ended(context, SessionClient.twoAnswers)
    }
    slot.pointee.hasAnswer = true
    return .message(context, payload)
  }

  private mutating func end(_ header: SessionFrameHeader, _ payload: ByteSlice, _ now: UInt64)
    throws(SessionFault) -> SessionClientStep?
  {
    try check(header, flags: SessionFlags.keep, code: true, call: true)
    let recordBytes = SessionEndRecord.byteCount
    guard let base = payload.base, payload.count >= recordBytes else {
      throw .malformed(header.type)
    }
    let (textBytes, detailsBytes) = SessionEndRecord.counts(base)
    guard payload.count == recordBytes + textBytes + detailsBytes,
      header.code != 0 || SessionEndRecord.isPlain(base)
    else { throw .malformed(header.type) }
    let call = settle(try openCall(header), header, now)
    guard !call.isAbandoned else { return nil }
    let code = StatusCode(rawValue: Int32(header.code)) ?? .unknown
    if code == .ok, call.isUnary, !call.hasAnswer {
      return .ended(call.context, SessionClient.noAnswer)
    }
    return .ended(
      call.context,
      SessionCallEnd(
        code: code, record: SessionEndRecord(base),
        text: ByteSlice(base + recordBytes, count: textBytes),
        details: ByteSlice(base + recordBytes + textBytes, count: detailsBytes)))
  }

  /// Row C24.
  @inline(__always)
  private func openCall(_ header: SessionFrameHeader)
    throws(SessionFault) -> UnsafeMutablePointer<SessionClientCall>
  {
    guard let address = calls.find(header.call), isLive, header.call <= drainedAbove else {
      throw .notOpen(header.call)
    }
    return call(at: address)
  }

  /// The call is over, and its credit comes back.
  @inline(__always)
  private mutating func settle(
    _ slot: UnsafeMutablePointer<SessionClientCall>, _ header: SessionFrameHeader, _ now: UInt64
  ) -> SessionClientCall {
    let call = forget(slot)
    if header.flags & SessionFlags.keep == 0 { balance += call.cost }
    if state == .draining { endIfDone(now) }
    return call
  }

  private mutating func credit(_ header: SessionFrameHeader, _ payload: ByteSlice)
    throws(SessionFault)
  {
    try check(header, flags: 0, code: false, call: false)
    guard payload.count == 4, let base = payload.base else { throw .malformed(header.type) }
    let credit = UInt32(littleEndian: base.loadUnaligned(as: UInt32.self))
    guard credit > 0 else { throw .malformed(header.type) }
    balance += Int64(credit)
    guard balance <= Int64(Int32.max) else { throw .tooMuchCredit }
  }

  private mutating func serverDrains(
    _ header: SessionFrameHeader, _ payload: ByteSlice, _ now: UInt64
  ) throws(SessionFault) {
    try check(header, flags: 0, code: false, call: true)
    guard payload.isEmpty else { throw .malformed(header.type) }
    if state == .ending { return }
    guard !hasDrain else { throw .secondDrain }
    guard header.call <= highestCall else { throw .drainOfUnsent(header.call) }
    hasDrain = true
    drainedAbove = header.call
    state = .draining
  }

  private mutating func ping(
    _ header: SessionFrameHeader, _ payload: ByteSlice, _ now: UInt64
  ) throws(SessionFault) {
    try check(header, flags: SessionFlags.answer, code: false, call: false)
    guard payload.count == 8, let base = payload.base else { throw .malformed(header.type) }
    guard header.flags & SessionFlags.answer == 0, state != .ending else { return }
    if output.taken >= answersGoneAt {
      (answers, answersGoneAt) = (0, output.taken + UInt64(output.count) + 1)
    }
    answers += 1
    guard answers <= Limits.sessionIdleFrames else { throw .noRoom(payload.count) }
    sentNanoseconds = now
    queuePing(base.loadUnaligned(as: UInt64.self), flags: SessionFlags.answer)
  }

  private static func local(_ text: StaticString) -> SessionCallEnd {
    SessionCallEnd(
      code: .internalError,
      record: SessionEndRecord(queueNanoseconds: 0, scoreNanoseconds: 0, encodeNanoseconds: 0),
      text: ByteSlice(text), details: .empty, isLocal: true)
  }

  private static var twoAnswers: SessionCallEnd {
    local("the server answered a unary call with two messages")
  }

  private static var noAnswer: SessionCallEnd {
    local("the server answered OK without a message")
  }
}
