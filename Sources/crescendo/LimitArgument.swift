import Core

/// A limit as it is written: a whole number in the unit of its name, or with a unit of its own:
/// `stallNanoseconds=5m`, `messageBytes=8MiB`, `candidates=2000`.
enum LimitArgument {
  private static let byteUnits: [(name: String, bytes: UInt64)] = [
    ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
  ]

  /// The name and the value's text.
  static func split(_ text: String) throws(UsageError) -> (name: String, value: String) {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw UsageError("NAME=VALUE is expected, for example stallNanoseconds=5m")
    }
    return (String(text[..<equals]), String(text[text.index(after: equals)...]))
  }

  static func value(_ text: String, of name: String) throws(UsageError) -> UInt64 {
    if let number = UInt64(text) { return number }
    if name.hasSuffix("Nanoseconds") { return try DurationArgument(parsing: text).nanoseconds }
    guard name.hasSuffix("Bytes") else {
      throw UsageError("a whole number is expected, not \"\(text)\"")
    }
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = UInt64(digits),
      let unit = byteUnits.first(where: { $0.name == text.dropFirst(digits.count) }),
      case let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes), !overflow
    else {
      throw UsageError("bytes are a whole number, or one with KiB, MiB or GiB, not \"\(text)\"")
    }
    return bytes
  }

  /// With the largest unit that is exact, as `value` reads it.
  static func text(_ value: UInt64, of name: String) -> String {
    if name.hasSuffix("Nanoseconds") {
      return DurationArgument(nanoseconds: value).description
    }
    guard name.hasSuffix("Bytes"), value > 0,
      let unit = byteUnits.last(where: { value % $0.bytes == 0 })
    else { return String(value) }
    return "\(value / unit.bytes)\(unit.name)"
  }
}
