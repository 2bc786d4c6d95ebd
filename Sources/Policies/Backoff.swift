package import Core

/// How long to wait before the next try to connect: gRPC's connection-backoff.md. The wait grows by
/// a factor for each failure, up to a bound, and is spread by ±20 %, the first one too, so that
/// clients which lost a server together do not come back together.
package struct Backoff: Sendable {
  private let initialNanoseconds: Double
  private let multiplier: Double
  private let jitter: Double
  private let maxNanoseconds: Double
  private var currentNanoseconds: Double

  /// `jitter`: share of the wait that it varies by to either side, in 0...1. A wait is at most
  /// `maxNanoseconds` × (1 + `jitter`), and that at most 2⁶³.
  package init(
    initialNanoseconds: UInt64 = 1_000_000_000, multiplier: Double = 1.6, jitter: Double = 0.2,
    maxNanoseconds: UInt64 = 120_000_000_000
  ) {
    precondition(initialNanoseconds > 0 && initialNanoseconds <= maxNanoseconds)
    precondition(maxNanoseconds <= 1 << 62)
    precondition(multiplier >= 1 && multiplier.isFinite && (0...1).contains(jitter))
    self.initialNanoseconds = Double(initialNanoseconds)
    self.multiplier = multiplier
    self.jitter = jitter
    self.maxNanoseconds = Double(maxNanoseconds)
    currentNanoseconds = Double(initialNanoseconds)
  }

  /// A try has failed: nanoseconds from its start to that of the next.
  package mutating func next(_ random: inout SplitMix64) -> UInt64 {
    let wait = currentNanoseconds * (1 + jitter * (2 * random.unit() - 1))
    currentNanoseconds = min(currentNanoseconds * multiplier, maxNanoseconds)
    return UInt64(wait)
  }

  /// A connection was made, and was of use: the next failure is a first one again.
  package mutating func reset() {
    currentNanoseconds = initialNanoseconds
  }
}

/// How long to wait before the next attempt of a call: gRPC A6, "Exponential Backoff" and
/// "Pushback". Retry n waits random(0, min(initial × multiplierⁿ⁻¹, max)).
package struct RetryDelay: Sendable {
  private let initialNanoseconds: Double
  private let multiplier: Double
  private let maxNanoseconds: Double
  private var boundNanoseconds: Double

  /// The bounds are at most 2⁶². The defaults suit calls of some milliseconds: 10 ms, twice as much
  /// each time, 1 s at most.
  package init(
    initialNanoseconds: UInt64 = 10_000_000, multiplier: Double = 2,
    maxNanoseconds: UInt64 = 1_000_000_000
  ) {
    precondition(initialNanoseconds > 0 && initialNanoseconds <= 1 << 62)
    precondition(maxNanoseconds > 0 && maxNanoseconds <= 1 << 62)
    precondition(multiplier > 0 && multiplier.isFinite)
    self.initialNanoseconds = Double(initialNanoseconds)
    self.multiplier = multiplier
    self.maxNanoseconds = Double(maxNanoseconds)
    boundNanoseconds = Double(initialNanoseconds)
  }

  /// Nanoseconds to wait; nil: the server forbids a retry. What the server asks for is waited to
  /// the nanosecond (its jitter is the server's), and the retry behind it begins anew at initial.
  package mutating func next(
    pushbackMilliseconds: Int32?, _ random: inout SplitMix64
  ) -> UInt64? {
    if let pushbackMilliseconds {
      guard pushbackMilliseconds >= 0 else { return nil }
      boundNanoseconds = initialNanoseconds
      return UInt64(pushbackMilliseconds) * 1_000_000
    }
    let bound = UInt64(min(boundNanoseconds, maxNanoseconds))
    // Held at the bound, so that it stays finite.
    boundNanoseconds = min(boundNanoseconds * multiplier, maxNanoseconds)
    return random.below(bound)
  }
}
