internal import Core
internal import EventLoop
internal import HTTP2
internal import Synchronization
internal import Syscalls
internal import Wire

/// What one loop counts, for its own thread.
struct LoopCounters: BitwiseCopyable {
  var connectionsOpened: UInt64 = 0
  var connectionsClosed: UInt64 = 0
  var connectionsStalled: UInt64 = 0
  var callsStarted: UInt64 = 0
  var callsEnded: UInt64 = 0
  /// By `CancellationSource`.
  var cancelled = InlineArray<5, UInt64>(repeating: 0)
  var bytesReceived: UInt64 = 0
  var bytesSent: UInt64 = 0
  var writes: UInt64 = 0
  var protocolErrors: UInt64 = 0
  var socketErrors: UInt64 = 0

  var callsCancelled: UInt64 {
    var sum: UInt64 = 0
    for source in cancelled.indices { sum += cancelled[source] }
    return sum
  }
}

/// What all loops of a server share: the bound of answers that it may hold. An address, so that
/// asking costs no reference count; its server destroys it.
// Unchecked: behind the address is an atomic.
struct ProcessBudget: @unchecked Sendable {
  private let held: UnsafeMutablePointer<Atomic<Int>>
  private let limitBytes: Int
  private let keptBytes: Int

  init() {
    held = .allocate(capacity: 1)
    held.initialize(to: Atomic(0))
    limitBytes = Limits.serving.processOutboundBytes
    keptBytes = Limits.serving.keptOutboundBytes
  }

  func destroy() {
    held.deinitialize(count: 1)
    held.deallocate()
  }

  var heldBytes: Int { held.pointee.load(ordering: .relaxed) }

  /// False when these bytes are too many.
  @inline(__always)
  func take(_ byteCount: Int, holdsLittle: Bool) -> Bool {
    let now = held.pointee.add(byteCount, ordering: .relaxed).newValue
    if now <= limitBytes - (holdsLittle ? 0 : keptBytes) { return true }
    held.pointee.subtract(byteCount, ordering: .relaxed)
    return false
  }

  /// Takes them, many or not.
  @inline(__always)
  func takeNeeded(_ byteCount: Int) {
    held.pointee.add(byteCount, ordering: .relaxed)
  }

  @inline(__always)
  func giveBack(_ byteCount: Int) {
    held.pointee.subtract(byteCount, ordering: .relaxed)
  }
}

/// Everything that the connections of one loop share: buffers, slabs, lists. One thread's own.
struct LoopState {
  /// Room that the write buffer must have left for one more frame: 16 KiB of payload, its header,
  /// and slack for a block of headers that nghttp2 emits whole.
  static let frameRoomBytes = (16 << 10) + 4_096

  let eventLoop: EventLoop
  let http2Memory = HTTP2Memory()
  let http2Limits: HTTP2Limits
  let readBuffer: UnsafeMutableRawPointer
  let writeBuffer: UnsafeMutableRawPointer
  let budget: ProcessBudget
  /// Of one connection: what it may hold of answers, and what counts as little, bytes.
  let connectionOutboundBytes = Limits.serving.connectionOutboundBytes
  let littleOutboundBytes = Limits.serving.littleOutboundBytes
  var buffers = BufferPool()
  var slab = Slab<ServerStream>()
  var sessionCalls = Slab<SessionCall>()
  /// Of `methods`, by their place.
  let sessionMethods: UnsafeMutablePointer<SessionServer.Method>
  /// What every session's HELLO says.
  let sessionHello: SessionHello
  let methods: MethodTable
  let serviceContext: UnsafeMutableRawPointer?
  let callEnded: (@convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer) -> Void)?
  let callStarted: (@convention(c) (UnsafeMutableRawPointer?, Int) -> Void)?
  let tellTurnEnded: (@convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer) -> Void)?

  /// Made when the first compressed message comes, or goes.
  var inflater: GzipInflater?
  var madeDeflater: GzipDeflater?
  /// The message that is being handled, inflated.
  var inflated: UnsafeMutableRawBufferPointer?
  var inflatedCount = 0

  var nowNanoseconds: UInt64 = 0
  var counters = LoopCounters()
  /// Read by the acceptor on another thread, to find the least loaded loop.
  let connectionCount: UnsafeMutablePointer<Atomic<Int>>

  var connections: ConnectionPointer?
  var dirty: ConnectionPointer?
  var dead: ConnectionPointer?
  var firstTouched: UnsafeMutablePointer<ServerStream>?
  var lastTouched: UnsafeMutablePointer<ServerStream>?
  /// Bytes of messages that are not taken yet, of all connections.
  var receivingBytes = 0
  /// Of them, those of campaign files that are not whole.
  var campaignBytes = 0
  /// Stalls are looked for while some connection has bytes that do not go.
  var hasTick = false
  var drain = DrainState.none

  init(eventLoop: EventLoop, services: ServiceTable, budget: ProcessBudget) {
    self.eventLoop = eventLoop
    self.budget = budget
    self.methods = MethodTable(services.methods)
    sessionMethods = .allocate(capacity: max(services.methods.count, 1))
    for (index, method) in services.methods.enumerated() {
      (sessionMethods + index).initialize(
        to: SessionServer.Method(takesManyMessages: method.kind == .manyMessages))
    }
    sessionHello = LoopState.hello(services.methods)
    self.serviceContext = services.context
    self.callEnded = services.callEnded
    callStarted = services.callStarted
    tellTurnEnded = services.turnEnded
    http2Limits = HTTP2Limits(
      concurrentStreams: Limits.serving.concurrentStreams,
      streamWindowBytes: Limits.serving.streamWindowBytes,
      connectionWindowBytes: Limits.serving.connectionWindowBytes,
      headerListBytes: Limits.serving.headerListBytes, headerCount: Limits.serving.headerCount)
    readBuffer = .allocate(byteCount: Limits.serving.readBufferBytes, alignment: 64)
    writeBuffer = .allocate(byteCount: Limits.serving.writeBufferBytes, alignment: 64)
    connectionCount = .allocate(capacity: 1)
    connectionCount.initialize(to: Atomic(0))
    nowNanoseconds = eventLoop.clock.monotonicNanoseconds()
  }
}

extension LoopState {
  fileprivate static func hello(_ methods: [ServiceMethod]) -> SessionHello {
    var hello = SessionHello()
    hello.maxFrameBytes = UInt32(clamping: SessionServer.Bounds.serving.frameBytes)
    hello.initialCredit = UInt32(clamping: Limits.serving.sessionCredit)
    hello.maxCalls = UInt32(clamping: Limits.serving.sessionCalls)
    hello.methods = methods.map { "\($0.path)" }
    return hello
  }
}

typealias LoopPointer = UnsafeMutablePointer<LoopState>

/// A loop as other threads know it: what is made for many threads, and the address of the rest,
/// which is only ever handed to the loop itself.
struct LoopHandle {
  let state: LoopPointer
  let eventLoop: EventLoop
  let connectionCount: UnsafeMutablePointer<Atomic<Int>>

  /// Before the loop's thread starts.
  init(_ state: LoopPointer) {
    self.state = state
    eventLoop = state.pointee.eventLoop
    connectionCount = state.pointee.connectionCount
  }
}

extension LoopState {
  /// After its loop has ended and its connections are closed.
  func destroy() {
    buffers.destroy()
    slab.destroy()
    sessionCalls.destroy()
    sessionMethods.deallocate()
    methods.destroy()
    connectionCount.deinitialize(count: 1)
    connectionCount.deallocate()
    readBuffer.deallocate()
    writeBuffer.deallocate()
  }
}

extension UnsafeMutablePointer where Pointee == LoopState {
  func link(_ connection: ConnectionPointer) {
    connection.pointee.next = pointee.connections
    pointee.connections?.pointee.previous = connection
    pointee.connections = connection
    pointee.counters.connectionsOpened += 1
  }

  func unlink(_ connection: ConnectionPointer) {
    if let previous = connection.pointee.previous {
      previous.pointee.next = connection.pointee.next
    } else {
      pointee.connections = connection.pointee.next
    }
    connection.pointee.next?.pointee.previous = connection.pointee.previous
    pointee.counters.connectionsClosed += 1
    pointee.connectionCount.pointee.subtract(1, ordering: .relaxed)
  }

  // MARK: Streams with something to do

  func touch(_ stream: UnsafeMutablePointer<ServerStream>) {
    guard !stream.pointee.isTouched else { return }
    stream.pointee.isTouched = true
    stream.pointee.nextTouched = nil
    if let last = pointee.lastTouched {
      last.pointee.nextTouched = stream
    } else {
      pointee.firstTouched = stream
    }
    pointee.lastTouched = stream
  }

  /// After a read or a write: complete messages go to their services, incomplete ones are kept,
  /// services that waited for room produce again, and streams that closed meanwhile go back to the
  /// slab.
  func settleTouchedStreams() {
    while let stream = pointee.firstTouched {
      pointee.firstTouched = stream.pointee.nextTouched
      if pointee.firstTouched == nil { pointee.lastTouched = nil }
      stream.pointee.isTouched = false
      if stream.pointee.isClosed {
        pointee.slab.giveBack(stream)
      } else {
        stream.settle()
      }
    }
  }

  private func tellFigures() {
    guard let tell = pointee.tellTurnEnded else { return }
    let counters = pointee.counters
    var figures = LoopFigures(
      connections: Int(counters.connectionsOpened - counters.connectionsClosed),
      streams: pointee.slab.count, receivingBytes: pointee.receivingBytes,
      sendingBytes: pointee.buffers.handedOutBytes, turns: pointee.eventLoop.turn,
      writes: counters.writes)
    tell(pointee.serviceContext, &figures)
  }

  /// One write per connection, then the burials.
  func turnEnded() {
    settleTouchedStreams()
    while let connection = pointee.dirty {
      pointee.dirty = connection.pointee.nextDirty
      connection.pointee.isDirty = false
      if !connection.pointee.isDead { connection.flush() }
      settleTouchedStreams()
    }
    while let connection = pointee.dead {
      pointee.dead = connection.pointee.nextDead
      connection.close(connection.pointee.isStalled ? .stall : .connection)
    }
    settleTouchedStreams()
    tellFigures()
    if pointee.drain != .none && pointee.connections == nil { pointee.eventLoop.stop() }
  }
}
