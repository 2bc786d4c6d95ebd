internal import Core
internal import Syscalls

/// All connections of a client, and the line of attempts that wait for room. Loop-confined.
///
/// Few, full connections: another one to an address is opened only when no connection to any
/// address has room. Attempts are served first come first served.
final class Pool {
  private unowned let runtime: ClientRuntime
  let endpoints: [Endpoint]
  private var line = WaitingLine()
  private(set) var needsPump = false
  private var isClosed = false
  private var cursor = 0
  private var connectionCount = 0

  init(_ runtime: ClientRuntime, _ addresses: [SocketAddress]) {
    self.runtime = runtime
    endpoints = addresses.enumerated().map { Endpoint(runtime, index: $0, address: $1) }
    for endpoint in endpoints { endpoint.pool = self }
  }

  // MARK: Attempts

  /// Starts an attempt, now or when there is room. Its owner hears what becomes of it.
  func place(_ attempt: Attempt, key: UInt64) {
    for endpoint in endpoints { endpoint.wake() }
    if line.isEmpty, let endpoint = choose(attempt, key) {
      return endpoint.start(attempt)
    }
    if line.count >= runtime.configuration.bounds.waitingCalls {
      let text = "\(line.count) calls wait for a connection already"
      attempt.owner?.attempt(
        attempt, ended: AttemptEnd(.resourceExhausted, text, origin: .client))
      return
    }
    line.append(attempt, key: key)
    runtime.metrics.setWaiting(line.count)
    needsPump = true
  }

  /// Its owner wants no more of it, wherever it is.
  func withdraw(_ attempt: Attempt) {
    if line.remove(attempt) {
      runtime.metrics.setWaiting(line.count)
      return
    }
    attempt.carrier?.cancel(attempt)
  }

  /// Something has changed: an attempt that waits may start, or nobody can take it any more.
  func roomHasChanged() {
    needsPump = true
  }

  /// Serves the line as far as there is room; opens more connections when there is none.
  func pump() {
    guard needsPump else { return }
    needsPump = false
    let before = line.count
    while let (attempt, key) = line.first {
      guard let endpoint = choose(attempt, key) else { break }
      line.removeFirst()
      endpoint.start(attempt)
    }
    if !line.isEmpty { grow() }
    if line.count != before { runtime.metrics.setWaiting(line.count) }
  }

  private func choose(_ attempt: Attempt, _ key: UInt64) -> Endpoint? {
    for step in 0..<endpoints.count {
      let endpoint = endpoints[(cursor + step) % endpoints.count]
      if endpoint.hasRoom(for: attempt) {
        cursor = (cursor + step + 1) % endpoints.count
        return endpoint
      }
    }
    return nil
  }

  /// No connection has room for the first in line.
  private func grow() {
    if endpoints.contains(where: \.isConnecting) { return }
    let candidates = endpoints.filter(\.canGrow)
    if let fewest = candidates.min(by: { $0.connections.count < $1.connections.count }) {
      fewest.connect()
      return
    }
    if endpoints.contains(where: \.isConnected) { return }
    // Nobody can be reached, and all are waiting to be tried again: calls do not wait for that.
    let reason = endpoints.lazy.compactMap(\.lastFailure).first ?? "no address can be reached"
    while let (attempt, _) = line.first {
      line.removeFirst()
      attempt.owner?.attempt(
        attempt, ended: AttemptEnd(.unavailable, "no connection: \(reason)", origin: .connection))
    }
  }

  // MARK: Connections

  func connectionsHaveChanged(by difference: Int) {
    connectionCount += difference
    runtime.metrics.setConnections(connectionCount)
    needsPump = true
  }

  /// Nothing is open any more.
  func close() {
    isClosed = true
    for endpoint in endpoints { endpoint.close() }
  }
}

/// Attempts in the order in which they came. Taking one out of the middle is O(1): its place stays
/// empty until the line has moved on, or until most places are empty.
struct WaitingLine {
  private var places: [(attempt: Attempt, key: UInt64)?] = []
  private var start = 0
  private(set) var count = 0
  private var positions: [ObjectIdentifier: Int] = [:]

  var isEmpty: Bool { count == 0 }

  var first: (attempt: Attempt, key: UInt64)? {
    mutating get {
      while start < places.count {
        if let place = places[start] { return place }
        start += 1
      }
      return nil
    }
  }

  mutating func append(_ attempt: Attempt, key: UInt64) {
    positions[ObjectIdentifier(attempt)] = places.count
    places.append((attempt, key))
    count += 1
  }

  mutating func removeFirst() {
    guard let first else { return }
    _ = remove(first.attempt)
  }

  /// False when it is not in the line.
  mutating func remove(_ attempt: Attempt) -> Bool {
    guard let position = positions.removeValue(forKey: ObjectIdentifier(attempt)) else {
      return false
    }
    places[position] = nil
    count -= 1
    compactIfSparse()
    return true
  }

  private mutating func compactIfSparse() {
    if count == 0 {
      places.removeAll(keepingCapacity: true)
      start = 0
    } else if places.count > 64, places.count > 2 * count {
      places = places.filter { $0 != nil }
      start = 0
      for (position, place) in places.enumerated() {
        if let place { positions[ObjectIdentifier(place.attempt)] = position }
      }
    }
  }
}
