internal import Core

extension BetaPosterior {
  /// A draw, in 0 ... 1: X ÷ (X + Y) of two gammas. The same on every machine: no libm.
  func draw(_ random: inout SplitMix64) -> Double {
    let x = BetaPosterior.gamma(alpha, &random)
    let y = BetaPosterior.gamma(beta, &random)
    // Both vanish where alpha and beta are tiny.
    return x + y > 0 ? x / (x + y) : mean
  }

  /// Gamma(shape, 1): Marsaglia and Tsang, ACM TOMS 26 (2000) 363; below 1 by their section 6.
  private static func gamma(_ shape: Double, _ random: inout SplitMix64) -> Double {
    guard shape >= 1 else {
      let larger = gamma(shape + 1, &random)
      return larger * Elementary.exp(Elementary.log(unit(&random)) / shape)
    }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal(&random)
      let root = 1 + c * x
      guard root > 0 else { continue }
      let v = root * root * root
      let u = unit(&random)
      let square = x * x
      if u < 1 - 0.0331 * square * square { return d * v }
      if Elementary.log(u) < 0.5 * square + d * (1 - v + Elementary.log(v)) { return d * v }
    }
  }

  /// A standard normal: Marsaglia's polar method, of which one half is thrown away.
  private static func normal(_ random: inout SplitMix64) -> Double {
    while true {
      let x = 2 * unit(&random) - 1
      let y = 2 * unit(&random) - 1
      let square = x * x + y * y
      guard square > 0, square < 1 else { continue }
      return x * (-2 * Elementary.log(square) / square).squareRoot()
    }
  }

  /// In the open interval 0 to 1: the middles of 2⁵² equal parts.
  private static func unit(_ random: inout SplitMix64) -> Double {
    (Double(random.next() >> 12) + 0.5) * 0x1p-52
  }
}

/// Functions that draws need, by arithmetic alone, so that a seed gives the same bits everywhere.
/// Right to about 2 units in the last place.
enum Elementary {
  private static let ln2High = 0x1.62e42fee00000p-1
  private static let ln2Low = 0x1.a39ef35793c76p-33

  /// Of a normal number above 0.
  static func log(_ x: Double) -> Double {
    var exponent = Double(x.exponent)
    var m = x.significand
    if m > 1.4142135623730951 {
      m /= 2
      exponent += 1
    }
    // log m = 2 artanh s, |s| ≤ 0.172: the term after the last is below 2⁻⁵⁶ of the sum.
    let s = (m - 1) / (m + 1)
    let z = s * s
    let high = (((1 / 21.0 * z + 1 / 19.0) * z + 1 / 17.0) * z + 1 / 15.0) * z + 1 / 13.0
    let low = (((high * z + 1 / 11.0) * z + 1 / 9.0) * z + 1 / 7.0) * z + 1 / 5.0
    let sum = (low * z + 1 / 3.0) * z + 1
    return exponent * ln2High + (exponent * ln2Low + 2 * s * sum)
  }

  /// Of a number of at most 700; 0 where the result is below the normal numbers.
  static func exp(_ x: Double) -> Double {
    guard x > -708 else { return 0 }
    let k = (x / 0.6931471805599453).rounded()
    let r = (x - k * ln2High) - k * ln2Low
    // |r| ≤ 0.347: r¹⁴ ÷ 14! is below 2⁻⁵⁷.
    var sum = 1.0
    for divisor in stride(from: 13.0, through: 1, by: -1) { sum = sum * r / divisor + 1 }
    return sum * Double(sign: .plus, exponent: Int(k), significand: 1)
  }
}
