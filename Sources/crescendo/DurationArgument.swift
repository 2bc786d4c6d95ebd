/// A length of time on the command line: `500us`, `20ms`, `1.5s`, `7d`.
struct DurationArgument: Equatable, CustomStringConvertible {
  var nanoseconds: UInt64

  init(nanoseconds: UInt64) {
    self.nanoseconds = nanoseconds
  }

  private static let units: [(name: String, nanoseconds: UInt64)] = [
    ("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
    ("h", 3_600_000_000_000), ("d", 86_400_000_000_000),
  ]

  /// Exact, in integers; what is finer than a nanosecond is refused, as is 0.
  init(parsing text: String) throws(UsageError) {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = DurationArgument.units.first { $0.name == text.dropFirst(digits.count) }
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard let unit, parts.count <= 2, !parts.contains(where: \.isEmpty) else {
      throw UsageError("a duration is a number with us, ms, s, m, h or d, for example 20ms")
    }
    guard let whole = UInt64(parts[0]),
      let total = DurationArgument.sum(whole, parts.count == 2 ? parts[1] : "", unit.nanoseconds)
    else {
      throw UsageError("that is longer than 584 years or finer than a nanosecond")
    }
    guard total > 0 else { throw UsageError("a duration is longer than 0") }
    self.nanoseconds = total
  }

  private static func sum(_ whole: UInt64, _ fraction: Substring, _ unit: UInt64) -> UInt64? {
    var (total, overflow) = whole.multipliedReportingOverflow(by: unit)
    if overflow { return nil }
    var place = unit
    for digit in fraction {
      guard let value = digit.wholeNumberValue else { return nil }
      if value == 0 {
        place /= 10
        continue
      }
      guard place % 10 == 0 else { return nil }
      place /= 10
      (total, overflow) = total.addingReportingOverflow(place * UInt64(value))
      if overflow { return nil }
    }
    return total
  }

  var description: String {
    let unit = DurationArgument.units.last { nanoseconds % $0.nanoseconds == 0 }
    return unit.map { "\(nanoseconds / $0.nanoseconds)\($0.name)" } ?? "\(nanoseconds)ns"
  }
}
