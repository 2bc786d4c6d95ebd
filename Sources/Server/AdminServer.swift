internal import Core
internal import FlyingFox
internal import FlyingSocks
internal import Foundation
internal import Synchronization
package import Syscalls

/// Why the admin port could not be served.
package struct AdminError: Error, Sendable, CustomStringConvertible {
  package var description: String
}

/// HTTP/1.1 for operators: `/metrics`, `/healthz`, `/readyz`.
///
/// FlyingFox serves it on Swift's own concurrency threads, away from the event loops. It writes
/// with write(2): whoever starts it has SIGPIPE ignored (`StopSignals.hold`).
package final class AdminServer: Sendable {
  /// What it answers with, asked for each request on any thread.
  package struct Answers: Sendable {
    /// Prometheus' text format.
    package var metrics: @Sendable () -> String
    /// Whether new calls are welcome.
    package var isReady: @Sendable () -> Bool
    /// What does not serve though calls are welcome; one line.
    package var notice: @Sendable () -> String?

    package init(
      metrics: @escaping @Sendable () -> String, isReady: @escaping @Sendable () -> Bool,
      notice: @escaping @Sendable () -> String? = { nil }
    ) {
      self.metrics = metrics
      self.isReady = isReady
      self.notice = notice
    }
  }

  /// Where it listens: with the port that was really taken.
  package let address: Syscalls.SocketAddress
  private let server: HTTPServer
  /// Ends when the port is closed.
  private let running: Task<Void, Never>

  /// Listens and answers from now on. The host is an IP address or `localhost`.
  package init(_ address: Syscalls.SocketAddress, _ answers: Answers) throws(AdminError) {
    server = HTTPServer(
      config: try AdminServer.configuration(address), handler: AdminHandler(answers: answers))
    let outcome = Outcome<Result<UInt16, AdminError>>()
    let listening = Task { [server] in
      do {
        try await server.waitUntilListening()
        outcome.set(.success(try await AdminServer.port(server)))
      } catch {
        if Task.isCancelled { return }
        outcome.set(.failure(AdminError(description: error.localizedDescription)))
      }
    }
    running = Task { [server] in
      let failure: AdminError
      do {
        try await server.run()
        failure = AdminError(description: "it stopped at once")
      } catch {
        failure = AdminServer.failure(error)
      }
      // Who still waits for a port that never opened holds the server, and all that it answers
      // with, for seconds. After `stop` there is nobody, and the outcome is known.
      listening.cancel()
      await listening.value
      outcome.set(.failure(failure))
    }
    self.address = Syscalls.SocketAddress(host: address.host, port: try outcome.wait().get())
  }

  private static func configuration(_ address: Syscalls.SocketAddress) throws(AdminError)
    -> HTTPServer.Configuration
  {
    let host = address.host == "localhost" ? "127.0.0.1" : address.host
    if let socket = try? sockaddr_in.inet(ip4: host, port: address.port) {
      return configuration(socket)
    }
    if let socket = try? sockaddr_in6.inet6(ip6: host, port: address.port) {
      return configuration(socket)
    }
    throw AdminError(description: "\(address.host) is neither an IP address nor localhost")
  }

  private static func configuration(_ socket: some FlyingSocks.SocketAddress)
    -> HTTPServer.Configuration
  {
    HTTPServer.Configuration(
      address: socket, timeout: 5, sharedRequestReplaySize: 0, pool: BoundedPool(),
      logger: .disabled)
  }

  /// In our words where it has words that help nobody.
  private static func failure(_ error: any Error) -> AdminError {
    if case .failed(_, let number, _)? = error as? SocketError, number == EADDRINUSE {
      return AdminError(description: "address already in use; is another server running there?")
    }
    return AdminError(description: error.localizedDescription)
  }

  private static func port(_ server: HTTPServer) async throws -> UInt16 {
    switch await server.listeningAddress {
    case .ip4(_, let port)?, .ip6(_, let port)?: return port
    default: throw AdminError(description: "it has no address")
    }
  }

  /// Closes the port and every connection to it; returns when that is done.
  package func stop() {
    let outcome = Outcome<Bool>()
    Task { [server, running] in
      await server.stop(timeout: 0)
      await running.value
      outcome.set(true)
    }
    _ = outcome.wait()
  }
}

/// A value that one thread waits for: the first that is set counts.
private final class Outcome<Value: Sendable>: Sendable {
  private let value = Guarded<Value?>(nil)
  /// 1 as soon as there is a value; what the waiting thread sleeps on.
  // Unsafe: the address never changes, and the word is only accessed as an atomic or by futex.
  private nonisolated(unsafe) let word: UnsafeMutablePointer<Atomic<UInt32>>

  init() {
    word = .allocate(capacity: 1)
    word.initialize(to: Atomic(0))
  }

  deinit {
    word.deinitialize(count: 1)
    word.deallocate()
  }

  func set(_ new: Value) {
    value.withLock { if $0 == nil { $0 = new } }
    word.pointee.store(1, ordering: .releasing)
    Futex.wake(UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self), waiters: .max)
  }

  func wait() -> Value {
    while true {
      if let value = value.withLock({ $0 }) { return value }
      Futex.wait(UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self), expected: 0)
    }
  }
}

/// The three pages.
private struct AdminHandler: HTTPHandler {
  let answers: AdminServer.Answers

  func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
    guard request.method == .GET else {
      return text(.methodNotAllowed, "GET only\n", [HTTPHeader("Allow"): "GET"])
    }
    return switch request.path {
    case "/metrics":
      text(.ok, answers.metrics(), [.contentType: ServerMetrics.contentType])
    case "/healthz": text(.ok, "alive\n")
    case "/readyz":
      answers.isReady()
        ? text(.ok, "SERVING\n" + (answers.notice().map { "\($0)\n" } ?? ""))
        : text(.serviceUnavailable, "NOT_SERVING\n")
    default: text(.notFound, "no such page: /metrics, /healthz, /readyz\n")
    }
  }

  private func text(
    _ status: HTTPStatusCode, _ body: String, _ headers: [HTTPHeader: String] = [:]
  ) -> HTTPResponse {
    // FlyingFox overwrites `close` where a client asks for keep-alive, and closes otherwise.
    var all = HTTPHeaders([.contentType: "text/plain; charset=utf-8", .connection: "close"])
    for (name, value) in headers { all[name] = value }
    return HTTPResponse(statusCode: status, headers: all, body: Data(body.utf8))
  }
}

/// FlyingFox's epoll with a bound on how many sockets wait in it: one more ends the one that has
/// waited longest, so that idle or stuck connections cannot use up the process's descriptors.
private final class BoundedPool: AsyncSocketPool {
  private struct State {
    /// The listening socket: the first that waits, long before there are others.
    var listener: Socket.FileDescriptor?
    var next: UInt64 = 0
    var waiting: [UInt64: Task<Void, any Error>] = [:]
  }

  private let pool = SocketPool.ePoll()
  private let state = Guarded(State())

  func prepare() async throws { try await pool.prepare() }

  func run() async throws { try await pool.run() }

  func suspendSocket(_ socket: Socket, untilReadyFor events: Socket.Events) async throws {
    let isListener = state.withLock { state in
      if state.listener == nil { state.listener = socket.file }
      return state.listener == socket.file
    }
    if isListener { return try await pool.suspendSocket(socket, untilReadyFor: events) }
    let task = Task { [pool] in
      try await pool.suspendSocket(socket, untilReadyFor: events)
    }
    let (number, oldest) = state.withLock { state in
      state.next += 1
      state.waiting[state.next] = task
      let oldest =
        state.waiting.count > Limits.serving.adminConnections
        ? state.waiting.keys.min().flatMap { state.waiting.removeValue(forKey: $0) } : nil
      return (state.next, oldest)
    }
    oldest?.cancel()
    defer { state.withLock { _ = $0.waiting.removeValue(forKey: number) } }
    try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }
}
