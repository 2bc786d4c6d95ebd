internal import Core
internal import Syscalls

extension ClientConfiguration {
  /// The addresses, after everything has been checked.
  func validated() throws(ClientConfigurationError) -> [SocketAddress] {
    try range("connectionsMax", connectionsMax, 1...64)
    try range("bounds.waitingCalls", bounds.waitingCalls, 0...1_000_000)
    try range("bounds.callsPerConnection", bounds.callsPerConnection, 1...10_000)
    try range("bounds.responseBytes", bounds.responseBytes, 1 << 10...1 << 30)
    try range("bounds.unreadBytes", bounds.unreadBytes, 1 << 10...1 << 30)
    try range("bounds.unsentBytes", bounds.unsentBytes, 1 << 10...1 << 30)
    try atLeast("timeout", timeout, .milliseconds(1))
    try atLeast("connectTimeout", connectTimeout, .milliseconds(1))
    try atLeast("closeTimeout", closeTimeout, .zero)
    try atLeast("keepalive.interval", keepalive.interval, .seconds(1))
    try atLeast("keepalive.timeout", keepalive.timeout, .milliseconds(1))
    let longest = Duration.seconds(3_600)
    try range("backoff.initial", backoff.initial, .milliseconds(1)...longest)
    try range("backoff.max", backoff.max, backoff.initial...longest)
    if let retries {
      try range("retries.attemptsMax", retries.attemptsMax, 1...Limits.callAttempts)
      try range("retries.budgetTokens", retries.budgetTokens, 1...1_000)
      try range("retries.budgetRatio", retries.budgetRatio, 0.001...1)
      try range("retries.delayInitial", retries.delayInitial, .milliseconds(1)...longest)
      try range("retries.delayMax", retries.delayMax, retries.delayInitial...longest)
    }
    if let hedging {
      try range("hedging.attemptsMax", hedging.attemptsMax, 2...Limits.callAttempts)
      try range("hedging.percentile", hedging.percentile, 0.5...0.999)
      try range("hedging.delayMin", hedging.delayMin, .zero ... .seconds(60))
    }
    if let throttling { try range("throttling.k", throttling.k, 1.1...100) }
    for (name, value) in metadata {
      if let problem = RequestHeaders.problem(MetadataEntry(name, value)) {
        throw ClientConfigurationError("metadata", "cannot be sent: \(problem)")
      }
    }
    return try parsedAddresses()
  }

  private func parsedAddresses() throws(ClientConfigurationError) -> [SocketAddress] {
    try range("addresses.count", addresses.count, 1...Limits.endpoints)
    var parsed: [SocketAddress] = []
    for text in addresses {
      guard let address = SocketAddress(text), address.port != 0 else {
        throw ClientConfigurationError("addresses", "has \"\(text)\", which is not HOST:PORT")
      }
      if parsed.contains(address) {
        throw ClientConfigurationError("addresses", "has \"\(text)\" twice")
      }
      parsed.append(address)
    }
    return parsed
  }

  private func range<Value: Comparable>(
    _ setting: String, _ value: Value, _ range: ClosedRange<Value>
  ) throws(ClientConfigurationError) {
    guard range.contains(value) else {
      throw ClientConfigurationError(
        setting, "is \(value): \(range.lowerBound) to \(range.upperBound) are possible")
    }
  }

  private func atLeast(_ setting: String, _ value: Duration, _ least: Duration)
    throws(ClientConfigurationError)
  {
    guard value >= least else {
      throw ClientConfigurationError(setting, "is \(value): \(least) is the least")
    }
  }
}
