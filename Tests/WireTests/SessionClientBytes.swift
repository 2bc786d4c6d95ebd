import Core
import Testing

@testable import Wire

/// A frame that the client has sent.
struct SentFrame: Equatable {
  var header: SessionFrameHeader
  var payload: [UInt8]
  var checksum: UInt32

  var type: UInt8 { header.type }
}

/// An END record's bytes, text and details behind it.
func endRecord(
  queue: UInt32 = 0, pushback: Int32 = .min, text: [UInt8] = [], details: [UInt8] = []
) -> [UInt8] {
  func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
  return little(queue) + little(UInt32(0)) + little(UInt32(0)) + little(pushback)
    + little(UInt16(text.count)) + little(UInt16(details.count)) + text + details
}

func replyFrame(
  _ call: UInt32, _ message: [UInt8], isLast: Bool = true, keeps: Bool = false,
  withChecksum: Bool = true
) -> [UInt8] {
  let flags = isLast ? SessionFlags.last | (keeps ? SessionFlags.keep : 0) : 0
  return sessionFrame(
    SessionFrameType.reply, message + (isLast ? endRecord() : []), flags: flags,
    code: isLast ? 20 : 0, call: call, withChecksum: withChecksum)
}

func endFrame(
  _ call: UInt32, _ code: UInt16, text: String = "", keeps: Bool = false,
  withChecksum: Bool = true
) -> [UInt8] {
  sessionFrame(
    SessionFrameType.end, endRecord(text: Array(text.utf8)), flags: keeps ? SessionFlags.keep : 0,
    code: code, call: call, withChecksum: withChecksum)
}

func creditFrame(_ credit: UInt32, withChecksum: Bool = true) -> [UInt8] {
  sessionFrame(
    SessionFrameType.credit, withUnsafeBytes(of: credit.littleEndian) { Array($0) },
    withChecksum: withChecksum)
}

func drainFrame(_ call: UInt32, withChecksum: Bool = true) -> [UInt8] {
  sessionFrame(SessionFrameType.drain, call: call, withChecksum: withChecksum)
}

func serverHello(
  credit: UInt32 = 1_000, calls: UInt32 = 8, frameBytes: UInt32 = 1 << 20, flags: UInt32 = 0,
  methods: [String] = ["/a.A/One", "/a.A/Many"]
) -> SessionHello {
  var hello = SessionHello()
  hello.maxFrameBytes = frameBytes
  hello.initialCredit = credit
  hello.maxCalls = calls
  hello.flags = flags
  hello.methods = methods
  return hello
}

func helloFrame(_ payload: [UInt8], version: UInt16 = 1) -> [UInt8] {
  sessionFrame(SessionFrameType.hello, payload, code: version)
}

/// The client's end with a clock that stands: bytes in, steps out as text. Contexts are numbers.
final class ClientEnd {
  let machine: UnsafeMutablePointer<SessionClient>
  private(set) var events: [String] = []
  /// How often each context was told its end.
  private(set) var ends: [UInt: Int] = [:]
  private(set) var failure: SessionFailure?
  var now: UInt64 = 1_000_000_000
  var keepsEvents = true
  private var lastContext: UInt = 0

  init(_ bounds: SessionClient.Bounds = SessionClient.Bounds(), now: UInt64 = 1_000_000_000) {
    self.now = now
    machine = .allocate(capacity: 1)
    machine.initialize(to: SessionClient(bounds, now: now))
  }

  /// One that is open, and whose HELLO has gone.
  static func opened(
    _ hello: SessionHello = serverHello(),
    _ bounds: SessionClient.Bounds = SessionClient.Bounds()
  ) -> ClientEnd {
    let end = ClientEnd(bounds)
    end.feed(helloFrame(hello.encoded))
    _ = end.sent()
    #expect(end.events == ["opened"] && end.state == .open)
    end.clear()
    return end
  }

  deinit {
    machine.deinitialize(count: 1)
    machine.deallocate()
  }

  var state: SessionClient.State { machine.pointee.state }
  var balance: Int64 { machine.pointee.balance }
  var openCalls: Int { machine.pointee.openCalls }
  var unsentBytes: Int { machine.pointee.output.count }

  var isReset: Bool { machine.pointee.isReset }
  var endsStream: Bool { machine.pointee.endsStream }
  var nextDue: UInt64 { machine.pointee.nextDue }
  var highestCall: UInt32 {
    get { machine.pointee.highestCall }
    set { machine.pointee.highestCall = newValue }
  }

  func method(_ path: String) -> UInt16? { machine.pointee.method(path) }

  func isOpen(_ call: UInt32) -> Bool { machine.pointee.calls.find(call) != nil }

  func hasRoom() -> Bool { machine.pointee.hasRoom() }

  /// Forgets the events so far.
  func clear() { events = [] }

  // MARK: In

  func feed(_ bytes: [UInt8], cut: Int = .max) {
    var at = 0
    repeat {
      let count = min(cut, bytes.count - at)
      bytes.withUnsafeBytes { whole in
        steps(ByteSlice(UnsafeRawBufferPointer(rebasing: whole[at..<at + count])))
      }
      at += count
    } while at < bytes.count
  }

  /// All steps that there are. More than calls and bytes can explain: they repeat for ever.
  private func steps(_ bytes: ByteSlice) {
    var (rest, left) = (bytes, bytes.count + 2 * openCalls + 16)
    while let step = machine.pointee.next(&rest, now: now) {
      note(step)
      left -= 1
      guard left > 0 else {
        Issue.record("steps without an end: \(events.suffix(3))")
        return
      }
    }
    #expect(rest.count == 0, "not all bytes are taken")
  }

  func tick() {
    machine.pointee.tick(now: now)
    feed([])
  }

  func end(_ reason: String = "the connection is lost", isRefused: Bool = false) {
    machine.pointee.end(SessionFailure(.unavailable, reason), isRefused: isRefused)
    feed([])
  }

  func trailers(_ status: Int?) -> Bool {
    defer { feed([]) }
    return machine.pointee.trailers(grpcStatus: status)
  }

  // MARK: Calls

  /// Begins and seals a call; its id is also its context unless another is given.
  @discardableResult
  func call(
    work: UInt32 = 1, isLast: Bool = true, isUnary: Bool = true, message: [UInt8] = [],
    method: UInt16 = 1, metadata: [UInt8] = [], timeout: UInt32 = 0
  ) -> UInt32? {
    lastContext += 1
    var start = SessionCallStart(
      method: method, work: work, timeoutMicroseconds: timeout, messageBytes: message.count,
      context: UnsafeMutableRawPointer(bitPattern: lastContext))
    (start.isLast, start.isUnary) = (isLast, isUnary)
    let begun = metadata.withUnsafeBytes { bytes in
      start.metadata = ByteSlice(bytes)
      return machine.pointee.begin(start)
    }
    guard let begun else { return nil }
    message.withUnsafeBytes { begun.message.copy($0) }
    machine.pointee.seal(now: now)
    return begun.id
  }

  var newestContext: UInt { lastContext }

  func message(
    _ call: UInt32, work: UInt32, _ bytes: [UInt8] = [], isLast: Bool = false
  ) throws(SessionClient.MessageRefusal) {
    let target = try machine.pointee.beginMessage(
      call, work: work, isLast: isLast, messageBytes: bytes.count)
    bytes.withUnsafeBytes { target.copy($0) }
    machine.pointee.seal(now: now)
  }

  func cancel(_ call: UInt32) { machine.pointee.cancel(call, now: now) }

  func halfClose(_ call: UInt32) { machine.pointee.halfClose(call, now: now) }

  func drain() {
    machine.pointee.drain(now: now)
    feed([])
  }

  // MARK: Out

  /// Up to `most` bytes of what is to go.
  func takeOutput(_ most: Int = .max) -> [UInt8] {
    let room = min(most, unsentBytes)
    return [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
      guard let base = buffer.baseAddress, room > 0 else { return }
      count = machine.pointee.output.read(into: base, capacity: room)
    }
  }

  /// The frames that are to go; whole ones, always.
  func sent() -> [SentFrame] {
    let bytes = takeOutput()
    var (frames, at): ([SentFrame], Int) = ([], 0)
    bytes.withUnsafeBytes { whole in
      while let base = whole.baseAddress, at + 16 <= whole.count {
        let header = SessionFrameHeader(base + at)
        let end = at + 16 + Int(header.length)
        guard end <= whole.count else { break }
        frames.append(
          SentFrame(
            header: header, payload: Array(whole[at + 16..<end]),
            checksum: UInt32(
              littleEndian: whole.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self))))
        at = end
      }
    }
    #expect(at == bytes.count, "a frame is not whole")
    return frames
  }

  // MARK: Steps

  private func note(_ step: SessionClientStep) {
    switch step {
    case .opened: event("opened")
    case .room: event("room")
    case .draining: event("draining")
    case .message(let context, let bytes): event("message \(number(context)) \(bytes.text)")
    case .answered(let context, let bytes, _):
      event("answered \(ended(context)) \(bytes.text)")
    case .ended(let context, let end):
      let local = end.isLocal ? " here" : ""
      event("ended \(ended(context)) \(end.code.name)\(local): \(end.text.text)")
    case .notStarted(let context): event("not started \(ended(context))")
    case .lost(let context): event("lost \(ended(context))")
    case .failed(let failure):
      #expect(self.failure == nil, "a failure is told once")
      self.failure = failure
      event("failed")
    }
  }

  private func event(_ text: @autoclosure () -> String) {
    let text = text()
    if keepsEvents { events.append(text) }
  }

  private func number(_ context: UnsafeMutableRawPointer?) -> UInt { UInt(bitPattern: context) }

  private func ended(_ context: UnsafeMutableRawPointer?) -> UInt {
    ends[number(context), default: 0] += 1
    return number(context)
  }
}
