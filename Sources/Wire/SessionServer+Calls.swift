package import Core

/// The frames of calls: proto/SESSION.md §6.1, rows S10 to S20, and §8.2.
extension SessionServer {
  package enum CallVerdict: UInt8, Sendable {
    /// It begins (T1, T2): its credit is counted.
    case accepted
    /// Above the server's DRAIN: not started, nothing is said.
    case dropped
    /// It ends at once (T3): `refused` says why. Its cost is counted.
    case refused
  }

  /// A CALL of a live session whose checksum is right, the frame that nearly every one is: it fills
  /// `request`. Throws as `take`.
  package mutating func call(
    _ header: SessionFrameHeader, _ payload: ByteSlice, into request: inout SessionCallRequest
  ) throws(SessionFault) -> CallVerdict {
    try check(header, flags: SessionFlags.fin, code: true, call: true)
    guard payload.count >= SessionPrelude.byteCount, let base = payload.base else {
      throw .malformed(header.type)
    }
    guard !clientHasDrained else { throw .callAfterDrain }
    guard header.call > highestCall, header.call != .max else { throw .doesNotRise(header.call) }
    highestCall = header.call
    if state == .draining { return .dropped }
    guard balance > 0 else { throw .overdrawn(balance) }
    guard calls.count < bounds.calls else { throw .tooManyCalls(bounds.calls) }
    lastAccepted = header.call
    request.prelude = SessionPrelude(base)
    request.cost = Int64(max(1, request.prelude.work))
    balance -= request.cost
    if idle < Limits.sessionIdleFrames { idle += 1 }
    request.id = header.call
    request.method = Int(header.code) - 1
    request.isLast = header.flags & SessionFlags.fin != 0
    let metadataBytes = Int(request.prelude.metadataBytes)
    request.metadata = ByteSlice(base + SessionPrelude.byteCount, count: metadataBytes)
    let start = SessionPrelude.byteCount + metadataBytes
    request.message = ByteSlice(base + start, count: payload.count - start)
    let isPlain =
      request.method >= 0 && request.method < methodCount && request.prelude.priority <= 1
      && request.prelude.zero == 0 && metadataBytes == 0 && request.isLast
      && request.message.count <= bounds.messageBytes
    if isPlain { return .accepted }
    return refusal(header, request, payload) == nil ? .accepted : .refused
  }

  /// Why `call` refused.
  package func refused(
    _ header: SessionFrameHeader, _ request: SessionCallRequest, _ payload: ByteSlice
  ) -> CallFailure {
    guard let refusal = refusal(header, request, payload) else {
      preconditionFailure("it was refused")
    }
    return refusal
  }

  /// Rows Y1 to Y6, in their order.
  private func refusal(
    _ header: SessionFrameHeader, _ request: SessionCallRequest, _ payload: ByteSlice
  ) -> CallFailure? {
    let prelude = request.prelude
    let metadataEnd = SessionPrelude.byteCount + Int(prelude.metadataBytes)
    guard header.code >= 1, Int(header.code) <= methodCount else {
      return SessionRefusal.noMethod(header.code)
    }
    guard prelude.priority <= 1, prelude.zero == 0, metadataEnd <= payload.count else {
      return SessionRefusal.malformedPrelude
    }
    if !request.isLast, !methods[request.method].takesManyMessages {
      return SessionRefusal.notFin
    }
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
