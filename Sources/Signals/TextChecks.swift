internal import Core

func isASCIIAlphanumeric(_ byte: UInt8) -> Bool {
  isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
}

func isDigit(_ byte: UInt8) -> Bool {
  (0x30...0x39).contains(byte)
}

/// Lower case only.
func isHexadecimal(_ byte: UInt8) -> Bool {
  isDigit(byte) || (0x61...0x66).contains(byte)
}

/// Why `name` cannot be a name; nil when it can.
func nameFault(_ name: String) -> String? {
  if name.isEmpty { return "is empty" }
  guard name.utf8.count <= Limits.nameBytes else {
    return "\"\(clipped(name))\" is longer than \(Limits.nameBytes) bytes"
  }
  return nil
}

/// Why `path` cannot be the path of a file in the folder; nil when it can.
func pathFault(_ path: String) -> String? {
  if let reason = nameFault(path) { return reason }
  if path.utf8.contains(0) { return "contains a NUL" }
  if path.utf8.first == UInt8(ascii: "/") { return "is not relative" }
  for component in path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
    if component.isEmpty { return "has an empty component" }
    if component.elementsEqual(".".utf8) || component.elementsEqual("..".utf8) {
      return "has a component \"\(String(component) ?? "..")\""
    }
  }
  return nil
}

/// Whether `text` is a date and time of RFC 3339, §5.6: `2026-11-23T08:00:00Z`, with fractions of
/// a second and an offset instead of `Z` allowed.
func isRFC3339(_ text: String) -> Bool {
  var rest = Array(text.utf8)[...]
  func number(_ digits: Int, _ range: ClosedRange<Int>) -> Int? {
    guard rest.count >= digits, rest.prefix(digits).allSatisfy(isDigit) else { return nil }
    let value = rest.prefix(digits).reduce(0) { $0 * 10 + Int($1 - 0x30) }
    rest = rest.dropFirst(digits)
    return range.contains(value) ? value : nil
  }
  func take(_ allowed: String) -> Bool {
    guard let byte = rest.first, allowed.utf8.contains(byte) else { return false }
    rest = rest.dropFirst()
    return true
  }
  guard text.utf8.count <= 64, let year = number(4, 0...9_999), take("-"),
    let month = number(2, 1...12), take("-"), let day = number(2, 1...31),
    day <= daysOfMonth(month, year: year), take("Tt "),
    number(2, 0...23) != nil, take(":"), number(2, 0...59) != nil, take(":"),
    number(2, 0...60) != nil
  else { return false }
  if take(".") {
    guard number(1, 0...9) != nil else { return false }
    rest = rest.drop(while: isDigit)
  }
  if take("Zz") { return rest.isEmpty }
  return take("+-") && number(2, 0...23) != nil && take(":") && number(2, 0...59) != nil
    && rest.isEmpty
}

private func daysOfMonth(_ month: Int, year: Int) -> Int {
  switch month {
  case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
  case 4, 6, 9, 11: 30
  default: 31
  }
}
