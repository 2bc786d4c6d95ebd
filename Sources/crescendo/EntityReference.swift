/// A user or an item as somebody writes it: decimal, `0x…`, or a URI.
enum EntityReference: Equatable {
  case id(UInt64)
  case uri(String)

  init(parsing text: String) throws(UsageError) {
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      let digits = text.dropFirst(2)
      guard digits.first?.isHexDigit == true, let id = UInt64(digits, radix: 16) else {
        throw UsageError("\"\(text)\" is not a hexadecimal id of at most 64 bits")
      }
      self = .id(id)
    } else if text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), !text.isEmpty {
      guard let id = UInt64(text) else {
        throw UsageError("\"\(text)\" is over the largest id, 18446744073709551615")
      }
      self = .id(id)
    } else if let colon = text.firstIndex(of: ":"), colon != text.startIndex {
      self = .uri(text)
    } else {
      throw UsageError("\"\(text)\" is neither a decimal id, nor 0x…, nor a URI")
    }
  }
}
