internal import Core

/// What is wrong with the text of a source, and at which byte of it (the first is 0).
package struct FeatureSourceError: Error, Sendable, Equatable {
  package var offset: Int
  package var reason: String
}

extension FeatureSource {
  /// Parses `item.COLUMN`, `user.COLUMN`, `request.COLUMN`, `context.FIELD`,
  /// `dot(user.NAME, item.NAME)`, `equal(SOURCE, SOURCE)` or `constant(NUMBER)`.
  ///
  /// A name ends at a comma, a parenthesis, a space or a control character: a column whose own
  /// name contains one of these cannot be bound. Spaces may stand around everything else.
  package init(parsing text: String) throws(FeatureSourceError) {
    var parser = FeatureSourceParser(text: Array(text.utf8))
    self = try parser.parseWhole()
  }
}

private struct FeatureSourceParser {
  let text: [UInt8]
  var offset = 0

  init(text: [UInt8]) {
    self.text = text
  }

  mutating func parseWhole() throws(FeatureSourceError) -> FeatureSource {
    let source = try parseSource(depth: 1)
    skipSpaces()
    guard offset == text.count else { throw fault("expected the end") }
    return source
  }

  private mutating func parseSource(depth: Int) throws(FeatureSourceError) -> FeatureSource {
    skipSpaces()
    let start = offset
    guard depth <= Limits.sourceDepth else {
      throw fault("is nested deeper than \(Limits.sourceDepth)")
    }
    switch takeWord() {
    case "item": return .item(try parseName())
    case "user": return .user(try parseName())
    case "request": return .request(try parseName())
    case "context": return .context(try parseContextField())
    case "dot":
      try expect("(")
      let user = try parseVector(of: "user")
      try expect(",")
      let item = try parseVector(of: "item")
      try expect(")")
      return .dot(user: user, item: item)
    case "equal":
      try expect("(")
      let first = try parseSource(depth: depth + 1)
      try expect(",")
      let second = try parseSource(depth: depth + 1)
      try expect(")")
      return .equal(first, second)
    case "constant":
      try expect("(")
      let value = try parseNumber()
      try expect(")")
      return .constant(value)
    default:
      offset = start
      throw fault("expected item., user., request., context., dot(, equal( or constant(")
    }
  }

  private mutating func parseVector(of table: String) throws(FeatureSourceError) -> String {
    skipSpaces()
    let start = offset
    guard takeWord() == table else {
      offset = start
      throw fault("expected \(table).")
    }
    return try parseName()
  }

  /// `.` and the name after it.
  private mutating func parseName() throws(FeatureSourceError) -> String {
    guard take(".") else { throw fault("expected '.'") }
    let start = offset
    while offset < text.count, !endsName(text[offset]) { offset += 1 }
    guard offset > start else { throw fault("expected a name") }
    return String(decoding: text[start..<offset], as: UTF8.self)
  }

  private mutating func parseContextField() throws(FeatureSourceError) -> ContextField {
    let start = offset + 1
    let name = try parseName()
    guard let field = ContextField(rawValue: name) else {
      offset = start
      throw fault("expected market, surface, tier, hour or weekday")
    }
    return field
  }

  private mutating func parseNumber() throws(FeatureSourceError) -> Double {
    skipSpaces()
    let start = offset
    while offset < text.count, !endsName(text[offset]) { offset += 1 }
    let digits = text[start..<offset]
    // Not what else Swift's parser takes: inf, nan, hexadecimal.
    let isDecimal = digits.allSatisfy { (48...57).contains($0) || "+-.eE".utf8.contains($0) }
    guard isDecimal, let value = Double(String(decoding: digits, as: UTF8.self)), value.isFinite
    else {
      offset = start
      throw fault("expected a finite decimal number")
    }
    return value
  }

  private mutating func takeWord() -> String {
    let start = offset
    while offset < text.count, (97...122).contains(text[offset]) { offset += 1 }
    return String(decoding: text[start..<offset], as: UTF8.self)
  }

  private mutating func take(_ character: Character) -> Bool {
    guard offset < text.count, text[offset] == character.asciiValue else { return false }
    offset += 1
    return true
  }

  private mutating func expect(_ character: Character) throws(FeatureSourceError) {
    skipSpaces()
    guard take(character) else { throw fault("expected '\(character)'") }
  }

  private mutating func skipSpaces() {
    while offset < text.count, text[offset] == 0x20 { offset += 1 }
  }

  private func endsName(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte == 0x7F || "(),".utf8.contains(byte)
  }

  private func fault(_ reason: String) -> FeatureSourceError {
    FeatureSourceError(offset: offset, reason: reason)
  }
}
