import Core
import EventLoop
import Synchronization
import Syscalls

@testable import Transport

/// The services of one loop, for tests. All but `state` belongs to the loop's thread.
final class TestLoop: @unchecked Sendable {
  // Unchecked: its loop's thread writes; tests read what methods answer.
  let eventLoop: EventLoop
  private var held: [UnsafeMutableRawPointer] = []
  private var handled: UInt64 = 0
  private var cancelled: UInt64 = 0
  private var endings: [StatusCode: UInt64] = [:]

  init(_ eventLoop: EventLoop) { self.eventLoop = eventLoop }

  static func from(_ context: UnsafeMutableRawPointer?) -> TestLoop {
    Unmanaged<TestLoop>.fromOpaque(context!).takeUnretainedValue()
  }

  func table() -> ServiceTable {
    func method(
      _ path: StaticString,
      _ handle: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer) -> Void
    ) -> ServiceMethod {
      ServiceMethod(
        path: path, handle: handle, cancelled: { TestLoop.from($0).forget($1) })
    }
    return ServiceTable(
      methods: [
        method("/test.Test/Echo") { TestLoop.from($0).answer($1) { $0 } },
        method("/test.Test/Count") {
          TestLoop.from($0).answer($1) { message in
            withUnsafeBytes(of: UInt64(message.count).littleEndian) { Array($0) }
          }
        },
        method("/test.Test/Large") {
          TestLoop.from($0).answer($1) { TestLoop.pattern($0.isEmpty ? 0 : TestLoop.number($0)) }
        },
        method("/test.Test/Fail") { TestLoop.from($0).failAsAsked($1) },
        method("/test.Test/Hold") { TestLoop.from($0).hold($1) },
        method("/test.Test/SendLate") { TestLoop.from($0).sendLate($1) },
        method("/test.Test/Release") { context, call in
          let loop = TestLoop.from(context)
          loop.releaseHeld()
          loop.answer(call) { $0 }
        },
        method("/test.Test/State") { context, call in
          let loop = TestLoop.from(context)
          loop.answer(call) { _ in loop.state(call).bytes }
        },
      ],
      context: Unmanaged.passUnretained(self).toOpaque(),
      callEnded: { context, record in
        let record = record.assumingMemoryBound(to: CallRecord.self).pointee
        TestLoop.from(context).endings[record.status, default: 0] += 1
      })
  }

  /// A little-endian number of up to eight bytes.
  static func number(_ bytes: [UInt8]) -> Int {
    bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// Bytes that are not the same at any two places a frame or a buffer apart.
  static func pattern(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count { bytes.append(contentsOf: tile.prefix(count - bytes.count)) }
    return bytes
  }

  /// Of a prime length.
  private static let tile = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }

  private func answer(
    _ pointer: UnsafeMutableRawPointer, _ body: ([UInt8]) -> [UInt8]
  ) {
    handled += 1
    let call = ServerCall(pointer)
    respond(call, body(Array(call.message.bytes)))
  }

  private func respond(_ call: ServerCall, _ message: [UInt8]) {
    let buffer: UnsafeMutableRawPointer
    do throws(CallFailure) {
      buffer = try call.takeBuffer(message.count)
    } catch {
      return call.fail(error)
    }
    message.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { buffer.copyMemory(from: base, byteCount: bytes.count) }
    }
    call.respond(buffer, count: message.count)
  }

  /// The message: a code, a pushback of 4 bytes (0 = none), a text.
  private func failAsAsked(_ pointer: UnsafeMutableRawPointer) {
    handled += 1
    let call = ServerCall(pointer)
    let message = Array(call.message.bytes)
    let pushback = Int32(truncatingIfNeeded: TestLoop.number(Array(message[1..<5])))
    call.fail(
      CallFailure(
        StatusCode(rawValue: Int32(message[0])) ?? .unknown,
        String(decoding: message[5...], as: UTF8.self),
        retryPushbackMilliseconds: pushback == 0 ? nil : pushback))
  }

  private func hold(_ pointer: UnsafeMutableRawPointer) {
    handled += 1
    ServerCall(pointer).attachment = UnsafeMutableRawPointer(bitPattern: 0xABC)
    held.append(pointer)
  }

  /// Sends three bytes and comes back when the deadline has passed: they have not gone by then.
  private func sendLate(_ pointer: UnsafeMutableRawPointer) {
    hold(pointer)
    let call = ServerCall(pointer)
    guard let buffer = try? call.takeBuffer(3) else { preconditionFailure("no buffer") }
    buffer.initializeMemory(as: UInt8.self, repeating: 7, count: 3)
    call.send(buffer, count: 3)
    while eventLoop.clock.monotonicNanoseconds() <= call.deadlineNanoseconds {}
  }

  private func forget(_ pointer: UnsafeMutableRawPointer) {
    precondition(held.contains(pointer), "only a call that is held can be cancelled, and once")
    precondition(ServerCall(pointer).attachment == UnsafeMutableRawPointer(bitPattern: 0xABC))
    held.removeAll { $0 == pointer }
    cancelled += 1
  }

  fileprivate func releaseHeld() {
    for pointer in held { respond(ServerCall(pointer), Array("released".utf8)) }
    held = []
  }

  private func state(_ pointer: UnsafeMutableRawPointer) -> LoopReport {
    let connection = pointer.assumingMemoryBound(to: ServerStream.self).pointee.connection
    let loop = connection.pointee.loop
    let counters = loop.pointee.counters
    return LoopReport(
      loop: UInt64(eventLoop.index), held: UInt64(held.count), handled: handled,
      cancelled: cancelled, streams: UInt64(loop.pointee.slab.count),
      bufferedBytes: UInt64(connection.pointee.bufferedBytes),
      connectionsOpened: counters.connectionsOpened, connectionsClosed: counters.connectionsClosed,
      callsStarted: counters.callsStarted, callsEnded: counters.callsEnded,
      callsCancelled: counters.callsCancelled, protocolErrors: counters.protocolErrors,
      socketErrors: counters.socketErrors, ok: endings[.ok] ?? 0,
      deadlines: endings[.deadlineExceeded] ?? 0, cancellations: endings[.cancelled] ?? 0)
  }
}

/// What a loop tells of itself; a call of `State` counts itself as started and not ended.
struct LoopReport: BitwiseCopyable {
  var loop, held, handled, cancelled, streams, bufferedBytes: UInt64
  var connectionsOpened, connectionsClosed: UInt64
  var callsStarted, callsEnded, callsCancelled: UInt64
  var protocolErrors, socketErrors: UInt64
  var ok, deadlines, cancellations: UInt64

  var bytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }

  init(
    loop: UInt64, held: UInt64, handled: UInt64, cancelled: UInt64, streams: UInt64,
    bufferedBytes: UInt64, connectionsOpened: UInt64, connectionsClosed: UInt64,
    callsStarted: UInt64, callsEnded: UInt64, callsCancelled: UInt64, protocolErrors: UInt64,
    socketErrors: UInt64, ok: UInt64, deadlines: UInt64, cancellations: UInt64
  ) {
    (self.loop, self.held, self.handled, self.cancelled) = (loop, held, handled, cancelled)
    (self.streams, self.bufferedBytes) = (streams, bufferedBytes)
    (self.connectionsOpened, self.connectionsClosed) = (connectionsOpened, connectionsClosed)
    (self.callsStarted, self.callsEnded) = (callsStarted, callsEnded)
    (self.callsCancelled, self.protocolErrors) = (callsCancelled, protocolErrors)
    (self.socketErrors, self.ok, self.deadlines) = (socketErrors, ok, deadlines)
    self.cancellations = cancellations
  }

  init(_ bytes: [UInt8]) {
    precondition(bytes.count == MemoryLayout<LoopReport>.size)
    self = bytes.withUnsafeBytes { $0.loadUnaligned(as: LoopReport.self) }
  }
}

/// Time that only the test moves.
final class FakeTime: Sendable {
  private let now = Atomic<UInt64>(1_000_000_000_000)

  var clock: Clock {
    Clock(
      monotonicNanoseconds: { self.now.load(ordering: .sequentiallyConsistent) },
      unixMilliseconds: { 0 })
  }

  func advance(seconds: UInt64) {
    now.add(seconds * 1_000_000_000, ordering: .sequentiallyConsistent)
  }
}

/// A server on a free port of this machine, with the test's services on each loop.
final class TestServer: @unchecked Sendable {
  // Unchecked: everything is set in `init`; `stop` is called once.
  private let transport: TransportServer
  let loops: [TestLoop]
  var address: SocketAddress { transport.address }

  init(loops count: Int = 1, clock: Clock = .system) throws {
    var loops: [TestLoop] = []
    transport = try TransportServer(
      TransportConfiguration(
        address: SocketAddress(host: "127.0.0.1", port: 0), loops: count, cores: [], clock: clock)
    ) { eventLoop in
      let loop = TestLoop(eventLoop)
      loops.append(loop)
      return loop.table()
    }
    self.loops = loops
  }

  func stop() {
    transport.stop(loopsEnded: {})
  }

  /// Answers what is held, from outside of the loops.
  func releaseHeld(loop: Int = 0) {
    post(loop) { task in
      let task = task.assumingMemoryBound(to: LoopTask.self)
      TestLoop.from(task.pointee.context).releaseHeld()
      task.deallocate()
    }
  }

  /// Lets a loop look at its clock.
  func wake(loop: Int = 0) {
    post(loop) { $0.assumingMemoryBound(to: LoopTask.self).deallocate() }
  }

  private func post(_ loop: Int, _ run: @convention(c) (UnsafeMutableRawPointer) -> Void) {
    let task = UnsafeMutablePointer<LoopTask>.allocate(capacity: 1)
    task.initialize(
      to: LoopTask(run: run, context: Unmanaged.passUnretained(loops[loop]).toOpaque()))
    loops[loop].eventLoop.post(task)
  }
}

/// Runs `body` against a server that is stopped afterwards.
func withServer(
  loops: Int = 1, clock: Clock = .system, _ body: (TestServer) throws -> Void
) throws {
  let server = try TestServer(loops: loops, clock: clock)
  defer { server.stop() }
  try body(server)
}
