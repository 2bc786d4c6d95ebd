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
  text.utf8.count <= 64 && (try? RFC3339.unixMilliseconds(text, rounding: true)) != nil
}
