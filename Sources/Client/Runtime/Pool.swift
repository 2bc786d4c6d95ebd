internal import Core
internal import Policies
internal import Syscalls

/// All connections of a client, and the line of attempts that wait for room. Loop-confined.
///
/// Few, full connections: another one to an address is opened only when no connection to any
/// address has room. Attempts are served first come first served.
final class Pool {
  private unowned let runtime: ClientRuntime
  let endpoints: [Endpoint]
  private var balancer: Balancer
  private var line = WaitingLine()
  private(set) var needsPump = false
  private var connectionCount = 0

  init(_ runtime: ClientRuntime, _ addresses: [SocketAddress]) {
    self.runtime = runtime
    balancer = Balancer(
      runtime.configuration, addresses, start: Int(runtime.policies.random.next() >> 40))
    endpoints = addresses.enumerated().map { Endpoint(runtime, index: $0, address: $1) }
    for endpoint in endpoints { endpoint.pool = self }
  }

  var waitingAttempts: Int { line.count }

  // MARK: Attempts

  /// Starts an attempt, now or when there is room. Its owner hears what becomes of it.
  func place(_ attempt: Attempt, key: UInt64, avoiding: EndpointSet) {
    for endpoint in endpoints where endpoint.connections.isEmpty { endpoint.wake() }
    let waiting = WaitingAttempt(attempt: attempt, key: key, avoiding: avoiding)
    if line.isEmpty, let index = choose(waiting) { return start(waiting, index) }
    if line.count >= runtime.configuration.bounds.waitingCalls {
      let text = "\(line.count) calls wait for a connection already"
      attempt.owner?.attempt(
        attempt, ended: AttemptEnd(.resourceExhausted, text, origin: .client))
      return
    }
    line.append(waiting)
    runtime.metrics.setWaiting(line.count)
    needsPump = true
  }

  /// Its owner wants no more of it, wherever it is.
  func withdraw(_ attempt: Attempt) {
    if line.remove(attempt) {
      runtime.metrics.setWaiting(line.count)
    } else {
      attempt.carrier?.cancel(attempt)
    }
  }

  /// An attempt that was placed is over, by whatever: told once of each.
  func ended(_ attempt: Attempt, _ verdict: OutlierEjection.Outcome) {
    guard let index = attempt.endpoint else { return }
    let now = runtime.nowNanoseconds
    let until = balancer.ended(index, verdict, isProbe: attempt.isProbe, now: now)
    refresh(index)
    guard let until else { return }
    runtime.metrics.count(.ejection)
    // Kept by nobody: when it comes up too late it does nothing.
    _ = runtime.timers.at(until) { [weak self] in self?.refresh(index) }
  }

  private func start(_ waiting: WaitingAttempt, _ index: Int) {
    let attempt = waiting.attempt
    attempt.endpoint = index
    attempt.isProbe = balancer.started(index, now: runtime.nowNanoseconds)
    endpoints[index].start(attempt)
    refresh(index)
  }

  /// Nil when nobody has room.
  private func choose(_ waiting: WaitingAttempt) -> Int? {
    let head = waiting.attempt.head
    let hasRoom: (Endpoint) -> Bool = { $0.hasRoom(for: head.method, byGRPC: head.isGRPCOnly) }
    let chosen = balancer.pick(
      key: waiting.key, avoiding: waiting.avoiding, random: &runtime.policies.random)
    if let chosen, hasRoom(endpoints[chosen]) { return chosen }
    // Those that are ejected are better than none; and not every method goes over every framing.
    return endpoints.first(where: hasRoom)?.index
  }

  /// Something has changed at an endpoint: its room, its connections, its health.
  func refresh(_ index: Int) {
    let endpoint = endpoints[index]
    balancer.update(
      index, hasRoom: endpoint.hasRoom(for: .score), inFlight: endpoint.openCalls,
      now: runtime.nowNanoseconds)
    needsPump = true
  }

  /// Serves the line as far as there is room; opens more connections when there is none.
  func pump() {
    guard needsPump else { return }
    needsPump = false
    let before = line.count
    while let waiting = line.first, let index = choose(waiting) {
      line.removeFirst()
      start(waiting, index)
    }
    if !line.isEmpty { grow() }
    if line.count != before { runtime.metrics.setWaiting(line.count) }
  }

  /// No connection has room for the first in line.
  private func grow() {
    if endpoints.contains(where: \.isConnecting) { return }
    let candidates = endpoints.filter(\.canGrow)
    if let fewest = candidates.min(by: { $0.connections.count < $1.connections.count }) {
      return fewest.connect()
    }
    if endpoints.contains(where: \.isConnected) { return }
    // Nobody can be reached, and all are waiting to be tried again: calls do not wait for that.
    let reason = endpoints.lazy.compactMap(\.lastFailure).first ?? "no address can be reached"
    while let waiting = line.first {
      line.removeFirst()
      waiting.attempt.owner?.attempt(
        waiting.attempt,
        ended: AttemptEnd(.unavailable, "no connection: \(reason)", origin: .connection))
    }
  }

  // MARK: Connections

  func connectionsHaveChanged(_ index: Int, by difference: Int) {
    connectionCount += difference
    runtime.metrics.setConnections(connectionCount)
    refresh(index)
  }

  /// Nothing is open any more.
  func close() {
    for endpoint in endpoints { endpoint.close() }
  }
}
