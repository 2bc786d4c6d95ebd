import Core
import Testing

@testable import Wire

/// The real server's machine, driven at random, behind bytes: what a client's end is tried against.
/// It keeps the rules of §9 for what the machine leaves to its owner.
final class ServerPeer {
  private struct Call {
    var cost: Int64
    var takesMore: Bool
    var isUnary: Bool
    /// What its MESSAGEs used and is not owed back yet.
    var messages: [Int64] = []
    var answers = 0
  }

  private let methods: UnsafeMutablePointer<SessionServer.Method>
  private var machine: SessionServer
  private var reader = SessionFrameReader()
  private var calls: [UInt32: Call] = [:]
  private let hello: SessionHello
  /// Bytes on their way to the client.
  private(set) var output: [UInt8] = []
  private(set) var fault: SessionFault?
  /// What KEEP held back, and was not given by CREDIT yet.
  private(set) var kept: Int64 = 0
  private(set) var drainedAt: UInt32?
  /// Calls it has begun, and ends it has said.
  private(set) var begun = 0
  private(set) var ended = 0
  private(set) var codes: [UInt32: Int] = [:]
  private(set) var isOver = false

  init(credit: UInt32, calls: Int, withoutChecksums: Bool) {
    methods = .allocate(capacity: 2)
    methods.initialize(to: SessionServer.Method(takesManyMessages: false))
    (methods + 1).initialize(to: SessionServer.Method(takesManyMessages: true))
    machine = SessionServer(
      SessionServer.Bounds(
        frameBytes: 1 << 20, messageBytes: 1 << 16, initialCredit: credit, calls: calls,
        withoutChecksums: withoutChecksums), methods: methods, count: 2)
    hello = serverHello(
      credit: credit, calls: UInt32(calls), flags: withoutChecksums ? 1 : 0)
  }

  deinit { methods.deallocate() }

  var balance: Int64 { machine.balance }
  var openCalls: Int { calls.count }
  var endOfStream: SessionFault? { machine.endOfStream(isInsideFrame: reader.isInsideFrame) }

  func takeOutput(_ most: Int) -> [UInt8] {
    let taken = Array(output.prefix(most))
    output.removeFirst(taken.count)
    return taken
  }

  // MARK: In

  func feed(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { whole in
      var rest = ByteSlice(whole)
      do throws(SessionFault) {
        while fault == nil, !isOver, let frame = try reader.next(&rest) {
          guard frame.header.type == Frame.call, machine.isLive else {
            perform(try machine.take(frame.header, frame.payload, now: 1))
            continue
          }
          var request = SessionCallRequest()
          switch try machine.call(frame.header, frame.payload, into: &request) {
          case .accepted: begin(request)
          case .dropped: break
          case .refused: Issue.record("call \(request.id) is refused")
          }
        }
      } catch {
        fault = error
      }
    }
  }

  private func begin(_ request: SessionCallRequest) {
    begun += 1
    calls[request.id] = Call(
      cost: request.cost, takesMore: !request.isLast, isUnary: request.method == 0)
    machine.calls.insert(request.id, UnsafeMutableRawPointer(bitPattern: UInt(request.id))!)
  }

  private func perform(_ step: SessionStep) {
    switch step {
    case .nothing: break
    case .failed: isOver = true
    case .hello:
      reader.frameBytesMax = 1 << 20
      reader.checksChecksums = machine.usesChecksums
      output += helloFrame(hello.encoded)
    case .ping(let word):
      send(Frame.ping, withUnsafeBytes(of: word) { Array($0) }, flags: SessionFlags.answer)
    case .message(let call, _, _, let cost, let isLast):
      calls[id(call)]?.messages.append(cost)
      if isLast { calls[id(call)]?.takesMore = false }
    case .halfClosed(let call): calls[id(call)]?.takesMore = false
    case .refuseMessage(let call, _, let failure):
      Issue.record("a message of \(id(call)) is refused: \(failure.message)")
    case .cancel(let call): end(id(call), code: 1, keeps: false)
    }
  }

  private func id(_ call: UnsafeMutableRawPointer) -> UInt32 { UInt32(UInt(bitPattern: call)) }

  // MARK: Out

  private func send(
    _ type: UInt8, _ payload: [UInt8] = [], flags: UInt8 = 0, code: UInt16 = 0, call: UInt32 = 0
  ) {
    output += sessionFrame(
      type, payload, flags: flags, code: code, call: call, withChecksum: machine.usesChecksums)
  }

  /// Something that a server may do now.
  func act(_ random: inout SplitMix64) {
    guard machine.isLive, !isOver, fault == nil else { return }
    let call = calls.keys.min { $0 &* 0x9E37_79B9 < $1 &* 0x9E37_79B9 }
    let keeps = Int.random(in: 0..<5, using: &random) == 0
    let code = UInt16.random(in: 1...16, using: &random)
    switch Int.random(in: 0..<10, using: &random) {
    case 0: send(Frame.ping, [1, 2, 3, 4, 5, 6, 7, 8])
    case 1: send(UInt8.random(in: 128...255, using: &random), [1, 2, 3])
    case 2: giveCredit(UInt32.random(in: 0...1, using: &random) * UInt32(clamping: kept))
    case 3, 4: if let call { reply(call) }
    case 5, 6: if let call { last(call, keeps: keeps) }
    case 7, 8: if let call { end(call, code: code, keeps: keeps) }
    default: giveCredit(0)
    }
  }

  private func reply(_ id: UInt32) {
    guard var call = calls[id], !call.isUnary || call.answers == 0 else { return }
    call.answers += 1
    if let cost = call.messages.popLast() { machine.owe(cost) }
    calls[id] = call
    send(Frame.reply, [0x61], call: id)
  }

  private func last(_ id: UInt32, keeps: Bool) {
    guard let call = calls[id] else { return }
    if call.isUnary, call.answers == 1 { return end(id, code: 0, keeps: keeps) }
    forget(id, keeps)
    codes[id] = 0
    send(
      Frame.reply, [0x62] + endRecord(), flags: keeps ? 3 : 1, code: 20, call: id)
  }

  func end(_ id: UInt32, code: UInt16, keeps: Bool) {
    forget(id, keeps)
    codes[id] = Int(code)
    send(Frame.end, endRecord(), flags: keeps ? SessionFlags.keep : 0, code: code, call: id)
  }

  private func forget(_ id: UInt32, _ keeps: Bool) {
    guard let call = calls.removeValue(forKey: id) else { return }
    ended += 1
    machine.calls.remove(id)
    machine.owe(call.messages.reduce(0, +))
    if keeps { kept += call.cost } else { machine.returned(call.cost) }
  }

  /// The turn's CREDIT, and more of what was kept.
  func giveCredit(_ more: UInt32) {
    let credit = machine.takeOwed() + more
    guard credit > 0, machine.isLive else { return }
    kept -= Int64(more)
    machine.returned(Int64(credit))
    send(Frame.credit, withUnsafeBytes(of: credit.littleEndian) { Array($0) })
  }

  func drain() {
    guard machine.drain() else { return }
    drainedAt = machine.lastAccepted
    send(Frame.drain, call: machine.lastAccepted)
  }

  /// Ends all that is open and gives all credit back.
  func finish() {
    for id in calls.keys.sorted() { last(id, keeps: false) }
    giveCredit(UInt32(clamping: kept))
  }
}
