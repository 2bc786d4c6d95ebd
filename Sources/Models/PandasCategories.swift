internal import Core

/// The JSON of a `pandas_categorical:` line: `null`, or a list of lists of strings, numbers and
/// booleans. Nothing nests deeper, so nothing recurses.
struct PandasCategories {
  struct Malformed: Error {
    var offset: Int
    var reason: String
  }

  /// No list for `null`.
  static func parse(_ text: ByteSlice) throws(Malformed) -> [[String]] {
    var parser = PandasCategories(text: text)
    parser.skipSpace()
    var lists: [[String]] = []
    if parser.take("n") {
      try parser.expect("ull")
    } else {
      try parser.list { (parser) throws(Malformed) in
        var levels: [String] = []
        try parser.list { (parser) throws(Malformed) in levels.append(try parser.level()) }
        lists.append(levels)
      }
    }
    parser.skipSpace()
    guard parser.position == text.count else { throw parser.malformed("text after the end") }
    return lists
  }

  private let text: ByteSlice
  private var position = 0

  private init(text: ByteSlice) { self.text = text }

  private func malformed(_ reason: String) -> Malformed {
    Malformed(offset: position, reason: reason)
  }

  private mutating func skipSpace() {
    while position < text.count, text[position] == UInt8(ascii: " ") { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ characters: String) throws(Malformed) {
    for character in characters.unicodeScalars {
      guard take(character) else { throw malformed("\"\(character)\" was expected") }
    }
  }

  private mutating func list(
    _ element: (inout PandasCategories) throws(Malformed) -> Void
  ) throws(Malformed) {
    try expect("[")
    skipSpace()
    if take("]") { return }
    while true {
      skipSpace()
      try element(&self)
      skipSpace()
      if take("]") { return }
      guard take(",") else { throw malformed("\",\" or \"]\" was expected") }
    }
  }

  private mutating func level() throws(Malformed) -> String {
    if take("\"") { return try string() }
    if take("t") {
      try expect("rue")
      return "true"
    }
    if take("f") {
      try expect("alse")
      return "false"
    }
    let start = position
    while position < text.count, !Self.ends(text[position]) { position += 1 }
    let number = text[start..<position]
    guard number.isDecimal else {
      position = start
      throw malformed("a string, number or boolean was expected")
    }
    return number.text
  }

  private static func ends(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: " ")
  }

  /// Behind its opening quote.
  private mutating func string() throws(Malformed) -> String {
    var bytes: [UInt8] = []
    while position < text.count {
      let byte = text[position]
      if byte == UInt8(ascii: "\"") {
        guard let string = String(validating: bytes, as: UTF8.self) else {
          throw malformed("a string is not UTF-8")
        }
        position += 1
        return string
      }
      guard byte >= 0x20 else { throw malformed("a control character in a string") }
      position += 1
      if byte == UInt8(ascii: "\\") {
        try bytes.append(contentsOf: escaped().utf8)
      } else {
        bytes.append(byte)
      }
    }
    throw malformed("a string without an end")
  }

  /// Behind its backslash.
  private mutating func escaped() throws(Malformed) -> String {
    guard position < text.count else { throw malformed("a string without an end") }
    let byte = text[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
      return String(UnicodeScalar(byte))
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return String(try scalar())
    default: throw malformed("an unknown escape")
    }
  }

  /// One code point of one `\u` escape, or of two that are a surrogate pair.
  private mutating func scalar() throws(Malformed) -> Unicode.Scalar {
    var value = try hexadecimal()
    if 0xD800..<0xDC00 ~= value {
      try expect("\\u")
      let low = try hexadecimal()
      guard 0xDC00..<0xE000 ~= low else { throw malformed("half of a surrogate pair") }
      value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(value) else {
      throw malformed("half of a surrogate pair")
    }
    return scalar
  }

  private mutating func hexadecimal() throws(Malformed) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard position < text.count,
        let digit = Character(UnicodeScalar(text[position])).hexDigitValue
      else { throw malformed("four hexadecimal digits were expected") }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}
