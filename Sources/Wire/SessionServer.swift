package import Core

/// The server's end of a session: a pure state machine. Frames go in, and what is to be done comes
/// out; it keeps the ids, the open calls and the credit. It sends nothing: `proto/SESSION.md` §6.1
/// names who does.
package struct SessionServer: ~Copyable {
  package enum State: UInt8, Sendable {
    case opening
    case open
    case draining
    /// ERROR is on its way.
    case failed
    case closed
  }

  /// What a method takes; by its place in HELLO.
  package struct Method: BitwiseCopyable, Sendable {
    package var takesManyMessages: Bool

    package init(takesManyMessages: Bool) {
      self.takesManyMessages = takesManyMessages
    }
  }

  package struct Bounds: Sendable {
    package var frameBytes: Int
    package var messageBytes: Int
    package var initialCredit: UInt32
    package var calls: Int
    /// Whether to go without checksums when the client may.
    package var withoutChecksums = false

    package init(
      frameBytes: Int, messageBytes: Int, initialCredit: UInt32, calls: Int,
      withoutChecksums: Bool = false
    ) {
      self.withoutChecksums = withoutChecksums
      self.frameBytes = frameBytes
      self.messageBytes = messageBytes
      self.initialCredit = initialCredit
      self.calls = calls
    }
  }

  package internal(set) var state = State.opening
  package var calls = SessionCallTable()
  /// Of the client's CALLs; dropped ones count.
  package internal(set) var highestCall: UInt32 = 0
  package internal(set) var lastAccepted: UInt32 = 0
  package internal(set) var balance: Int64
  /// What MESSAGEs used and can be given back with the next CREDIT.
  package internal(set) var creditOwed: Int64 = 0
  /// The longest payload that the client takes.
  package internal(set) var clientFrameBytes = Limits.sessionFrameBytesLeast
  package internal(set) var usesChecksums = true
  package internal(set) var clientHasDrained = false
  /// Frames that do nothing which may still come (§17), and when that was last counted.
  var idle = Limits.sessionIdleFrames
  var idleNanoseconds: UInt64 = 0
  let bounds: Bounds
  let methods: UnsafePointer<Method>
  let methodCount: Int

  /// `methods` outlives the session.
  package init(_ bounds: Bounds, methods: UnsafePointer<Method>, count: Int) {
    self.bounds = bounds
    self.methods = methods
    methodCount = count
    balance = Int64(bounds.initialCredit)
  }

  package var isLive: Bool { state == .open || state == .draining }

  // MARK: Frames

  /// A whole frame whose checksum is right, in state opening or live, but no CALL of a live
  /// session: that is `call`'s. Throws the fault that ends the session. `now`: monotonic, nanoseconds.
  package mutating func take(
    _ header: SessionFrameHeader, _ payload: ByteSlice, now: UInt64
  ) throws(SessionFault) -> SessionStep {
    if header.type == SessionFrameType.error {
      state = .closed
      return .failed
    }
    if state == .opening {
      guard header.type == SessionFrameType.hello else { throw .notHello }
      return try hello(header, payload)
    }
    switch header.type {
    case SessionFrameType.extensions...:
      try countIdle(now)
      return .nothing
    case SessionFrameType.hello:
      throw .secondHello
    case SessionFrameType.message:
      return try message(header, payload)
    case SessionFrameType.cancel:
      return try cancel(header, payload, now)
    case SessionFrameType.drain:
      try check(header, flags: 0, code: false, call: false)
      guard payload.isEmpty else { throw .malformed(header.type) }
      guard !clientHasDrained else { throw .secondDrain }
      clientHasDrained = true
      return .nothing
    case SessionFrameType.ping:
      return try ping(header, payload, now)
    case SessionFrameType.reply, SessionFrameType.end, SessionFrameType.credit:
      throw .notForThisEnd(header.type)
    default:
      throw .unknownType(header.type)
    }
  }

  /// Row F8: flags that are not defined, fields that the type does not use.
  @inline(__always)
  func check(
    _ header: SessionFrameHeader, flags: UInt8, code: Bool, call: Bool
  ) throws(SessionFault) {
    guard header.flags & ~flags == 0, code || header.code == 0, call || header.call == 0 else {
      throw .mustBeZero(header.type)
    }
  }

  private mutating func hello(_ header: SessionFrameHeader, _ payload: ByteSlice)
    throws(SessionFault) -> SessionStep
  {
    try check(header, flags: 0, code: true, call: false)
    guard header.code >= 1 else { throw .version(header.code) }
    let hello = try SessionHello(fromClient: payload)
    clientFrameBytes = Int(hello.maxFrameBytes)
    usesChecksums =
      !bounds.withoutChecksums || hello.flags & SessionHello.withoutChecksums == 0
    state = .open
    return .hello
  }

  private mutating func ping(
    _ header: SessionFrameHeader, _ payload: ByteSlice, _ now: UInt64
  ) throws(SessionFault) -> SessionStep {
    try check(header, flags: SessionFlags.answer, code: false, call: false)
    guard payload.count == 8, let base = payload.base else { throw .malformed(header.type) }
    try countIdle(now)
    return header.flags & SessionFlags.answer != 0
      ? .nothing : .ping(base.loadUnaligned(as: UInt64.self))
  }

  // MARK: Credit

  /// What MESSAGEs used comes back: their items are answered, or their call has ended.
  package mutating func owe(_ credit: Int64) {
    creditOwed += credit
  }

  /// What the next CREDIT says; it is on its way.
  package mutating func takeOwed() -> UInt32 {
    let credit = UInt32(clamping: creditOwed)
    creditOwed -= Int64(credit)
    return credit
  }

  /// A frame that gives this much back has been handed to HTTP/2.
  @inline(__always)
  package mutating func returned(_ credit: Int64) {
    balance += credit
  }

  // MARK: States

  /// The server begins to stop (S7, S33): whether DRAIN goes out now, with `lastAccepted`.
  package mutating func drain() -> Bool {
    guard state == .open else { return false }
    state = .draining
    return true
  }

  /// A fault was found: ERROR is on its way.
  package mutating func fail() {
    state = .failed
  }

  package mutating func close() {
    state = .closed
  }

  /// END_STREAM (S6, S24 to S26): the fault that it is; nil = a clean end.
  package func endOfStream(isInsideFrame: Bool) -> SessionFault? {
    if isInsideFrame { return .endedInsideFrame }
    if state == .opening { return .notHello }
    return calls.count > 0 ? .endedWithCalls(calls.count) : nil
  }

  /// A frame that does nothing (§17).
  mutating func countIdle(_ now: UInt64) throws(SessionFault) {
    if idleNanoseconds == 0 { idleNanoseconds = now }
    let back =
      (now - min(now, idleNanoseconds)) / UInt64(1_000_000_000 / Limits.sessionIdleFramesPerSecond)
    if back > 0 {
      idle = min(Limits.sessionIdleFrames, idle + Int(min(back, 1 << 20)))
      idleNanoseconds = now
    }
    idle -= 1
    guard idle >= 0 else { throw .idle }
  }
}
