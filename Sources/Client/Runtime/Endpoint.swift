internal import Core
internal import Syscalls

/// One address of a client: its connections, and when the next is tried. Loop-confined.
final class Endpoint {
  let index: Int
  let address: SocketAddress
  private let runtime: ClientRuntime
  weak var pool: Pool?
  private(set) var connections: [PooledConnection] = []
  /// Why it could not be reached last.
  private(set) var lastFailure: String?
  /// Until when gRPC is spoken here because sessions are not.
  var grpcUntilNanoseconds: UInt64 = 0

  private var numeric: [SocketAddress] = []
  private var nextNumeric = 0
  private var isResolving = false
  private var backoffTimer: LoopTimers.ID?
  private var failures = 0
  private var isClosed = false

  init(_ runtime: ClientRuntime, index: Int, address: SocketAddress) {
    self.runtime = runtime
    self.index = index
    self.address = address
  }

  var isConnecting: Bool { isResolving || connections.contains { $0.isConnecting } }
  var isConnected: Bool { connections.contains { $0.isReady } }
  /// Calls that are open here.
  var openCalls: Int { connections.reduce(0) { $0 + $1.openCalls } }

  var canGrow: Bool {
    !isClosed && !isConnecting && backoffTimer == nil
      && connections.count < runtime.configuration.connectionsMax
  }

  func hasRoom(for attempt: Attempt) -> Bool {
    connections.contains { $0.carrier(for: attempt) != nil }
  }

  /// Starts an attempt that there is room for: the fullest connection takes it.
  func start(_ attempt: Attempt) {
    let able = connections.filter { $0.carrier(for: attempt) != nil }
    guard let fullest = able.max(by: { $0.openCalls < $1.openCalls }) else { return }
    attempt.endpoint = index
    fullest.start(attempt)
  }

  // MARK: Connecting

  /// Has at least one connection, or tries to.
  func wake() {
    if connections.isEmpty, canGrow { connect() }
  }

  func connect() {
    guard canGrow else { return }
    if Sockets.isNumeric(address) {
      numeric = [address]
    } else if nextNumeric >= numeric.count {
      return resolve()
    }
    let target = numeric[nextNumeric % numeric.count]
    nextNumeric += 1
    do throws(SystemError) {
      let connection = try PooledConnection(self, to: target, runtime: runtime)
      connections.append(connection)
      pool?.connectionsHaveChanged(by: 1)
    } catch {
      failed("\(error)")
    }
  }

  /// Asks for the name's addresses on a thread of its own, one at a time.
  private func resolve() {
    isResolving = true
    let (runtime, address, index) = (runtime, address, index)
    do throws(SystemError) {
      let thread = try OwnedThread(name: "resolve") {
        let found = Result { () throws(SystemError) in try Sockets.resolve(address) }
        runtime.post { runtime.pool?.endpoints[index].resolved(found) }
      }
      thread.detach()
    } catch {
      isResolving = false
      failed("\(error)")
    }
  }

  private func resolved(_ found: Result<[SocketAddress], SystemError>) {
    isResolving = false
    switch found {
    case .success(let addresses):
      numeric = addresses
      nextNumeric = 0
      connect()
    case .failure(let error): failed("\(error)")
    }
  }

  private func failed(_ reason: String) {
    lastFailure = reason
    runtime.metrics.count(.connectionFailure)
    pool?.roomHasChanged()
    guard !isClosed, backoffTimer == nil else { return }
    // The next address of the same name is tried at once.
    if nextNumeric < numeric.count { return connect() }
    let backoff = runtime.configuration.backoff
    let bound = backoff.max.nanoseconds
    let grown = backoff.initial.nanoseconds.multipliedReportingOverflow(
      by: 1 << UInt64(min(failures, 30)))
    let wait = grown.overflow ? bound : min(grown.partialValue, bound)
    failures += 1
    backoffTimer = runtime.timers.after(wait / 2 + .random(in: 0...wait / 2, using: &runtime.random)) {
      [weak self] in
      self?.backoffTimer = nil
      self?.wake()
    }
  }

  // MARK: What connections tell

  func connectionIsReady() {
    lastFailure = nil
    pool?.roomHasChanged()
  }

  func connectionHasRoom() {
    pool?.roomHasChanged()
  }

  /// A connection has served for a while: the next failure is the first.
  func connectionHasProved() {
    failures = 0
  }

  func connectionIsOver(_ connection: PooledConnection, _ reason: String) {
    connections.removeAll { $0 === connection }
    pool?.connectionsHaveChanged(by: -1)
    if isClosed { return }
    if connection.hasServed {
      failures = 0
      wake()
    } else {
      failed(reason)
    }
  }

  func connectionIsDraining() {
    pool?.roomHasChanged()
    // Another one takes its place while its calls finish.
    if !connections.contains(where: { !$0.isDraining }), canGrow { connect() }
  }

  func close() {
    isClosed = true
    runtime.timers.cancel(backoffTimer)
    for connection in connections { connection.close() }
  }
}
