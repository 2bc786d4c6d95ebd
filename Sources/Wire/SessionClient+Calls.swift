internal import Core

/// What the owner of a session asks of it.
extension SessionClient {
  /// Begins a call (C12); `hasRoom` has just said yes. The owner writes `messageBytes` bytes of
  /// message where the pointer says, then calls `seal`. Nil: the frame would be longer than the
  /// server takes, or longer than metadata may be; nothing is sent then.
  @inline(__always)
  package mutating func begin(_ start: SessionCallStart)
    -> (id: UInt32, message: UnsafeMutableRawPointer)?
  {
    precondition(state == .open && balance > 0 && pending == nil, "begin needs room")
    let length = SessionPrelude.byteCount + start.metadata.count + start.messageBytes
    guard length <= Int(hello.maxFrameBytes), start.metadata.count <= Limits.sessionMetadataBytes
    else { return nil }
    highestCall += 1
    let cost = Int64(max(1, start.work))
    balance -= cost
    take(
      SessionClientCall(
        id: highestCall, isUnary: start.isUnary, isHalfClosed: start.isLast, cost: cost,
        context: start.context))
    let head = SessionFrameHeader.byteCount
    let target = output.reserve(head + length) + head
    SessionPrelude(
      timeoutMicroseconds: start.timeoutMicroseconds, work: start.work, isBatch: start.isBatch,
      attempt: start.attempt, metadataBytes: start.metadata.count
    ).write(to: target)
    if start.metadata.count > 0, let metadata = start.metadata.base {
      (target + SessionPrelude.byteCount).copyMemory(
        from: metadata, byteCount: start.metadata.count)
    }
    pending = SessionFrameHeader(
      type: SessionFrameType.call, flags: start.isLast ? SessionFlags.fin : 0,
      code: start.method, call: highestCall, length: length)
    return (highestCall, target + SessionPrelude.byteCount + start.metadata.count)
  }

  /// The message of `begin` or `beginMessage` is written: its frame goes out.
  @inline(__always)
  package mutating func seal(now: UInt64) {
    guard let header = pending else { preconditionFailure("nothing was begun") }
    pending = nil
    sentNanoseconds = now
    let bytes = SessionFrameHeader.byteCount + Int(header.length)
    let start = output.reserve(bytes)
    header.write(
      before: start + SessionFrameHeader.byteCount, withChecksum: usesChecksums)
    output.append(bytes)
  }

  package enum MessageRefusal: Error, Sendable {
    /// The call is over; its end is, or was, among the steps (D20).
    case ended
    /// It waits for credit, or for bytes to go (D6): `room` is told.
    case noRoom
    /// Longer than the server takes, bytes.
    case tooLong(Int)
  }

  /// A further message of a call (D5), as `begin`.
  package mutating func beginMessage(
    _ id: UInt32, work: UInt32, isLast: Bool, messageBytes: Int
  ) throws(MessageRefusal) -> UnsafeMutableRawPointer {
    guard let slot = liveCall(id), !slot.pointee.isHalfClosed else { throw .ended }
    let length = SessionMessageHead.byteCount + messageBytes
    guard length <= Int(hello.maxFrameBytes) else { throw .tooLong(messageBytes) }
    guard balance > 0, output.count < bounds.unsentBytes else {
      lacksMessageRoom = true
      throw .noRoom
    }
    balance -= Int64(max(1, work))
    slot.pointee.isHalfClosed = isLast
    let head = SessionFrameHeader.byteCount
    let target = output.reserve(head + length) + head
    target.storeBytes(of: work.littleEndian, as: UInt32.self)
    target.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
    pending = SessionFrameHeader(
      type: SessionFrameType.message, flags: isLast ? SessionFlags.fin : 0, call: id,
      length: length)
    return target + SessionMessageHead.byteCount
  }

  /// The caller has no more messages (D7).
  package mutating func halfClose(_ id: UInt32, now: UInt64) {
    guard let slot = liveCall(id), !slot.pointee.isHalfClosed else { return }
    slot.pointee.isHalfClosed = true
    sentNanoseconds = now
    queue(type: SessionFrameType.message, flags: SessionFlags.fin, call: id)
  }

  /// The caller wants no more of it (D14, D15): nothing comes for it after this. A call that is
  /// over
  /// is left as it is.
  package mutating func cancel(_ id: UInt32, now: UInt64) {
    guard let slot = liveCall(id) else { return }
    abandon(slot, now)
  }

  mutating func abandon(_ slot: UnsafeMutablePointer<SessionClientCall>, _ now: UInt64) {
    sentNanoseconds = now
    slot.pointee.isAbandoned = true
    slot.pointee.context = nil
    queue(type: SessionFrameType.cancel, call: slot.pointee.id)
  }

  private func liveCall(_ id: UInt32) -> UnsafeMutablePointer<SessionClientCall>? {
    guard isLive, let address = calls.find(id) else { return nil }
    let slot = call(at: address)
    return slot.pointee.isAbandoned ? nil : slot
  }

  /// This end is to open no more calls here (C20): open ones finish, then the stream ends.
  package mutating func drain(now: UInt64) {
    guard state == .open else { return }
    state = .draining
    sentNanoseconds = now
    queue(type: SessionFrameType.drain)
    endIfDone(now)
  }

  /// Row C21.
  mutating func endIfDone(_ now: UInt64) {
    guard state == .draining, calls.count == 0 else { return }
    state = .ending
    changedNanoseconds = now
  }

  /// Why the session is over, once it is.
  package var failureText: String? { failure?.text }

  /// Whether the stream ends behind what is in `output`.
  package var endsStream: Bool { state == .ending }

  /// Whether the stream is to be reset (RST_STREAM CANCEL): ERROR has gone, or the session is over.
  package var isReset: Bool {
    (state == .failed && output.isEmpty) || state == .closed
  }

  // MARK: The end

  /// The stream or its connection has ended. `isRefused`: the server has not seen it (C29).
  package mutating func end(_ reason: SessionFailure, isRefused: Bool = false) {
    guard state != .closed else { return }
    if isRefused { drainedAbove = 0 }
    if failure == nil { failure = reason }
    state = .closed
  }

  /// Trailers of the server (C26, C27): whether they are the clean end.
  package mutating func trailers(grpcStatus: Int?) -> Bool {
    let isClean = state == .ending && grpcStatus == 0 && !reader.isInsideFrame
    if isClean {
      state = .closed
      hasToldFailure = true
    } else {
      end(SessionFailure(.unavailable, "the server ended the session"))
    }
    return isClean
  }

  mutating func fail(_ fault: SessionFault, _ now: UInt64) {
    guard state != .failed, state != .closed else { return }
    var found = SessionFailure(fault.code, fault.text)
    // Rows C6 to C8.
    found.isNotSpoken = state == .opening && [6, 8, 9].contains(fault.row)
    failure = found
    changedNanoseconds = now
    // Behind END_STREAM nothing can be said.
    if state == .ending {
      state = .closed
      return
    }
    state = .failed
    queue(
      type: SessionFrameType.error, code: UInt16(fault.code.rawValue),
      payload: Array(fault.text.utf8.prefix(Limits.statusDetailBytes)))
  }
}
