import Core
import Syscalls
import Testing
import Wire

@testable import Client

/// A scripted server behind a real socket, on a thread of its own, for one connection.
private struct SocketServer: ~Copyable {
  let address: SocketAddress
  private let thread: OwnedThread

  static func start(
    script: @escaping @Sendable (ScriptedServer, ScriptedServer.Request) -> Void
  ) throws -> SocketServer {
    let listener = try Sockets.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
    let address = try Sockets.localAddress(of: listener)
    let thread = try OwnedThread(name: "scripted") {
      defer { Sockets.close(listener) }
      do {
        try SocketServer.serve(listener, script)
      } catch {
        Issue.record("the scripted server failed: \(error)")
      }
    }
    return SocketServer(address: address, thread: thread)
  }

  private static func serve(
    _ listener: Int32, _ script: @escaping (ScriptedServer, ScriptedServer.Request) -> Void
  ) throws {
    guard try Sockets.waitUntilReady(listener, .reading, timeoutMilliseconds: 30_000),
      let connection = try Sockets.accept(listener)
    else { return }
    defer { Sockets.close(connection) }
    let server = try ScriptedServer(script: script)
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      var output = try server.output()[...]
      while !output.isEmpty {
        let result = try output.withUnsafeBytes {
          try Sockets.write(connection, from: $0.baseAddress!, count: $0.count)
        }
        guard case .bytes(let count) = result else {
          _ = try Sockets.waitUntilReady(connection, .writing, timeoutMilliseconds: 30_000)
          continue
        }
        output = output.dropFirst(count)
      }
      guard try Sockets.waitUntilReady(connection, .reading, timeoutMilliseconds: 30_000) else {
        return
      }
      let result = try buffer.withUnsafeMutableBytes {
        try Sockets.read(connection, into: $0.baseAddress!, capacity: $0.count)
      }
      switch result {
      case .bytes(let count): try server.receive(Array(buffer[..<count]))
      case .endOfStream: return
      case .notReady: continue
      }
    }
  }

  consuming func join() { thread.join() }
}

private let second: UInt64 = 1_000_000_000

@Suite struct ChannelTests {
  @Test func callsGoOverARealSocketOneAfterTheOther() throws {
    let server = try SocketServer.start { server, request in
      if request.headers[":path"] == "/grpc.health.v1.Health/Check" {
        answering([8, 1])(server, request)
      } else {
        server.respond(request, chunks: [request.body], trailers: ScriptedServer.okTrailers)
      }
    }
    do {
      let channel = try Channel.connect(to: server.address, timeoutNanoseconds: 30 * second)
      for size in [0, 1, 70_000, 3, 1_000_000] {
        let message = (0..<size).map { UInt8($0 % 253) }
        let answer = try channel.call(
          path: echoPath, message: message, timeoutNanoseconds: 30 * second)
        #expect(answer.message == message)
      }
      #expect(
        try channel.checkHealth(service: "", timeoutNanoseconds: 30 * second) == .serving)
    }
    server.join()
  }

  @Test func aServerThatSaysNothingMeetsTheDeadline() throws {
    let server = try SocketServer.start { server, request in
      if request.id > 1 { answering([1])(server, request) }
    }
    do {
      let channel = try Channel.connect(to: server.address, timeoutNanoseconds: 30 * second)
      let error = #expect(throws: ClientError.self) {
        try channel.call(path: echoPath, message: [1], timeoutNanoseconds: 5_000_000)
      }
      #expect(code(error) == .deadlineExceeded)
      let answer = try channel.call(
        path: echoPath, message: [1], timeoutNanoseconds: 30 * second)
      #expect(answer.message == [1])
    }
    server.join()
  }

  @Test func aClosedConnectionIsUnavailable() throws {
    let listener = try Sockets.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
    let channel = try Channel.connect(
      to: try Sockets.localAddress(of: listener), timeoutNanoseconds: 30 * second)
    #expect(try Sockets.waitUntilReady(listener, .reading, timeoutMilliseconds: 30_000))
    Sockets.close(try #require(try Sockets.accept(listener)))
    Sockets.close(listener)
    for _ in 0..<2 {
      let error = #expect(throws: ClientError.self) {
        try channel.call(path: echoPath, message: [1], timeoutNanoseconds: 30 * second)
      }
      #expect(code(error) == .unavailable)
    }
  }

  @Test func nobodyThereIsUnreachable() throws {
    let listener = try Sockets.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
    let address = try Sockets.localAddress(of: listener)
    Sockets.close(listener)
    let error = #expect(throws: ClientError.self) {
      try Channel.connect(to: address, timeoutNanoseconds: 30 * second)
    }
    guard case .unreachable(let cause) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(cause.isConnectionRefused)
  }

  @Test func anAnswerForOtherCandidatesIsInternal() throws {
    let server = try SocketServer.start { server, request in
      answering([3 << 3 | 2, 4, 0, 0, 0, 0])(server, request)
    }
    do {
      let channel = try Channel.connect(to: server.address, timeoutNanoseconds: 30 * second)
      var request = ScoreRequestMessage()
      request.itemIDs = [1]
      #expect(try channel.score(request, timeoutNanoseconds: 30 * second).scores == [0])
      request.itemIDs = [1, 2]
      let error = #expect(throws: ClientError.self) {
        try channel.score(request, timeoutNanoseconds: 30 * second)
      }
      #expect(code(error) == .internalError)
    }
    server.join()
  }

  private func code(_ error: ClientError?) -> StatusCode? {
    guard case .failed(let failed) = error else { return nil }
    return failed.failure.code
  }
}
