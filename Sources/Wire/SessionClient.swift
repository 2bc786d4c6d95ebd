internal import Core

/// The client's end of a session, without I/O and without a clock: proto/SESSION.md §7.
///
/// Bytes of the stream go in (`feed`), steps come out (`next`), and what is to go out is in
/// `output`. One thread at a time. Each call that was begun has exactly one end among the steps:
/// `answered`, `ended`, `notStarted` or `lost`; a cancelled one has none. Times are monotonic,
/// nanoseconds.
package struct SessionClient: ~Copyable {
  package enum State: UInt8, Sendable {
    case opening
    case open
    case draining
    /// END_STREAM is to go, or has gone.
    case ending
    /// ERROR is on its way.
    case failed
    case closed
  }

  package struct Bounds: Sendable {
    /// The longest payload that is taken, bytes.
    package var frameBytes = Limits.serving.messageBytes + Limits.sessionFrameRoomBytes
    /// Calls that this end opens at a time, at most; the server's own bound holds, too.
    package var calls = Limits.serving.sessionCalls
    /// Unsent bytes above which no call begins: twice what keeps a turn of the server busy, and
    /// little beside what the socket holds.
    package var unsentBytes = 512 << 10
    package var withoutChecksums = false
    package var heartbeatNanoseconds = Limits.serving.heartbeatNanoseconds
    package var silenceNanoseconds = Limits.serving.silenceNanoseconds
    package var frameNanoseconds = Limits.serving.frameNanoseconds

    package init() {}
  }

  package internal(set) var state = State.opening
  package var output = SessionOutput()
  package internal(set) var balance: Int64 = 0
  /// The server's HELLO.
  package internal(set) var hello = SessionHello()
  /// The highest id sent.
  package internal(set) var highestCall: UInt32 = 0
  package internal(set) var usesChecksums = true
  let bounds: Bounds
  var callsMax = 0
  var calls = SessionCallTable()
  var reader = SessionFrameReader()
  /// Slots of calls, and the free ones among them.
  private var slabs: [UnsafeMutablePointer<SessionClientCall>] = []
  private var freeSlot: UnsafeMutablePointer<SessionClientCall>?
  /// A CALL or MESSAGE whose message is being written, in `output`.
  var pending: SessionFrameHeader?
  /// A call, or a message of one, has found no room.
  var lacksRoom = false
  var lacksMessageRoom = false
  /// Answers to PING since the first of them went, and what `output.taken` is when it has gone: a
  /// server that asks and does not read has no more than twice the bound waiting.
  var answers = 0
  var answersGoneAt: UInt64 = 0
  var hasDrain = false
  /// Calls above it were not started.
  var drainedAbove: UInt32 = .max
  var failure: SessionFailure?
  var hasToldFailure = false
  var hasToldDrain = false

  // When what was last seen (§13).
  var sentNanoseconds: UInt64
  var receivedNanoseconds: UInt64
  var pingedNanoseconds: UInt64
  /// When the frame began that is incomplete, or the wait for HELLO; 0 = neither.
  var frameBegunNanoseconds: UInt64
  var changedNanoseconds: UInt64 = 0

  private static let slabCount = 64
  /// The last id: the session is retired behind it (C33). 2³² − 1 is never used.
  static let lastCall = UInt32.max - 2

  /// Begins with HELLO (C1).
  package init(_ bounds: Bounds = Bounds(), now: UInt64) {
    self.bounds = bounds
    (sentNanoseconds, receivedNanoseconds) = (now, now)
    (pingedNanoseconds, frameBegunNanoseconds) = (now, now)
    var hello = SessionHello()
    hello.maxFrameBytes = UInt32(clamping: bounds.frameBytes)
    hello.maxCalls = UInt32(clamping: bounds.calls)
    if bounds.withoutChecksums { hello.flags = SessionHello.withoutChecksums }
    queue(type: SessionFrameType.hello, code: SessionHello.version, payload: hello.encoded)
  }

  deinit {
    for slab in slabs { slab.deallocate() }
  }

  package var isLive: Bool { state == .open || state == .draining }

  /// Calls whose end has not come, abandoned ones too.
  package var openCalls: Int { calls.count }

  /// Whether a call can begin now (C12). While it cannot, a later step is `room`, or the session's
  /// end.
  package mutating func hasRoom() -> Bool {
    if state == .open, balance > 0, calls.count < callsMax, output.count < bounds.unsentBytes,
      highestCall < SessionClient.lastCall
    {
      return true
    }
    lacksRoom = true
    return false
  }

  /// The id of a method, `/package.Service/Method`; nil: not served in this session.
  package func method(_ path: String) -> UInt16? { hello.methodID(path) }

  // MARK: Calls' memory

  func call(at address: UnsafeMutableRawPointer) -> UnsafeMutablePointer<SessionClientCall> {
    address.assumingMemoryBound(to: SessionClientCall.self)
  }

  @inline(__always)
  mutating func take(_ call: SessionClientCall) {
    if freeSlot == nil { addSlab() }
    guard let slot = freeSlot else { return }
    freeSlot = slot.pointee.context?.assumingMemoryBound(to: SessionClientCall.self)
    slot.initialize(to: call)
    calls.insert(call.id, slot)
  }

  private mutating func addSlab() {
    let slab = UnsafeMutablePointer<SessionClientCall>.allocate(capacity: SessionClient.slabCount)
    slabs.append(slab)
    for index in 0..<SessionClient.slabCount {
      let next = freeSlot.map { UnsafeMutableRawPointer($0) }
      (slab + index).initialize(
        to: SessionClientCall(
          id: 0, isUnary: false, isHalfClosed: false, cost: 0, context: next))
      freeSlot = slab + index
    }
  }

  /// The call is over: what it was is handed back.
  @inline(__always)
  mutating func forget(_ slot: UnsafeMutablePointer<SessionClientCall>) -> SessionClientCall {
    let call = slot.pointee
    calls.remove(call.id)
    slot.pointee.context = freeSlot.map { UnsafeMutableRawPointer($0) }
    freeSlot = slot
    return call
  }

  // MARK: Frames out

  /// A frame that is no CALL and no MESSAGE.
  mutating func queue(
    type: UInt8, flags: UInt8 = 0, code: UInt16 = 0, call: UInt32 = 0, payload: [UInt8] = []
  ) {
    let headBytes = SessionFrameHeader.byteCount
    let start = output.reserve(headBytes + payload.count)
    payload.withUnsafeBytes { bytes in
      if let source = bytes.baseAddress, !bytes.isEmpty {
        (start + headBytes).copyMemory(from: source, byteCount: bytes.count)
      }
    }
    SessionFrameHeader(type: type, flags: flags, code: code, call: call, length: payload.count)
      .write(before: start + headBytes, withChecksum: usesChecksums)
    output.append(headBytes + payload.count)
  }

  mutating func queuePing(_ word: UInt64, flags: UInt8) {
    let payload = withUnsafeBytes(of: word) { Array($0) }
    queue(type: SessionFrameType.ping, flags: flags, payload: payload)
  }
}
