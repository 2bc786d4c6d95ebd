/// A length of time as people write it: `500us`, `20ms`, `1.5s`, `12h`, `7d`.
package enum DurationText {
  private static let units: [(name: String, nanoseconds: UInt64)] = [
    ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
    ("h", 3_600_000_000_000), ("d", 86_400_000_000_000),
  ]

  /// Exact, in integers; nil for what is not written so, is finer than a nanosecond, or longer
  /// than 584 years.
  package static func nanoseconds(_ text: String) -> UInt64? {
    let digits = text.prefix { ("0"..."9").contains($0) || $0 == "." }
    let unit = units.first { $0.name == text.dropFirst(digits.count) }
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard let unit, (1...2).contains(parts.count), !parts.contains(where: \.isEmpty),
      let whole = UInt64(parts[0])
    else { return nil }
    var (total, isOver) = whole.multipliedReportingOverflow(by: unit.nanoseconds)
    if isOver { return nil }
    var place = unit.nanoseconds
    for digit in (parts.count == 2 ? parts[1] : "").utf8 {
      let value = UInt64(digit - UInt8(ascii: "0"))
      guard value == 0 || place % 10 == 0 else { return nil }
      place /= 10
      (total, isOver) = total.addingReportingOverflow(place * value)
      if isOver { return nil }
    }
    return total
  }

  /// In the largest unit that leaves a whole number: `90s` are `90s`, `120s` are `2m`.
  package static func text(seconds: UInt64) -> String {
    let unit = units.last { seconds > 0 && seconds * 1_000_000_000 % $0.nanoseconds == 0 }
    return unit.map { "\(seconds * 1_000_000_000 / $0.nanoseconds)\($0.name)" } ?? "0s"
  }
}
