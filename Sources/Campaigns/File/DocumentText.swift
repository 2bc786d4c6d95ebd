internal import Core

/// A campaign file's bytes, and where its parts lie.
///
/// Campaigns that stand as a block sequence under a line `campaigns:` are parts of their own: a
/// hundred thousand of them compose in the memory of one, and one that is no YAML hides no other.
/// A cut in the middle of a text or of a `[` leaves both halves open, and they are refused: so
/// that what is accepted in parts means what it means as a whole.
struct DocumentText {
  struct Part {
    var bytes: Range<Int>
    /// From 1.
    var line: Int
  }

  /// The campaigns' block.
  struct Block {
    /// The bytes of the line `campaigns:`, and which line it is.
    var key: Range<Int>
    var keyLine: Int
    /// Of the dashes.
    var column: Int
    var entries: Range<Int>
    var entriesLine: Int
    /// The first line behind.
    var endLine: Int
  }

  let bytes: [UInt8]
  private(set) var block: Block?

  /// Without a byte order mark, which an editor may have put in front.
  init(_ text: String) {
    let utf8 = text.utf8
    bytes = Array(utf8.starts(with: [0xEF, 0xBB, 0xBF]) ? utf8.dropFirst(3) : utf8[...])
    block = findBlock()
  }

  /// Characters that YAML takes for line ends and editors do not, or that it does not take.
  func badCharacters(_ found: (_ line: Int, _ reason: String) -> Void) {
    var line = 1
    for (index, byte) in bytes.enumerated() where byte < 0x20 || byte == 0x7F || byte >= 0xC2 {
      let next = index + 1 < bytes.count ? bytes[index + 1] : 0
      let last = index + 2 < bytes.count ? bytes[index + 2] : 0
      switch (byte, next, last) {
      case (0x0A, _, _): line += 1
      case (0x09, _, _): break
      case (0x0D, _, _):
        if next != 0x0A { found(line, "a carriage return that ends no line") }
      case (..<0x20, _, _), (0x7F, _, _), (0xC2, 0x80..<0xA0, _), (0xE2, 0x80, 0xA8...0xA9),
        (0xEF, 0xBB, 0xBF), (0xEF, 0xBF, 0xBE...0xBF):
        found(line, "a control character; write it as an escape such as \\u2028, or leave it out")
      default: break
      }
    }
  }

  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// The document with `campaigns: []` in place of the block.
  func head(without block: Block) -> String {
    text(0..<block.key.lowerBound) + "campaigns: []\n"
      + text(block.entries.upperBound..<bytes.count)
  }

  /// The entry of `block` that starts where another ended.
  func entry(_ block: Block, after part: Part?) -> Part? {
    let start = part?.bytes.upperBound ?? block.entries.lowerBound
    guard start < block.entries.upperBound else { return nil }
    var line = block.entriesLine
    if let part { line = part.line + bytes[part.bytes].count { $0 == 0x0A } }
    var end = lineEnd(start)
    while end < block.entries.upperBound, !isDash(end, block.column) { end = lineEnd(end) }
    return Part(bytes: start..<end, line: line)
  }

  /// The index behind the line that `start` lies on.
  private func lineEnd(_ start: Int) -> Int {
    guard let newline = bytes[start...].firstIndex(of: 0x0A) else { return bytes.count }
    return newline + 1
  }

  private func findBlock() -> Block? {
    var (start, line) = (0, 1)
    var (key, keyLine) = (0..<0, 0)
    var block: Block?
    while start < bytes.count {
      let end = lineEnd(start)
      if key.isEmpty {
        if isKey(start..<end) { (key, keyLine) = (start..<end, line) }
      } else if let content = contentColumn(start..<end) {
        if var found = block {
          if content < found.column || content == found.column && !isDash(start, content) {
            found.entries = found.entries.lowerBound..<start
            found.endLine = line
            return found
          }
        } else {
          guard isDash(start, content) else { return nil }
          block = Block(
            key: key, keyLine: keyLine, column: content, entries: start..<bytes.count,
            entriesLine: line, endLine: line)
        }
      }
      start = end
      line += 1
    }
    block?.endLine = line
    return block
  }

  /// `campaigns:` and nothing else but blanks and a comment.
  private func isKey(_ line: Range<Int>) -> Bool {
    let key = "campaigns:".utf8
    guard bytes[line].starts(with: key) else { return false }
    let rest = bytes[line].dropFirst(key.count)
    guard let content = rest.firstIndex(where: { !DocumentText.isBlank($0) }) else { return true }
    return bytes[content] == UInt8(ascii: "#") && content > rest.startIndex
  }

  /// Spaces in front; nil for a line that is blank or a comment.
  private func contentColumn(_ line: Range<Int>) -> Int? {
    let spaces = bytes[line].prefix { $0 == UInt8(ascii: " ") }.count
    let content = bytes[line].first { !DocumentText.isBlank($0) }
    return content == nil || content == UInt8(ascii: "#") ? nil : spaces
  }

  private func isDash(_ start: Int, _ column: Int) -> Bool {
    let dash = start + column
    guard dash < bytes.count, bytes[dash] == UInt8(ascii: "-"),
      bytes[start..<dash].allSatisfy({ $0 == UInt8(ascii: " ") })
    else { return false }
    return dash + 1 == bytes.count || DocumentText.isBlank(bytes[dash + 1])
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == 0x09 || byte == 0x0A || byte == 0x0D
  }
}
