/// An amount of money in millionths of the server's one currency: exact, never a float.
package struct Micros: Hashable, Comparable, Sendable, BitwiseCopyable {
  package var value: Int64

  package init(_ value: Int64) {
    self.value = value
  }

  package static let zero = Micros(0)
  package static let perUnit: Int64 = 1_000_000

  package static func < (left: Micros, right: Micros) -> Bool { left.value < right.value }

  /// Traps on overflow: amounts are checked where they come in.
  package static func + (left: Micros, right: Micros) -> Micros {
    Micros(left.value + right.value)
  }

  package static func - (left: Micros, right: Micros) -> Micros {
    Micros(left.value - right.value)
  }

  package static func += (left: inout Micros, right: Micros) { left.value += right.value }
  package static func -= (left: inout Micros, right: Micros) { left.value -= right.value }

  package static prefix func - (amount: Micros) -> Micros { Micros(-amount.value) }

  /// A decimal number of units with at most six decimals, for example `2500.00`; nil for anything
  /// else: no sign but `-`, no exponent, no grouping, nothing that does not fit.
  package init?(parsing text: some StringProtocol) {
    var bytes = Substring(text).utf8
    let isNegative = bytes.first == UInt8(ascii: "-")
    if isNegative { bytes = bytes.dropFirst() }
    let parts = bytes.split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, !whole.isEmpty else { return nil }
    let decimals = parts.count == 2 ? Array(parts[1]) : []
    if parts.count == 2, decimals.isEmpty || decimals.count > 6 { return nil }
    var value: Int64 = 0
    let padding = [UInt8](repeating: UInt8(ascii: "0"), count: 6 - decimals.count)
    for digit in Array(whole) + decimals + padding {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      let (product, isOver) = value.multipliedReportingOverflow(by: 10)
      let (sum, isOverToo) = product.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
      if isOver || isOverToo { return nil }
      value = sum
    }
    self.value = isNegative ? -value : value
  }
}

extension Micros: CustomStringConvertible {
  /// Units with at least two decimals, and as many as it takes to be exact: `2500.00`, `0.0155`.
  package var description: String {
    let magnitude = value.magnitude
    var decimals = Array(String(magnitude % 1_000_000 + 1_000_000).dropFirst())
    while decimals.count > 2, decimals.last == "0" { decimals.removeLast() }
    return "\(value < 0 ? "-" : "")\(magnitude / 1_000_000).\(String(decimals))"
  }
}
