internal import Core

/// The frames of calls: proto/SESSION.md §6.1, rows S10 to S20, and §8.2.
extension SessionServer {
  @inline(__always)
  mutating func call(_ header: SessionFrameHeader, _ payload: ByteSlice)
    throws(SessionFault) -> SessionStep
  {
    try check(header, flags: SessionFlags.fin, code: true, call: true)
    guard payload.count >= SessionPrelude.byteCount, let base = payload.base else {
      throw .malformed(header.type)
    }
    guard !clientHasDrained else { throw .callAfterDrain }
    guard header.call > highestCall, header.call != .max else { throw .doesNotRise(header.call) }
    highestCall = header.call
    // Above the server's DRAIN: not started, nothing is said.
    if state == .draining { return .nothing }
    guard balance > 0 else { throw .overdrawn(balance) }
    guard calls.count < bounds.calls else { throw .tooManyCalls(bounds.calls) }
    lastAccepted = header.call
    let prelude = SessionPrelude(base)
    let cost = Int64(max(1, prelude.work))
    balance -= cost
    if idle < Limits.sessionIdleFrames { idle += 1 }
    let metadataEnd = SessionPrelude.byteCount + Int(prelude.metadataBytes)
    let isLast = header.flags & SessionFlags.fin != 0
    if let refusal = refusal(header, prelude, payload, metadataEnd, isLast: isLast) {
      return .refuse(call: header.call, cost: cost, refusal)
    }
    return .call(
      SessionCallRequest(
        id: header.call, method: Int(header.code) - 1, prelude: prelude,
        metadata: ByteSlice(
          base + SessionPrelude.byteCount, count: Int(prelude.metadataBytes)),
        message: ByteSlice(base + metadataEnd, count: payload.count - metadataEnd), cost: cost,
        isLast: isLast))
  }

  /// Rows Y1 to Y6, in their order.
  @inline(__always)
  private func refusal(
    _ header: SessionFrameHeader, _ prelude: SessionPrelude, _ payload: ByteSlice,
    _ metadataEnd: Int, isLast: Bool
  ) -> CallFailure? {
    guard header.code >= 1, Int(header.code) <= methodCount else {
      return SessionRefusal.noMethod(header.code)
    }
    guard prelude.priority <= 1, prelude.zero == 0, metadataEnd <= payload.count else {
      return SessionRefusal.malformedPrelude
    }
    if !isLast, !methods[Int(header.code) - 1].takesManyMessages { return SessionRefusal.notFin }
    if prelude.metadataBytes > 0, let base = payload.base {
      guard Int(prelude.metadataBytes) <= Limits.sessionMetadataBytes else {
        return SessionRefusal.metadataTooLong(Int(prelude.metadataBytes))
      }
      let metadata = ByteSlice(
        base + SessionPrelude.byteCount, count: Int(prelude.metadataBytes))
      if let fault = SessionMetadata.firstFault(metadata) {
        return SessionRefusal.malformedMetadata(fault)
      }
    }
    guard payload.count - metadataEnd <= bounds.messageBytes else {
      return SessionRefusal.messageTooLong(payload.count - metadataEnd, bounds.messageBytes)
    }
    return nil
  }

  mutating func message(_ header: SessionFrameHeader, _ payload: ByteSlice)
    throws(SessionFault) -> SessionStep
  {
    try check(header, flags: SessionFlags.fin, code: false, call: true)
    let isLast = header.flags & SessionFlags.fin != 0
    let headBytes = SessionMessageHead.byteCount
    guard payload.count >= headBytes || (isLast && payload.isEmpty) else {
      throw .malformed(header.type)
    }
    guard header.call > 0, header.call <= highestCall else { throw .neverOpened(header.call) }
    // Above the server's DRAIN.
    guard header.call <= lastAccepted else { return .nothing }
    let call = calls.find(header.call)
    guard let base = payload.base, !payload.isEmpty else {
      return call.map { .halfClosed($0) } ?? .nothing
    }
    guard balance > 0 else { throw .overdrawn(balance) }
    let work = UInt32(littleEndian: base.loadUnaligned(as: UInt32.self))
    let cost = Int64(max(1, work))
    balance -= cost
    if idle < Limits.sessionIdleFrames { idle += 1 }
    guard let call else {
      creditOwed += cost
      return .nothing
    }
    guard base.loadUnaligned(fromByteOffset: 4, as: UInt32.self) == 0 else {
      return .refuseMessage(call, cost: cost, SessionRefusal.malformedPrelude)
    }
    guard payload.count - headBytes <= bounds.messageBytes else {
      return .refuseMessage(
        call, cost: cost,
        SessionRefusal.messageTooLong(payload.count - headBytes, bounds.messageBytes))
    }
    return .message(
      call, ByteSlice(base + headBytes, count: payload.count - headBytes), work: work, cost: cost,
      isLast: isLast)
  }

  mutating func cancel(
    _ header: SessionFrameHeader, _ payload: ByteSlice, _ now: UInt64
  ) throws(SessionFault) -> SessionStep {
    try check(header, flags: 0, code: false, call: true)
    guard payload.isEmpty else { throw .malformed(header.type) }
    guard header.call > 0, header.call <= highestCall else { throw .neverOpened(header.call) }
    if let call = calls.find(header.call) { return .cancel(call) }
    try countIdle(now)
    return .nothing
  }
}
