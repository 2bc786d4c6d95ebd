internal import Core

/// What LightGBM's `objective=` line means for the output.
struct LightGBMObjective {
  var name = ""
  var transform = OutputTransform.identity

  /// The objective of a file without the line: LightGBM leaves it out when the trainer brought
  /// its own, and then outputs the raw sum.
  init() {}

  init(_ text: ByteSlice) throws(ModelError) {
    guard text.count < 64 else { throw Self.unknown(text) }
    name = text.text
    var words = text.words
    guard let first = words.next() else { throw Self.refusal("objective is empty") }
    let option = words.next()
    guard words.next() == nil else {
      throw Self.refusal("objective \(text.quoted) has more options than are known")
    }
    switch first.text {
    case "regression", "regression_l1", "fair", "quantile", "mape":
      transform = .identity
      if let option {
        guard option.equals("sqrt") else { throw Self.unknown(text) }
        transform = .signedSquare
      }
      return
    case "binary":
      guard let option, option.hasPrefix("sigmoid:") else {
        throw Self.refusal("objective \(text.quoted) does not name its sigmoid")
      }
      let spelled = option[8..<option.count]
      guard let scale = Self.scale(spelled), scale > 0 else {
        throw Self.refusal("sigmoid \(spelled.quoted) is not a positive number of ≤ 15 digits")
      }
      transform = .sigmoid(scale: scale)
      return
    case "huber", "lambdarank", "rank_xendcg": transform = .identity
    case "cross_entropy": transform = .sigmoid(scale: 1)
    case "cross_entropy_lambda": transform = .log1pExp
    case "poisson", "gamma", "tweedie": transform = .exponential
    case "multiclass", "multiclassova":
      throw Self.refusal("objective \(text.quoted): models of several classes are not supported")
    default: throw Self.unknown(text)
    }
    if option != nil { throw Self.unknown(text) }
  }

  private static func unknown(_ text: ByteSlice) -> ModelError {
    refusal("objective \(text.quoted) is unknown")
  }

  private static func refusal(_ reason: String) -> ModelError {
    ModelError(location: "header", reason: reason)
  }

  /// LightGBM reads this one number with its quick `Atof`, which does not always round to the
  /// nearest double: integer and fraction are gathered apart, and divided and scaled afterwards.
  /// With at most fifteen digits in each and exponents up to 22 every step but these is exact,
  /// so the bits are its own. It writes six digits.
  static func scale(_ text: ByteSlice) -> Double? {
    guard text.isDecimal, text[0] != UInt8(ascii: "-") else { return nil }
    var position = 0
    func digits() -> (value: Double, count: Int)? {
      let start = position
      var value = 0.0
      while position < text.count, text[position] &- UInt8(ascii: "0") < 10 {
        value = value * 10 + Double(text[position] &- UInt8(ascii: "0"))
        position += 1
      }
      return position - start <= 15 ? (value, position - start) : nil
    }
    guard var (value, _) = digits() else { return nil }
    if position < text.count, text[position] == UInt8(ascii: ".") {
      position += 1
      guard let (right, places) = digits() else { return nil }
      value += right / powerOfTen(places)
    }
    guard position < text.count else { return value }
    position += 1
    let divides = text[position] == UInt8(ascii: "-")
    if divides || text[position] == UInt8(ascii: "+") { position += 1 }
    guard let (exponent, _) = digits(), exponent <= 22 else { return nil }
    let scale = powerOfTen(Int(exponent))
    return divides ? value / scale : value * scale
  }

  /// Exact up to 22.
  private static func powerOfTen(_ exponent: Int) -> Double {
    var power = 1.0
    for _ in 0..<exponent { power *= 10 }
    return power
  }
}
