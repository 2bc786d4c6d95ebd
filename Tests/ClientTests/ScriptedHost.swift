import Core
import HTTP2
import Synchronization
import Syscalls
import Testing

@testable import Client

/// Scripted servers behind a real socket: one for each connection, on a thread of its own.
final class ScriptedHost: Sendable {
  typealias Script = @Sendable (ScriptedServer, ScriptedServer.Request) -> Void

  let address: SocketAddress
  private let listener: Int32
  private let script: Script
  private let closed: @Sendable (ScriptedServer.Request) -> Void
  private let opened: Script
  private let received: Script
  private let threads = Mutex<[ThreadBox]>([])
  private let isStopping = Atomic<Bool>(false)
  let connectionCount = Atomic<Int>(0)

  private final class ThreadBox: @unchecked Sendable {
    // Unchecked: made by one thread, joined by one.
    private var thread: OwnedThread?
    init(_ thread: consuming OwnedThread) { self.thread = consume thread }
    func join() { if let thread = thread.take() { thread.join() } }
  }

  init(
    closed: @escaping @Sendable (ScriptedServer.Request) -> Void = { _ in },
    opened: @escaping Script = { _, _ in }, received: @escaping Script = { _, _ in },
    script: @escaping Script
  ) throws {
    listener = try Sockets.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
    address = try Sockets.localAddress(of: listener)
    self.script = script
    self.closed = closed
    (self.opened, self.received) = (opened, received)
    try start { host in try host.acceptAll() }
  }

  private func start(_ body: @escaping @Sendable (ScriptedHost) throws -> Void) throws {
    let thread = ThreadBox(
      try OwnedThread(name: "scripted") { [self] in
        do {
          try body(self)
        } catch {
          // A client that goes resets its connection.
          let hasGone = ["reset", "broken pipe"].contains { "\(error)".contains($0) }
          if !hasGone, !isStopping.load(ordering: .sequentiallyConsistent) {
            Issue.record("the scripted host failed: \(error)")
          }
        }
      })
    threads.withLock { $0.append(thread) }
  }

  private func acceptAll() throws {
    while true {
      guard try Sockets.waitUntilReady(listener, .reading, timeoutMilliseconds: hostPatience) else {
        Issue.record("nobody stopped the scripted host")
        return
      }
      guard let connection = try Sockets.accept(listener) else { continue }
      if isStopping.load(ordering: .sequentiallyConsistent) { return Sockets.close(connection) }
      connectionCount.add(1, ordering: .sequentiallyConsistent)
      try start { host in
        defer { Sockets.close(connection) }
        try host.serve(connection)
      }
    }
  }

  private func serve(_ connection: Int32) throws {
    let server = try ScriptedServer(script: script)
    server.closed = closed
    (server.opened, server.received) = (opened, received)
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      var output = try server.output()[...]
      while !output.isEmpty {
        let result = try output.withUnsafeBytes {
          try Sockets.write(connection, from: $0.baseAddress!, count: $0.count)
        }
        guard case .bytes(let count) = result else {
          _ = try Sockets.waitUntilReady(
            connection, .writing, timeoutMilliseconds: hostPatience)
          continue
        }
        output = output.dropFirst(count)
      }
      guard try Sockets.waitUntilReady(connection, .reading, timeoutMilliseconds: hostPatience)
      else {
        Issue.record("a scripted server's client neither spoke nor went")
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

  /// After its clients have closed: joins all threads.
  func stop() throws {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    Sockets.close(try Sockets.connect(to: address, timeoutMilliseconds: hostPatience))
    // The first is the one that starts others.
    while let thread = threads.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { thread.join() }
    Sockets.close(listener)
  }
}

/// Something that tests wait for: as many times as it was told.
final class Signal<Value: Sendable>: Sendable {
  private let stream: AsyncStream<Value>
  private let continuation: AsyncStream<Value>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream(of: Value.self)
  }

  func send(_ value: Value) { continuation.yield(value) }

  func next() async throws -> Value {
    var iterator = stream.makeAsyncIterator()
    return try #require(await iterator.next())
  }
}

/// How long anything may take before a test is called stuck: a machine that builds beside the tests
/// can be very slow.
let patience = Duration.seconds(600)
private let hostPatience: Int32 = 600_000

extension ClientConfiguration {
  /// A client for which the machine is never too slow.
  mutating func bePatient() {
    timeout = patience
    connectTimeout = patience
    keepalive.interval = patience
    keepalive.timeout = patience
    framing = .grpc
  }
}

/// A client of these hosts, closed afterwards; then the hosts are stopped.
func withClient<Value>(
  _ hosts: ScriptedHost..., change: (inout ClientConfiguration) -> Void = { _ in },
  _ body: (PromotionScoreClient) async throws -> Value
) async throws -> Value {
  var configuration = ClientConfiguration(addresses: hosts.map { "\($0.address)" })
  configuration.bePatient()
  change(&configuration)
  let client = try PromotionScoreClient(configuration)
  let result: Result<Value, any Error>
  do {
    result = .success(try await body(client))
  } catch {
    result = .failure(error)
  }
  await client.close()
  for host in hosts { try host.stop() }
  return try result.get()
}

/// A `ScoreResponse` with this one score.
func scoreMessage(_ score: Float) -> [UInt8] {
  [3 << 3 | 2, 4] + withUnsafeBytes(of: score.bitPattern.littleEndian) { Array($0) }
}

/// Headers of a failure without an answer.
func failure(_ code: Int, pushback: String? = nil) -> [ScriptedServer.Header] {
  ScriptedServer.gRPCHeaders
    + [.init("grpc-status", "\(code)"), .init("grpc-message", "scripted")]
    + (pushback.map { [.init("grpc-retry-pushback-ms", $0)] } ?? [])
}

extension PromotionScoreClient {
  func scores(_ request: ScoreRequest) async throws -> [Float] {
    try await score(request).scores
  }
}
