/// What is known of a rate after successes and failures: a Beta distribution.
///
/// Of a campaign that explores: its prior says what the model expects of what it places, and counts
/// as much as one goal, so that the first goals, or their absence over as many exposures as should
/// have brought some, outweigh it.
package struct BetaPosterior: Sendable, Equatable, BitwiseCopyable {
  /// Successes and what the prior adds; more than 0.
  package private(set) var alpha: Double
  /// Failures and what the prior adds; more than 0.
  package private(set) var beta: Double
  /// The mean of the prior, in 0 ..< 1 and more than 0.
  package let expected: Double
  /// What is expected at least, and at most below 1.
  private static let expectedLeast = 1e-6

  /// With a prior of `priorSuccesses` and `priorFailures`, both more than 0 and finite; 1 and 1:
  /// every rate is as likely.
  package init(
    successes: Double = 0, failures: Double = 0, priorSuccesses: Double = 1,
    priorFailures: Double = 1
  ) {
    precondition(priorSuccesses > 0 && priorFailures > 0 && successes >= 0 && failures >= 0)
    alpha = successes + priorSuccesses
    beta = failures + priorFailures
    expected = priorSuccesses / (priorSuccesses + priorFailures)
  }

  /// With a prior of the rate `expected`, as strong as one success, or one failure where these are
  /// the rarer.
  package init(expected: Double, successes: Double, failures: Double) {
    let rate = min(max(expected, Self.expectedLeast), 1 - Self.expectedLeast)
    self.init(
      successes: successes, failures: failures, priorSuccesses: max(rate / (1 - rate), 1),
      priorFailures: max((1 - rate) / rate, 1))
  }

  /// Nothing seen yet: every rate is as likely.
  package static var uniform: BetaPosterior { BetaPosterior() }

  package var mean: Double { alpha / (alpha + beta) }

  package var variance: Double {
    let sum = alpha + beta
    return alpha * beta / (sum * sum * (sum + 1))
  }

  package mutating func record(successes: Double, failures: Double) {
    precondition(successes >= 0 && failures >= 0)
    alpha += successes
    beta += failures
  }

  /// A draw, 0 to 1: X ÷ (X + Y) of Gamma variates. The same numbers give the same draw on every
  /// machine: nothing here is libm's.
  package func sample(using random: inout some RandomNumberGenerator) -> Double {
    let x = GammaVariate.draw(shape: alpha, using: &random)
    let y = GammaVariate.draw(shape: beta, using: &random)
    // Both underflow only for shapes far below 1.
    return x + y > 0 ? x / (x + y) : mean
  }
}

/// Gamma variates of scale 1: Marsaglia and Tsang, *A Simple Method for Generating Gamma
/// Variables*, ACM TOMS 26 (2000).
enum GammaVariate {
  /// `shape` > 0.
  static func draw(shape: Double, using random: inout some RandomNumberGenerator) -> Double {
    if shape < 1 {
      // Their §6: Γ(a) = Γ(a + 1) · U^(1/a).
      let larger = draw(shape: shape + 1, using: &random)
      return larger * Logarithm.exp(Logarithm.natural(unit(&random)) / shape)
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
      if Logarithm.natural(u) < 0.5 * square + d * (1 - v + Logarithm.natural(v)) { return d * v }
    }
  }

  /// Marsaglia's polar method.
  private static func normal(_ random: inout some RandomNumberGenerator) -> Double {
    while true {
      let x = 2 * unit(&random) - 1
      let y = 2 * unit(&random) - 1
      let square = x * x + y * y
      if square > 0, square < 1 {
        return x * (-2 * Logarithm.natural(square) / square).squareRoot()
      }
    }
  }

  /// In (0, 1), the middle of one of 2⁵² equal parts.
  private static func unit(_ random: inout some RandomNumberGenerator) -> Double {
    (Double(random.next() >> 12) + 0.5) * 0x1p-52
  }
}

/// Logarithm and exponential by series in plain arithmetic, to a few units in the last place.
enum Logarithm {
  private static let ln2 = 0.693_147_180_559_945_3
  /// ln 2 in two parts, of which the first times any exponent is exact.
  private static let ln2High = 0x1.62e42fee00000p-1
  private static let ln2Low = 0x1.a39ef35793c76p-33

  /// `x` > 0 and finite.
  static func natural(_ x: Double) -> Double {
    var significand = x.significand
    var exponent = Double(x.exponent)
    if significand > 1.414_213_562_373_095 {
      significand /= 2
      exponent += 1
    }
    // ln m = 2 artanh((m − 1) / (m + 1)); |t| < 0.1716, so that t²⁵ is below 2⁻⁶³.
    let t = (significand - 1) / (significand + 1)
    let square = t * t
    var sum = 0.0
    for odd in stride(from: 23.0, through: 1, by: -2) { sum = sum * square + 1 / odd }
    return exponent * ln2 + 2 * t * sum
  }

  /// `x` ≤ 0.
  static func exp(_ x: Double) -> Double {
    guard x > -745 else { return 0 }
    let halvings = (x / ln2).rounded()
    let rest = (x - halvings * ln2High) - halvings * ln2Low
    var sum = 1.0
    for term in stride(from: 18.0, through: 1, by: -1) { sum = 1 + sum * rest / term }
    return Double(sign: .plus, exponent: Int(halvings), significand: sum)
  }
}
