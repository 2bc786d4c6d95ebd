internal import Core

extension SplitMix64 {
  /// Uniform in 0..<bound, and 0 for a bound of 0. One draw; what it prefers is below 2⁻⁶⁴ × bound.
  mutating func below(_ bound: UInt64) -> UInt64 {
    next().multipliedFullWidth(by: bound).high
  }

  /// Uniform in [0, 1), on a grid of 2⁻⁵³.
  mutating func unit() -> Double {
    Double(next() >> 11) * 0x1p-53
  }
}
