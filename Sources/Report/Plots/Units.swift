internal import Core
internal import Glibc

/// Numbers as people read them.
enum Units {
  /// `value` rounded to so many significant digits, without zeros at the end; thousands apart.
  static func number(_ value: Double, digits: Int = 3) -> String {
    guard value.isFinite else { return "infinite" }
    let rounded = rounded(value, digits: digits)
    guard rounded != 0 else { return "0" }
    let places = max(0, digits - 1 - Int(floor(log10(abs(rounded)) + 1e-12)))
    var text = fixed(rounded, min(places, 12))
    if text.contains(".") {
      while text.hasSuffix("0") { text.removeLast() }
      if text.hasSuffix(".") { text.removeLast() }
    }
    return grouped(text)
  }

  /// Milliseconds in the unit that keeps the number short.
  static func time(_ milliseconds: Double) -> String {
    let rounded = rounded(milliseconds, digits: 3)
    switch abs(rounded) {
    case 0: return "0"
    case 1_000...: return number(rounded / 1e3) + " s"
    case 1...: return number(rounded) + " ms"
    case 0.001...: return number(rounded * 1e3) + " µs"
    default: return number(rounded * 1e6) + " ns"
    }
  }

  static func time(_ milliseconds: Double?) -> String {
    milliseconds.map(time) ?? "infinite"
  }

  /// A count, whole.
  static func count(_ value: Int) -> String { grouped("\(value)") }

  /// Calls a second.
  static func rate(_ value: Double) -> String {
    value >= 100 ? grouped(fixed(value, 0)) : number(value)
  }

  /// A share (0 … 1) with as many digits as keep it from looking like all or nothing.
  static func percent(_ share: Double) -> String {
    guard share.isFinite else { return "-" }
    let distance = min(abs(share), abs(1 - share)) * 100
    guard distance > 0, share > 0 else { return number(share * 100) + " %" }
    var places = max(0, 1 - Int(floor(log10(distance))))
    places = min(places, 6)
    // The two digits may be more than there are: 12.50 is 12.5.
    var text = fixed(share * 100, places)
    if text.contains(".") {
      while text.hasSuffix("0") { text.removeLast() }
      if text.hasSuffix(".") { text.removeLast() }
    }
    return text + " %"
  }

  /// Seconds of a run's clock.
  static func seconds(_ value: Double) -> String {
    number(value, digits: 6) + " s"
  }

  private static func rounded(_ value: Double, digits: Int) -> Double {
    guard value != 0, value.isFinite else { return value }
    let exponent = Double(digits - 1) - floor(log10(abs(value)))
    let scale = pow(10, abs(exponent))
    return exponent >= 0 ? (value * scale).rounded() / scale : (value / scale).rounded() * scale
  }

  /// A comma between thousands.
  static func grouped(_ text: String) -> String {
    let point = text.firstIndex(of: ".") ?? text.endIndex
    var whole = text[..<point]
    let sign = whole.hasPrefix("-") ? "-" : ""
    whole = whole.drop { $0 == "-" }
    guard whole.count > 3, whole.allSatisfy(\.isNumber) else { return text }
    var result = ""
    for (index, digit) in whole.enumerated() {
      if index > 0, (whole.count - index) % 3 == 0 { result += "," }
      result.append(digit)
    }
    return sign + result + text[point...]
  }
}

extension Units {
  /// A share as a percentile's number, with the nines that it has.
  static func nines(_ share: Double) -> String {
    share < 1 ? String(percent(share).dropLast(2)) : "100"
  }
}
