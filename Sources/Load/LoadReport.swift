package import Core

/// What one run came to.
package struct LoadReport: Sendable {
  package var plan: LoadPlan
  package var tally: LoadTally
  package var generator: GeneratorUsage
  /// Of the server's process, over the window; nil = not asked for.
  package var server: ServerShare?
  /// For each status that is not OK, the first words that came with it.
  package var texts: [StatusCode: String]

  package struct ServerShare: Sendable {
    package var cpuNanoseconds: UInt64
    /// At the end of the window.
    package var residentBytes: UInt64
  }

  /// How hard the generator worked, over the window.
  package struct GeneratorUsage: Sendable {
    package var cpuNanoseconds: UInt64 = 0
    /// Of the window's time, what was not spent waiting for sockets and due times (0 … 1).
    package var busyShare = 0.0
    package var inFlightHighest = 0
    /// Calls that were due and had to wait for room: every connection was at its bound.
    package var heldCalls = 0
    package var reconnects = 0
  }

  private var windowSeconds: Double {
    Double(tally.window.upperBound - tally.window.lowerBound) / 1e9
  }

  /// Calls a second that were meant to start in the window.
  package var offeredPerSecond: Double { Double(tally.intended) / windowSeconds }
  /// Calls of them, a second, that something came back for.
  package var achievedPerSecond: Double { Double(tally.answered) / windowSeconds }
  /// Calls of them, a second, that were answered OK by their deadline.
  package var inTimePerSecond: Double { Double(tally.inTime) / windowSeconds }

  /// The share of its time from which a generator is at its end: there is no time left to catch
  /// up in.
  private static let busyShareMax = 0.95

  /// Why the run says nothing of the server, or nil: the generator did not keep its schedule by
  /// its own fault.
  package var generatorFault: String? {
    if let lag = tally.ownLag.value(Quantile(millionths: 990_000)),
      lag > plan.ownLagMaxNanoseconds
    {
      return "1 % of calls were sent more than \(fixed(Double(lag) / 1e6, 3)) ms after they could "
        + "have been; at most \(fixed(Double(plan.ownLagMaxNanoseconds) / 1e6, 3)) ms are allowed"
    }
    // Calls that wait for room are the server's doing unless the generator had no time for answers.
    if generator.heldCalls > tally.intended / 100, generator.busyShare > Self.busyShareMax {
      return "calls waited for room while the generator was busy "
        + "\(fixed(100 * generator.busyShare, 1)) % of the time"
    }
    return nil
  }
}
