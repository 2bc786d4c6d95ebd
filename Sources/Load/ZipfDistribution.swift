package import Core
internal import Glibc

/// Ranks 1 … `count` with weight rank^−exponent, by rejection-inversion (W. Hörmann,
/// G. Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions",
/// ACM TOMACS 6(3), 1996): constant memory and few tries, whatever the count.
package struct ZipfDistribution: Sendable {
  private let count: Int
  private let exponent: Double
  /// Of the integral of the density at the ends of the range.
  private let integralLow: Double
  private let integralHigh: Double
  /// How far below the drawn point a rank is taken without looking.
  private let shortcut: Double

  /// `count` is at least 1, `exponent` at least 0; 0 = uniform.
  package init(count: Int, exponent: Double) {
    precondition(count >= 1 && exponent >= 0 && exponent.isFinite)
    self.count = count
    self.exponent = exponent
    integralLow = ZipfDistribution.integral(1.5, exponent) - 1
    integralHigh = ZipfDistribution.integral(Double(count) + 0.5, exponent)
    shortcut =
      2
      - ZipfDistribution.inverse(
        ZipfDistribution.integral(2.5, exponent) - pow(2, -exponent), exponent)
  }

  /// A rank, from 1.
  package func rank(_ random: inout SplitMix64) -> Int {
    if count == 1 { return 1 }
    while true {
      let point = integralHigh + random.nextOpenUnit() * (integralLow - integralHigh)
      let x = ZipfDistribution.inverse(point, exponent)
      let rank = min(max(x.rounded(), 1), Double(count))
      if rank - x <= shortcut
        || point >= ZipfDistribution.integral(rank + 0.5, exponent) - pow(rank, -exponent)
      {
        return Int(rank)
      }
    }
  }

  /// ∫ t^−s dt from 1 to x, also where s is near 1.
  private static func integral(_ x: Double, _ exponent: Double) -> Double {
    let logarithm = log(x)
    return expm1Ratio((1 - exponent) * logarithm) * logarithm
  }

  private static func inverse(_ value: Double, _ exponent: Double) -> Double {
    // Rounding may leave −1 by an ulp.
    let t = max(value * (1 - exponent), -1)
    return exp(log1pRatio(t) * value)
  }

  /// (eˣ − 1) ÷ x.
  private static func expm1Ratio(_ x: Double) -> Double {
    abs(x) > 1e-8 ? expm1(x) / x : 1 + x * 0.5
  }

  /// ln(1 + x) ÷ x.
  private static func log1pRatio(_ x: Double) -> Double {
    abs(x) > 1e-8 ? log1p(x) / x : 1 - x * 0.5
  }
}
