internal import Core

/// What a campaign file takes of YAML, looked at before Yams composes a text: Yams recurses without
/// a bound, hashes what aliases repeat, and keeps 250 bytes of each value.
///
/// Anchors, aliases, tags, directives, block scalars, complex keys and texts over several lines
/// are refused. What is left is read as libyaml's scanner does: where it differs from this, it is
/// already an error for libyaml.
struct YAMLSubset {
  /// Lines are of the text, from 1.
  struct Refusal: Error, Equatable {
    var line: Int
    var reason: String
    /// Another line, which the reason ends with.
    var other: Int?
  }

  /// A plain text that ended with its line goes on with a later token that stands beyond `column`.
  private struct OpenText {
    var line: Int
    /// nil in `[` or `{`, where every token is beyond.
    var column: Int?
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private var at = 0
  private var lineStart = 0
  private var line = 1
  private var depth = 0
  /// Where the outermost `[` or `{` stands that is open.
  private var openLine = 1
  private var values = 1
  private var isStart = true
  /// On this line: the first token that is no dash, and the last dash before it.
  private var firstColumn: Int?
  private var dashColumn: Int?
  private var dashes = 0
  private var openText: OpenText?

  /// What separates values, counted: Yams makes at most four nodes for each.
  static func values(_ bytes: UnsafeBufferPointer<UInt8>) throws(Refusal) -> Int {
    var subset = YAMLSubset(bytes: bytes)
    while subset.skipToToken() { try subset.token() }
    guard subset.depth == 0 else {
      throw Refusal(line: subset.openLine, reason: "a [ or { is not closed")
    }
    return subset.values
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
  }

  private func refusal(_ reason: String) -> Refusal { Refusal(line: line, reason: reason) }

  private func byte(_ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

  private func isBlankOrEnd(_ index: Int) -> Bool {
    switch byte(index) {
    case nil, UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): true
    default: false
    }
  }

  private mutating func skipToToken() -> Bool {
    while let byte = byte(at) {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): at += 1
      case UInt8(ascii: "\n"):
        at += 1
        lineStart = at
        line += 1
        (firstColumn, dashColumn, dashes) = (nil, nil, 0)
      case UInt8(ascii: "#"):
        while let byte = self.byte(at), byte != UInt8(ascii: "\n") { at += 1 }
        openText = nil
      default: return true
      }
    }
    return false
  }

  private mutating func token() throws(Refusal) {
    defer { isStart = false }
    let letter = bytes[at]
    try checkOpenText(letter)
    if try marker(letter) { return }
    if letter == UInt8(ascii: "-"), isBlankOrEnd(at + 1) { return try dash() }
    try place()
    switch letter {
    case UInt8(ascii: "["), UInt8(ascii: "{"):
      if depth == 0 { openLine = line }
      depth += 1
      guard depth <= Limits.campaignNesting else {
        throw refusal("[ and { are nested more than \(Limits.campaignNesting) deep")
      }
      one()
    case UInt8(ascii: "]"), UInt8(ascii: "}"):
      guard depth > 0 else { throw refusal("no [ or { is open here") }
      depth -= 1
      at += 1
    case UInt8(ascii: ","): one()
    case UInt8(ascii: ":") where depth > 0 || isBlankOrEnd(at + 1): one()
    case UInt8(ascii: "?") where depth > 0 || isBlankOrEnd(at + 1):
      throw refusal("a key is a single word: ? is not taken")
    case UInt8(ascii: "&"), UInt8(ascii: "*"):
      throw refusal("anchors and aliases (& and *) are not taken: write the value out, or quote it")
    case UInt8(ascii: "!"): throw refusal("tags (!) are not taken: quote the text")
    case UInt8(ascii: "|"), UInt8(ascii: ">"):
      throw refusal("texts over several lines (| and >) are not taken")
    case UInt8(ascii: "%"), UInt8(ascii: "@"), UInt8(ascii: "`"):
      throw refusal("a text that starts with % @ or ` has to be quoted")
    case UInt8(ascii: "'"), UInt8(ascii: "\""): try quotedText(letter)
    default: plainText()
    }
  }

  /// A token that is one value more.
  private mutating func one() {
    values += 1
    at += 1
  }

  private mutating func checkOpenText(_ letter: UInt8) throws(Refusal) {
    guard let open = openText else { return }
    openText = nil
    if let column = open.column {
      guard at - lineStart > column else { return }
    } else {
      let ends = letter == UInt8(ascii: ":") && isBlankOrEnd(at + 1)
      guard !ends, !",[]{}".utf8.contains(letter) else { return }
    }
    let closing = open.column == nil ? ", or a ] or } is missing" : ""
    throw Refusal(
      line: open.line,
      reason: "a value stands on the line of its key and ends there\(closing); "
        + "this text goes on in line", other: line)
  }

  /// `---` and `...`.
  private mutating func marker(_ letter: UInt8) throws(Refusal) -> Bool {
    guard at == lineStart, letter == UInt8(ascii: "-") || letter == UInt8(ascii: "."),
      byte(at + 1) == letter, byte(at + 2) == letter, isBlankOrEnd(at + 3)
    else { return false }
    guard isStart, letter == UInt8(ascii: "-") else {
      throw refusal("a file is one document: --- and ... are not taken within it")
    }
    at += 3
    return true
  }

  private mutating func dash() throws(Refusal) {
    if depth == 0 {
      dashes += 1
      guard dashes <= 2 else { throw refusal("a list within a list within a list") }
      dashColumn = at - lineStart
      try checkIndent(at - lineStart)
    }
    one()
  }

  private mutating func place() throws(Refusal) {
    guard firstColumn == nil else { return }
    firstColumn = at - lineStart
    if depth == 0 { try checkIndent(at - lineStart) }
  }

  private func checkIndent(_ column: Int) throws(Refusal) {
    guard column <= Limits.campaignIndent else {
      throw refusal("it is indented by more than \(Limits.campaignIndent) columns")
    }
  }

  private mutating func quotedText(_ quote: UInt8) throws(Refusal) {
    at += 1
    while let byte = byte(at), byte != UInt8(ascii: "\n") {
      if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        at += self.byte(at + 1) == UInt8(ascii: "\n") ? 1 : 2
      } else if byte != quote {
        at += 1
      } else if quote == UInt8(ascii: "'"), self.byte(at + 1) == quote {
        at += 2
      } else {
        at += 1
        return
      }
    }
    throw refusal("a quoted text has to end on its line")
  }

  private mutating func plainText() {
    let isFirst = firstColumn == at - lineStart
    var isAfterBlank = false
    while let byte = byte(at) {
      switch byte {
      case UInt8(ascii: "\n"):
        let beyond = isFirst ? dashColumn ?? -1 : firstColumn ?? -1
        openText = OpenText(line: line, column: depth > 0 ? nil : beyond)
        return
      case UInt8(ascii: ":") where isBlankOrEnd(at + 1): return
      case UInt8(ascii: "#") where isAfterBlank: return
      case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"),
        UInt8(ascii: "}"):
        if depth > 0 { return }
      default: break
      }
      isAfterBlank = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == 0x0D
      at += 1
    }
  }
}
