import Core
import Synchronization
import Wire

@testable import Client

/// What a scripted server says in sessions, on as many connections as come.
final class ScriptedSession: Sendable {
  enum Manner: Sendable {
    /// HELLO, and an answer to everything.
    case speaks
    /// No answer to the request that opens a session.
    case silent
    /// 200, and no HELLO.
    case noHello
    /// DRAIN behind HELLO.
    case drains
    /// One block, and the end of the stream.
    case refuses([ScriptedServer.Header])
  }

  struct Call: Sendable {
    var method: ClientMethod?
    var timeoutMicroseconds: UInt32
    var metadata: [UInt8]
  }

  private struct State {
    var calls: [Call] = []
    var opened = 0
    var messages = 0
  }

  /// A session has been asked for.
  let asked = Signal<Void>()
  private let manner: Manner
  private let credit: UInt32
  /// Bytes of an answer of many that nobody knows.
  private let padding: Int
  private let state = Mutex(State())

  init(_ manner: Manner = .speaks, credit: UInt32 = 1_000, padding: Int = 0) {
    self.manner = manner
    self.credit = credit
    self.padding = padding
  }

  var calls: [Call] { state.withLock { $0.calls } }
  var openedCount: Int { state.withLock { $0.opened } }
  /// Requests of `ScoreMany` that have come.
  var messageCount: Int { state.withLock { $0.messages } }

  /// A host of it. `grpc` answers what comes outside sessions.
  func host(
    closed: @escaping @Sendable (ScriptedServer.Request) -> Void = { _ in },
    grpc: @escaping ScriptedHost.Script = { answering(scoreMessage(1))($0, $1) }
  ) throws -> ScriptedHost {
    try ScriptedHost(
      closed: closed, opened: { self.open($0, $1) }, received: { self.receive($0, $1) },
      script: { server, request in
        if ScriptedSession.isOne(request) {
          server.finish(request)
        } else {
          grpc(server, request)
        }
      })
  }

  private static func isOne(_ request: ScriptedServer.Request) -> Bool {
    request.headers[":path"] == "\(WireNames.sessionPath)"
  }

  private func open(_ server: ScriptedServer, _ request: ScriptedServer.Request) {
    guard ScriptedSession.isOne(request), request.headers["te"] != nil else { return }
    state.withLock { $0.opened += 1 }
    switch manner {
    case .silent: break
    case .refuses(let headers): server.respond(request, only: headers)
    case .speaks, .noHello, .drains:
      server.begin(
        request,
        headers: [.init(":status", "200"), .init("content-type", SessionAnswer.contentType)])
    }
    asked.send(())
  }

  private func receive(_ server: ScriptedServer, _ request: ScriptedServer.Request) {
    guard ScriptedSession.isOne(request) else { return }
    let head = SessionFrameHeader.byteCount
    while request.body.count >= head {
      let header = request.body.withUnsafeBytes { SessionFrameHeader($0.baseAddress!) }
      let whole = head + Int(header.length)
      guard request.body.count >= whole else { return }
      let payload = Array(request.body[head..<whole])
      request.body.removeFirst(whole)
      let answer = take(header, payload)
      if !answer.isEmpty { server.say(request, answer) }
    }
  }

  private func take(_ header: SessionFrameHeader, _ payload: [UInt8]) -> [UInt8] {
    switch header.type {
    case SessionFrameType.hello: return hello()
    case SessionFrameType.call: return call(header, payload)
    case SessionFrameType.message:
      guard !payload.isEmpty else { return end(header.call) }
      let answer = many(header.call) + frame(SessionFrameType.credit, [payload[0], 0, 0, 0])
      return header.flags & SessionFlags.fin == 0 ? answer : answer + end(header.call)
    case SessionFrameType.cancel: return end(header.call, 1)
    default: return []
    }
  }

  private func hello() -> [UInt8] {
    if case .silent = manner { return [] }
    if case .noHello = manner { return [] }
    var hello = SessionHello()
    (hello.maxFrameBytes, hello.initialCredit, hello.maxCalls) = (1 << 20, credit, 100)
    hello.methods = ClientMethod.allCases.map { "\($0.path)" }
    let said = frame(SessionFrameType.hello, hello.encoded, code: SessionHello.version)
    if case .drains = manner { return said + frame(SessionFrameType.drain, []) }
    return said
  }

  private func call(_ header: SessionFrameHeader, _ payload: [UInt8]) -> [UInt8] {
    let method = ClientMethod(rawValue: Int(header.code) - 1)
    let prelude = payload.withUnsafeBytes { SessionPrelude($0.baseAddress!) }
    let start = SessionPrelude.byteCount
    let call = Call(
      method: method, timeoutMicroseconds: prelude.timeoutMicroseconds,
      metadata: Array(payload[start..<start + Int(prelude.metadataBytes)]))
    state.withLock { $0.calls.append(call) }
    if method == .scoreMany { return many(header.call) }
    let message = method == .checkHealth ? [8, 1] : scoreMessage(2)
    return frame(
      SessionFrameType.reply, message + ScriptedSession.record, flags: SessionFlags.last,
      code: UInt16(SessionEndRecord.byteCount), call: header.call)
  }

  /// The answer to the next request of many: they come in the order of their numbers.
  private func many(_ call: UInt32) -> [UInt8] {
    let sequence = state.withLock { state in
      state.messages += 1
      return UInt64(state.messages - 1)
    }
    var message: [UInt8] = [1 << 3 | 1] + withUnsafeBytes(of: sequence.littleEndian) { Array($0) }
    message += [4 << 3 | 2, 6] + scoreMessage(3)
    message += [15 << 3 | 2, UInt8(padding & 127 | 128), UInt8(padding >> 7)]
    message += Array(repeating: 0, count: padding)
    return frame(SessionFrameType.reply, message, call: call)
  }

  private func end(_ call: UInt32, _ code: UInt16 = 0) -> [UInt8] {
    frame(SessionFrameType.end, ScriptedSession.record, code: code, call: call)
  }

  private static let record: [UInt8] =
    Array(repeating: 0, count: 12) + [0, 0, 0, 128, 0, 0, 0, 0]

  private func frame(
    _ type: UInt8, _ payload: [UInt8], flags: UInt8 = 0, code: UInt16 = 0, call: UInt32 = 0
  ) -> [UInt8] {
    let head = SessionFrameHeader.byteCount
    var bytes = Array(repeating: UInt8(0), count: head) + payload
    bytes.withUnsafeMutableBytes { buffer in
      SessionFrameHeader(type: type, flags: flags, code: code, call: call, length: payload.count)
        .write(before: buffer.baseAddress! + head, withChecksum: true)
    }
    return bytes
  }
}
