internal import Core
internal import Policies
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
  private var backoff: Backoff
  private var isClosed = false

  init(_ runtime: ClientRuntime, index: Int, address: SocketAddress) {
    self.runtime = runtime
    self.index = index
    self.address = address
    let backoff = runtime.configuration.backoff
    self.backoff = Backoff(
      initialNanoseconds: backoff.initial.nanoseconds, multiplier: 2,
      maxNanoseconds: backoff.max.nanoseconds)
  }

  var isConnecting: Bool { isResolving || connections.contains { $0.isConnecting } }
  var isConnected: Bool { connections.contains { $0.isReady } }
  /// Calls that are open here.
  var openCalls: Int { connections.reduce(0) { $0 + $1.openCalls } }

  var canGrow: Bool {
    !isClosed && !isConnecting && backoffTimer == nil
      && connections.count < runtime.configuration.connectionsMax
  }

  func hasRoom(for method: ClientMethod, byGRPC: Bool = false) -> Bool {
    connections.contains { $0.carrier(for: method, byGRPC: byGRPC) != nil }
  }

  /// Starts an attempt that there is room for: the fullest connection takes it.
  func start(_ attempt: Attempt) {
    let head = attempt.head
    let able = connections.filter {
      $0.carrier(for: head.method, byGRPC: head.isGRPCOnly) != nil
    }
    able.max { $0.openCalls < $1.openCalls }?.start(attempt)
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
      pool?.connectionsHaveChanged(index, by: 1)
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
    pool?.refresh(index)
    guard !isClosed, backoffTimer == nil else { return }
    // The next address of the same name is tried at once.
    if nextNumeric < numeric.count { return connect() }
    let wait = backoff.next(&runtime.policies.random)
    backoffTimer = runtime.timers.after(wait) { [weak self] in
      self?.backoffTimer = nil
      self?.wake()
    }
  }

  /// A session to be opened on a new link; nil = gRPC is spoken here.
  func makeSession(on link: Link, owner: any CarrierOwner) -> (any Carrier)? {
    guard runtime.configuration.framing != .grpc, grpcUntilNanoseconds <= runtime.nowNanoseconds
    else { return nil }
    return runtime.makeSession(link, owner)
  }

  // MARK: What connections tell

  func connectionIsReady() {
    lastFailure = nil
    pool?.refresh(index)
  }

  func connectionHasRoom() {
    pool?.refresh(index)
  }

  func connectionIsDraining() {
    pool?.refresh(index)
    // Another one takes its place while its calls finish.
    if !connections.contains(where: { !$0.isDraining }) { connect() }
  }

  func connectionIsOver(_ connection: PooledConnection, _ reason: String) {
    connections.removeAll { $0 === connection }
    pool?.connectionsHaveChanged(index, by: -1)
    if isClosed { return }
    // One that has answered calls is renewed at once; one that never did waits its turn.
    if connection.hasServed {
      backoff.reset()
      wake()
    } else {
      failed(reason)
    }
  }

  func close() {
    isClosed = true
    runtime.timers.cancel(backoffTimer)
    for connection in connections { connection.close() }
  }
}
