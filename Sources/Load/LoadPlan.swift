package import Syscalls

/// What a run of the generator is to do.
package struct LoadPlan: Sendable {
  package var target: SocketAddress
  package var ratePerSecond: Double
  package var schedule = ArrivalSchedule.Kind.poisson
  package var seed: UInt64 = 1
  /// Before the window: calls are made, and not counted.
  package var warmUpNanoseconds: UInt64
  package var durationNanoseconds: UInt64
  package var timeoutNanoseconds: UInt64
  package var connectionCount = 8
  package var framing = LoadFraming.grpc
  /// Calls under way at one time, over all connections; a server's own limit of streams holds too.
  package var inFlightMax = 800
  /// The generator's own lag, 99th percentile, above which the run says nothing of the server.
  package var ownLagMaxNanoseconds: UInt64 = 5_000_000

  package init(
    target: SocketAddress, ratePerSecond: Double, warmUpNanoseconds: UInt64,
    durationNanoseconds: UInt64, timeoutNanoseconds: UInt64
  ) {
    self.target = target
    self.ratePerSecond = ratePerSecond
    self.warmUpNanoseconds = warmUpNanoseconds
    self.durationNanoseconds = durationNanoseconds
    self.timeoutNanoseconds = timeoutNanoseconds
  }

  /// How long a call is waited for: half as long again as its timeout and at least 10 ms more, so
  /// that answers that come late are seen and counted.
  package var patienceNanoseconds: UInt64 {
    timeoutNanoseconds.addingReportingOverflow(max(timeoutNanoseconds / 2, 10_000_000))
      .partialValue
  }

  /// Of a timeout, and of a run: a week. Sums of three of them stay far from the end of 64 bits.
  package static let longestNanoseconds: UInt64 = 7 * 86_400_000_000_000
}
