internal import CKernels

/// How a raw sum becomes the output of a model, by its objective. Each is the formula of
/// LightGBM's own `ConvertOutput` on the same libm, so that outputs agree to the last bit.
package enum OutputTransform: Sendable, Equatable {
  case identity
  /// 1 / (1 + exp(−scale · raw)): the binary objective's `sigmoid` is the scale.
  case sigmoid(scale: Double)
  /// log(1 + exp(raw)), of `cross_entropy_lambda`.
  case log1pExp
  /// exp(raw), of the objectives with a log link.
  case exponential
  /// sign(raw) · raw², of the regressions trained on square roots (`reg_sqrt`).
  case signedSquare

  package func callAsFunction(_ raw: Double) -> Double {
    switch self {
    case .identity: return raw
    case .sigmoid(let scale): return 1 / (1 + crescendo_exp(-scale * raw))
    case .log1pExp: return crescendo_log1p(crescendo_exp(raw))
    case .exponential: return crescendo_exp(raw)
    case .signedSquare:
      let sign: Double = raw > 0 ? 1 : (raw < 0 ? -1 : 0)
      return sign * raw * raw
    }
  }
}
