internal import Core
internal import Glibc

/// When calls are meant to start, decided before anything is known of their answers: an open loop.
///
/// Pure: the same kind, rate and seed give the same instants.
package struct ArrivalSchedule: Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    /// Independent callers: gaps are exponential (a Poisson process).
    case poisson
    /// Equal gaps.
    case constant
  }

  private let kind: Kind
  private let gapNanoseconds: Double
  private var random: SplitMix64
  private var count: UInt64 = 0
  private var elapsedNanoseconds = 0.0

  /// `ratePerSecond` is above 0.
  package init(_ kind: Kind, ratePerSecond: Double, seed: UInt64) {
    precondition(ratePerSecond > 0)
    self.kind = kind
    gapNanoseconds = 1e9 / ratePerSecond
    random = SplitMix64(seed: seed)
  }

  /// The next start, nanoseconds from the first instant of the run; never falls.
  package mutating func next() -> UInt64 {
    switch kind {
    case .constant:
      // A product each time, so that no error adds up.
      elapsedNanoseconds = Double(count) * gapNanoseconds
    case .poisson:
      elapsedNanoseconds += -log(random.nextOpenUnit()) * gapNanoseconds
    }
    count += 1
    // From 2⁵³ ns, 104 days, instants are rounded to even ones.
    return elapsedNanoseconds < 9e18 ? UInt64(elapsedNanoseconds) : UInt64(Int64.max)
  }
}

extension SplitMix64 {
  /// Uniform in the open interval (0, 1), on a grid of 2⁻⁵³: its logarithm is finite.
  mutating func nextOpenUnit() -> Double {
    (Double(next() >> 12) + 0.5) * 0x1p-52
  }
}
