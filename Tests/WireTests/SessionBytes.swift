import Core

@testable import Wire

/// A session's frame as its bytes.
func sessionFrame(
  _ type: UInt8, _ payload: [UInt8] = [], flags: UInt8 = 0, code: UInt16 = 0, call: UInt32 = 0,
  withChecksum: Bool = true
) -> [UInt8] {
  let head = SessionFrameHeader.byteCount
  let memory = UnsafeMutableRawBufferPointer.allocate(
    byteCount: head + payload.count, alignment: 16)
  defer { memory.deallocate() }
  payload.withUnsafeBytes { memory.baseAddress.map { $0 + head }?.copy($0) }
  SessionFrameHeader(type: type, flags: flags, code: code, call: call, length: payload.count)
    .write(before: memory.baseAddress! + head, withChecksum: withChecksum)
  return Array(memory)
}

extension UnsafeMutableRawPointer {
  func copy(_ bytes: UnsafeRawBufferPointer) {
    if let base = bytes.baseAddress { copyMemory(from: base, byteCount: bytes.count) }
  }
}

func sessionHello(maxFrameBytes: UInt32 = 1 << 20, flags: UInt32 = 0) -> [UInt8] {
  var hello = SessionHello()
  hello.maxFrameBytes = maxFrameBytes
  hello.flags = flags
  return sessionFrame(SessionFrameType.hello, hello.encoded, code: SessionHello.version)
}

/// A CALL's payload.
func callPayload(work: UInt32, message: [UInt8] = [], metadata: [UInt8] = []) -> [UInt8] {
  let prelude = SessionPrelude(
    timeoutMicroseconds: 0, work: work, metadataBytes: metadata.count)
  let head = [UInt8](unsafeUninitializedCapacity: SessionPrelude.byteCount) { buffer, count in
    prelude.write(to: UnsafeMutableRawPointer(buffer.baseAddress!))
    count = SessionPrelude.byteCount
  }
  return head + metadata + message
}

func messagePayload(work: UInt32, message: [UInt8] = [], zero: UInt8 = 0) -> [UInt8] {
  (0..<4).map { UInt8(truncatingIfNeeded: work >> (8 * $0)) } + [zero, 0, 0, 0] + message
}

/// The server's end with a reader before it: bytes in, what it did out. Calls are numbers.
final class SessionEnd {
  private let methods: UnsafeMutablePointer<SessionServer.Method>
  private let machine: UnsafeMutablePointer<SessionServer>
  private let reader: UnsafeMutablePointer<SessionFrameReader>
  private(set) var fault: SessionFault?
  private(set) var events: [String] = []
  private(set) var accepted: [UInt32: Int64] = [:]
  var now: UInt64 = 1_000_000_000
  var keepsEvents = true

  /// Methods: one that takes one message, one that takes many.
  init(credit: UInt32 = 1_000, calls: Int = 8, withoutChecksums: Bool = false) {
    methods = .allocate(capacity: 2)
    methods.initialize(to: SessionServer.Method(takesManyMessages: false))
    (methods + 1).initialize(to: SessionServer.Method(takesManyMessages: true))
    machine = .allocate(capacity: 1)
    machine.initialize(
      to: SessionServer(
        SessionServer.Bounds(
          frameBytes: 1 << 20, messageBytes: 1 << 16, initialCredit: credit, calls: calls,
          withoutChecksums: withoutChecksums), methods: methods, count: 2))
    reader = .allocate(capacity: 1)
    reader.initialize(to: SessionFrameReader())
  }

  deinit {
    machine.deinitialize(count: 1)
    machine.deallocate()
    reader.deinitialize(count: 1)
    reader.deallocate()
    methods.deallocate()
  }

  var balance: Int64 { machine.pointee.balance }
  var owed: Int64 { machine.pointee.creditOwed }
  var state: SessionServer.State { machine.pointee.state }
  var openCalls: Int { machine.pointee.calls.count }
  var isInsideFrame: Bool { reader.pointee.isInsideFrame }
  var endOfStream: SessionFault? {
    machine.pointee.endOfStream(isInsideFrame: reader.pointee.isInsideFrame)
  }

  func feed(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { feed(ByteSlice($0)) }
  }

  func feed(_ bytes: ByteSlice) {
    var rest = bytes
    do throws(SessionFault) {
      while fault == nil, state != .closed, let frame = try reader.pointee.next(&rest) {
        guard frame.header.type == SessionFrameType.call, machine.pointee.isLive else {
          note(try machine.pointee.take(frame.header, frame.payload, now: now))
          continue
        }
        var request = SessionCallRequest()
        switch try machine.pointee.call(frame.header, frame.payload, into: &request) {
        case .accepted: begin(request)
        case .dropped: event("nothing")
        case .refused:
          let why = machine.pointee.refused(frame.header, request, frame.payload)
          machine.pointee.returned(request.cost)
          event("refuse \(request.id): \(why.message)")
        }
      }
    } catch {
      fault = error
      machine.pointee.fail()
    }
  }

  private func begin(_ request: SessionCallRequest) {
    // Read, so that a sanitizer sees a slice that reaches too far.
    _ = request.message.bytes.reduce(0, &+) &+ request.metadata.bytes.reduce(0, &+)
    machine.pointee.calls.insert(
      request.id, UnsafeMutableRawPointer(bitPattern: UInt(request.id))!)
    accepted[request.id] = request.cost
    event("call \(request.id)")
  }

  private func note(_ step: SessionStep) {
    switch step {
    case .nothing: event("nothing")
    case .hello:
      reader.pointee.frameBytesMax = 1 << 20
      reader.pointee.checksChecksums = machine.pointee.usesChecksums
      event("hello")
    case .ping: event("ping")
    case .failed: event("failed")
    case .message(let call, let message, _, let cost, let isLast):
      _ = message.bytes.reduce(0, &+)
      machine.pointee.owe(cost)
      event("message \(UInt(bitPattern: call))\(isLast ? " fin" : "")")
    case .halfClosed(let call): event("half \(UInt(bitPattern: call))")
    case .refuseMessage(let call, let cost, let failure):
      machine.pointee.owe(cost)
      end(UInt32(UInt(bitPattern: call)))
      event("refuse \(UInt(bitPattern: call)): \(failure.message)")
    case .cancel(let call):
      end(UInt32(UInt(bitPattern: call)))
      event("cancel \(UInt(bitPattern: call))")
    }
  }

  private func event(_ text: @autoclosure () -> String) {
    if keepsEvents { events.append(text()) }
  }

  /// A call's END goes out.
  func end(_ id: UInt32) {
    guard let cost = accepted.removeValue(forKey: id) else { return }
    machine.pointee.calls.remove(id)
    machine.pointee.returned(cost)
  }

  /// The turn's CREDIT goes out; how much it says.
  func credit() -> UInt32 {
    let credit = machine.pointee.takeOwed()
    machine.pointee.returned(Int64(credit))
    return credit
  }

  func drain() -> Bool { machine.pointee.drain() }
}
