internal import Glibc

/// Where an axis has its marks: at 1, 2 and 5 times powers of ten.
enum Ticks {
  /// The smallest step of the series that cuts `span` into at most `count` pieces.
  static func step(span: Double, count: Int) -> Double {
    guard span > 0, span.isFinite else { return 1 }
    let raw = span / Double(max(count, 1))
    let power = power10(Int(floor(log10(raw))))
    // A step may miss by rounding alone.
    for factor in [1.0, 2, 5, 10] where factor * power >= raw * (1 - 1e-9) {
      return factor * power
    }
    return 10 * power
  }

  /// Of a linear axis, within `low … high`.
  static func linear(_ low: Double, _ high: Double, count: Int) -> [Double] {
    let step = step(span: high - low, count: count)
    // Products, so that no error adds up.
    let first = ceil(low / step - 1e-9)
    let last = floor(high / step + 1e-9)
    guard last >= first, last - first < 1_000 else { return [] }
    return (0...Int(last - first)).map { (first + Double($0)) * step }
  }

  /// Of a logarithmic axis, within `low … high`, at most `count`, thinned from 1-2-5 to powers of
  /// ten, and to some of them.
  static func logarithmic(_ low: Double, _ high: Double, count: Int) -> [Double] {
    guard low > 0, high >= low, high.isFinite else { return [] }
    let decades = Int(floor(log10(low) - 1e-9))...Int(ceil(log10(high) + 1e-9))
    let isWithin: (Double) -> Bool = { $0 >= low * (1 - 1e-9) && $0 <= high * (1 + 1e-9) }
    for factors in [[1.0, 2, 5], [1]] {
      var ticks: [Double] = []
      for decade in decades {
        let power = power10(decade)
        for factor in factors { ticks.append(factor * power) }
      }
      ticks = ticks.filter(isWithin)
      if ticks.count <= count { return ticks }
    }
    let every = (decades.count + count - 1) / count
    return decades.filter { $0 % every == 0 }.map(power10).filter(isWithin)
  }

  /// The next of 1, 2, 5 times a power of ten, at or below and at or above.
  static func floor125(_ value: Double) -> Double {
    let power = power10(Int(floor(log10(value) + 1e-9)))
    return [5.0, 2, 1].map { $0 * power }.first { $0 <= value * (1 + 1e-9) } ?? power
  }

  static func ceiling125(_ value: Double) -> Double {
    let power = power10(Int(floor(log10(value) + 1e-9)))
    return [1.0, 2, 5].map { $0 * power }.first { $0 >= value * (1 - 1e-9) } ?? 10 * power
  }

  /// Powers of ten as they are written: 0.1 and not a product that misses it.
  static func power10(_ exponent: Int) -> Double {
    exponent >= 0 ? pow(10, Double(exponent)) : 1 / pow(10, Double(-exponent))
  }
}
