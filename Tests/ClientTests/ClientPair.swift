import Core

@testable import Client

let echoPath = "/test.Service/Echo"

func framed(_ message: [UInt8]) -> [UInt8] {
  let count = message.count
  return [0] + [24, 16, 8, 0].map { UInt8(count >> $0 & 255) } + message
}

/// A client and a scripted server, joined in memory.
final class ClientPair {
  let client: ClientConnection
  let server: ScriptedServer
  var now: UInt64 = 1_000

  init(
    _ options: ClientOptions = ClientOptions(),
    script: @escaping (ScriptedServer, ScriptedServer.Request) -> Void
  ) throws {
    client = try ClientConnection(authority: "test:1", options: options)
    server = try ScriptedServer(script: script)
  }

  init(_ client: ClientConnection, _ server: ScriptedServer) {
    self.client = client
    self.server = server
  }

  func start(_ message: [UInt8] = [1, 2, 3], timeout: UInt64? = nil) throws
    -> ClientConnection.CallID
  {
    try client.start(
      path: echoPath, message: message, timeoutNanoseconds: timeout, nowNanoseconds: now)
  }

  func clientOutput() -> [UInt8] {
    var bytes: [UInt8] = []
    while let slice = client.nextOutput() { bytes.append(contentsOf: slice.bytes) }
    return bytes
  }

  func deliver(_ bytes: [UInt8], cut: Int = Int.max) {
    for start in stride(from: 0, to: bytes.count, by: min(cut, max(bytes.count, 1))) {
      let end = min(bytes.count, start + min(cut, bytes.count))
      bytes[start..<end].withUnsafeBytes { client.receive($0, nowNanoseconds: now) }
    }
  }

  /// Moves bytes until both sides are quiet.
  func exchange(cut: Int = Int.max) throws {
    while true {
      let up = clientOutput()
      if !up.isEmpty { try server.receive(up) }
      let down = try server.output()
      deliver(down, cut: cut)
      if up.isEmpty && down.isEmpty { return }
    }
  }

  func outcome(_ id: ClientConnection.CallID, cut: Int = Int.max) throws -> UnaryOutcome? {
    try exchange(cut: cut)
    return client.takeOutcome(id)
  }

  func failure(_ id: ClientConnection.CallID) throws -> FailedCall? {
    guard case .failure(let failed) = try outcome(id) else { return nil }
    return failed
  }
}

func answering(
  _ message: [UInt8], trailers: [ScriptedServer.Header] = ScriptedServer.okTrailers
) -> (ScriptedServer, ScriptedServer.Request) -> Void {
  { server, request in
    server.respond(request, chunks: [framed(message)], trailers: trailers)
  }
}
