import Core

/// `1000,2000,4000`: rates, calls a second; or `0.1..1.2`: parts of the capacity, from one to the
/// other in 12 equal steps.
enum SweepArgument: Equatable {
  case rates([Double])
  case shares(low: Double, high: Double)

  /// Of a range: `0.1..1.2` goes by tenths.
  static let stepCount = 12
  /// Of the capacity: further above, a server does nothing but refuse.
  private static let shareMax = 10.0

  init(parsing text: String) throws(UsageError) {
    if let dots = text.firstRange(of: "..") {
      guard let low = Double(text[..<dots.lowerBound]), let high = Double(text[dots.upperBound...]),
        low >= 0.01, high > low, high <= SweepArgument.shareMax
      else {
        throw UsageError(
          "LOW..HIGH are parts of the capacity, for example 0.1..1.2, at most 10; rates are "
            + "listed: 1000,2000,4000")
      }
      self = .shares(low: low, high: high)
      return
    }
    var rates: [Double] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      rates.append(try LoadNumber.rate(String(part)))
    }
    rates.sort()
    guard zip(rates, rates.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw UsageError("a rate of a sweep is given twice")
    }
    guard rates.count <= Limits.sweepRates else {
      throw UsageError("at most \(Limits.sweepRates) rates")
    }
    self = .rates(rates)
  }

  /// Rising; `capacity` in calls a second.
  static func rates(low: Double, high: Double, of capacity: Double) -> [Double] {
    (0..<stepCount).map { step in
      capacity * (low + (high - low) * Double(step) / Double(stepCount - 1))
    }
  }
}
