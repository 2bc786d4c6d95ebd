/// Takes endpoints that fail out of balancing for a while: passive health checking after gRPC A50
/// and Envoy's outlier detection. Pure; one for each list of endpoints.
///
/// An endpoint is ejected after `consecutiveFailures` in a row, or when its share of successes in
/// an interval is too low. Each further ejection is longer, and each interval of health takes one
/// back. When its time is over one call may probe it: a success returns it, a failure ejects it
/// again. What earlier calls say meanwhile is not heard.
package struct OutlierEjection: Sendable {
  package struct Configuration: Sendable {
    /// Failures in a row, at least 1.
    package var consecutiveFailures = 5
    /// The least share of successes in an interval (A50: 85 % failures are too many), of at least
    /// so many calls.
    package var successShareLeast = 0.15
    package var requestsLeast = 50
    package var intervalNanoseconds: UInt64 = 10_000_000_000
    /// Times the number of ejections, up to the maximum.
    package var ejectionNanoseconds: UInt64 = 30_000_000_000
    package var ejectionMaxNanoseconds: UInt64 = 300_000_000_000
    /// Of all endpoints; rounded down, and one endpoint stays always.
    package var ejectedShareMax = 0.5

    package init() {}
  }

  package enum Outcome: Sendable {
    case success
    /// The endpoint's fault: UNAVAILABLE, a lost connection, no answer in time.
    case failure
    /// Says nothing of the endpoint: cancelled by the caller, a loser of hedging.
    case unknown
  }

  private enum State {
    case healthy(since: UInt64)
    case ejected(until: UInt64)
    case probing
  }

  private struct Endpoint {
    var state = State.healthy(since: 0)
    /// Ejections that count towards the next one's length.
    var ejections: UInt64 = 0
    var failuresInARow = 0
    var intervalStart: UInt64 = 0
    var requests = 0
    var successes = 0

    var isHealthy: Bool {
      if case .healthy = state { true } else { false }
    }
  }

  private let configuration: Configuration
  private var endpoints: [Endpoint]
  package private(set) var ejectedCount = 0

  package init(endpointCount: Int, configuration: Configuration = Configuration()) {
    precondition(endpointCount >= 0 && configuration.consecutiveFailures >= 1)
    precondition(configuration.requestsLeast >= 1 && configuration.intervalNanoseconds > 0)
    precondition((0...1).contains(configuration.successShareLeast))
    precondition((0...1).contains(configuration.ejectedShareMax))
    self.configuration = configuration
    endpoints = Array(repeating: Endpoint(), count: endpointCount)
  }

  /// Whether a call may be sent there: it is healthy, or its time is over and nobody probes it yet.
  package func isUsable(_ index: Int, now: UInt64) -> Bool {
    switch endpoints[index].state {
    case .healthy: true
    case .ejected(let until): now >= until
    case .probing: false
    }
  }

  /// When an ejected endpoint may be probed; nil if it is healthy or being probed.
  package func ejectedUntil(_ index: Int) -> UInt64? {
    if case .ejected(let until) = endpoints[index].state { until } else { nil }
  }

  /// A call is sent there. True: it is the probe, and its end is to say so.
  package mutating func started(_ index: Int, now: UInt64) -> Bool {
    guard case .ejected(let until) = endpoints[index].state, now >= until else { return false }
    endpoints[index].state = .probing
    return true
  }

  /// A call that was sent there has ended. Each start has one end, or a probe holds its place for
  /// ever. True: whether it is usable has changed.
  @discardableResult
  package mutating func ended(
    _ index: Int, _ outcome: Outcome, isProbe: Bool, now: UInt64
  ) -> Bool {
    switch endpoints[index].state {
    case .healthy: return judge(index, outcome, now: now)
    case .ejected: return false
    case .probing: return isProbe && settle(index, outcome, now: now)
    }
  }

  /// The list has changed: for each new endpoint the index that it had, nil for one that was not
  /// there. Those that would be ejected beyond the share return, the first to be due first.
  package mutating func replaceEndpoints(_ previous: [Int?], now: UInt64) {
    endpoints = previous.map { index in index.map { endpoints[$0] } ?? Endpoint() }
    ejectedCount = endpoints.count { !$0.isHealthy }
    while ejectedCount > ejectedMax, let index = firstDue {
      endpoints[index].state = .healthy(since: now)
      ejectedCount -= 1
    }
  }

  private var ejectedMax: Int {
    let share = Int(Double(endpoints.count) * configuration.ejectedShareMax)
    return max(0, min(share, endpoints.count - 1))
  }

  /// Of those that are not healthy; one that is being probed was due before all others.
  private var firstDue: Int? {
    endpoints.indices.filter { !endpoints[$0].isHealthy }
      .min { (ejectedUntil($0) ?? 0) < (ejectedUntil($1) ?? 0) }
  }
}

extension OutlierEjection {
  private mutating func judge(_ index: Int, _ outcome: Outcome, now: UInt64) -> Bool {
    guard outcome != .unknown else { return false }
    // An interval begins with its first call.
    if endpoints[index].requests == 0
      || now.elapsed(since: endpoints[index].intervalStart) >= configuration.intervalNanoseconds
    {
      endpoints[index].intervalStart = now
      endpoints[index].requests = 0
      endpoints[index].successes = 0
    }
    endpoints[index].requests += 1
    if outcome == .success {
      endpoints[index].successes += 1
      endpoints[index].failuresInARow = 0
      return false
    }
    endpoints[index].failuresInARow += 1
    let endpoint = endpoints[index]
    let isLow =
      endpoint.requests >= configuration.requestsLeast
      && Double(endpoint.successes)
        < configuration.successShareLeast * Double(endpoint.requests)
    guard endpoint.failuresInARow >= configuration.consecutiveFailures || isLow,
      ejectedCount < ejectedMax
    else { return false }
    ejectedCount += 1
    eject(index, now: now)
    return true
  }

  /// A probe has ended. One that says nothing leaves its place to the next.
  private mutating func settle(_ index: Int, _ outcome: Outcome, now: UInt64) -> Bool {
    switch outcome {
    case .success:
      endpoints[index].state = .healthy(since: now)
      ejectedCount -= 1
      return true
    case .failure:
      eject(index, now: now)
      return false
    case .unknown:
      endpoints[index].state = .ejected(until: now)
      return true
    }
  }

  private mutating func eject(_ index: Int, now: UInt64) {
    var ejections = endpoints[index].ejections
    if case .healthy(let since) = endpoints[index].state {
      let intervals = now.elapsed(since: since) / configuration.intervalNanoseconds
      ejections -= min(ejections, intervals)
    }
    ejections += 1
    let (product, overflow) = configuration.ejectionNanoseconds
      .multipliedReportingOverflow(by: ejections)
    let longest = max(configuration.ejectionNanoseconds, configuration.ejectionMaxNanoseconds)
    endpoints[index].ejections = ejections
    endpoints[index].state = .ejected(
      until: now.adding(nanoseconds: min(overflow ? .max : product, longest)))
    forgetCalls(index)
  }

  private mutating func forgetCalls(_ index: Int) {
    endpoints[index].failuresInARow = 0
    endpoints[index].requests = 0
    endpoints[index].successes = 0
  }
}
