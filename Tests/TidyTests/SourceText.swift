/// Swift or C source with its comments and the contents of its string literals blanked out, so that
/// a rule about code does not see words about code.
struct SourceText {
  /// As long as the source, line for line.
  var code: [String]
  /// Whether a line has a comment, or is inside one.
  var hasComment: [Bool]
  /// The source's own lines.
  private let lines: [Substring]

  init(_ source: String) {
    lines = source.split(separator: "\n", omittingEmptySubsequences: false)
    var scanner = SourceScanner(source)
    scanner.scanCode()
    code = String(decoding: scanner.output, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    hasComment = scanner.commentLines
    while hasComment.count < code.count { hasComment.append(false) }
  }

  /// Whether a line is a `///` comment.
  func isDocumentation(_ index: Int) -> Bool {
    lines[index].drop { $0 == " " }.hasPrefix("///")
  }
}

/// Walks bytes; blanks what is not code. Interpolations are blanked with their literal.
private struct SourceScanner {
  let bytes: [UInt8]
  var at = 0
  var output: [UInt8] = []
  var commentLines = [false]

  init(_ source: String) {
    bytes = Array(source.utf8)
    output.reserveCapacity(bytes.count)
  }

  func starts(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard at + count <= bytes.count else { return false }
    return (0..<count).allSatisfy { bytes[at + $0] == text.utf8Start[$0] }
  }

  mutating func keep() {
    output.append(bytes[at])
    newLine()
    at += 1
  }

  mutating func blank() {
    output.append(bytes[at] == UInt8(ascii: "\n") ? bytes[at] : UInt8(ascii: " "))
    newLine()
    at += 1
  }

  mutating func newLine() {
    if bytes[at] == UInt8(ascii: "\n") { commentLines.append(false) }
  }

  mutating func scanCode() {
    while at < bytes.count {
      if starts("//") {
        while at < bytes.count, bytes[at] != UInt8(ascii: "\n") {
          commentLines[commentLines.count - 1] = true
          blank()
        }
      } else if starts("/*") {
        scanBlockComment()
      } else if bytes[at] == UInt8(ascii: "\"") || isRawLiteral {
        scanLiteral()
      } else {
        keep()
      }
    }
  }

  mutating func scanBlockComment() {
    var depth = 0
    repeat {
      commentLines[commentLines.count - 1] = true
      if starts("/*") {
        depth += 1
        blank()
      } else if starts("*/") {
        depth -= 1
        blank()
      }
      if at < bytes.count { blank() }
    } while depth > 0 && at < bytes.count
  }

  /// `#"` or `##"`, as far as two.
  var isRawLiteral: Bool { starts("#\"") || starts("##\"") }

  mutating func scanLiteral() {
    var pounds = 0
    while bytes[at] == UInt8(ascii: "#") {
      pounds += 1
      keep()
    }
    let quotes = starts("\"\"\"") ? 3 : 1
    for _ in 0..<quotes { keep() }
    while at < bytes.count {
      if endsLiteral(quotes: quotes, pounds: pounds) {
        for _ in 0..<(quotes + pounds) { keep() }
        return
      }
      if bytes[at] == UInt8(ascii: "\n") && quotes == 1 { return }
      if bytes[at] == UInt8(ascii: "\\") && escapes(pounds: pounds) {
        for _ in 0...pounds { blank() }
        guard at < bytes.count else { return }
        if bytes[at] == UInt8(ascii: "(") { blankInterpolation() } else { blank() }
      } else {
        blank()
      }
    }
  }

  func escapes(pounds: Int) -> Bool {
    at + pounds < bytes.count
      && (0..<pounds).allSatisfy { bytes[at + 1 + $0] == UInt8(ascii: "#") }
  }

  func endsLiteral(quotes: Int, pounds: Int) -> Bool {
    guard at + quotes + pounds <= bytes.count else { return false }
    return (0..<quotes).allSatisfy { bytes[at + $0] == UInt8(ascii: "\"") }
      && (0..<pounds).allSatisfy { bytes[at + quotes + $0] == UInt8(ascii: "#") }
  }

  mutating func blankInterpolation() {
    var depth = 0
    repeat {
      if bytes[at] == UInt8(ascii: "\"") {
        let start = output.count
        scanLiteral()
        for index in start..<output.count where output[index] != UInt8(ascii: "\n") {
          output[index] = UInt8(ascii: " ")
        }
        continue
      }
      if bytes[at] == UInt8(ascii: "(") { depth += 1 }
      if bytes[at] == UInt8(ascii: ")") { depth -= 1 }
      blank()
    } while depth > 0 && at < bytes.count
  }
}
