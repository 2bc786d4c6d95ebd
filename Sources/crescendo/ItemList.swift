import Core
import Glibc
import Wire

/// The candidates of one request: ids or URIs, never both, because a message holds one kind.
struct ItemList: Equatable {
  private(set) var ids: [UInt64] = []
  private(set) var uris: [String] = []

  var count: Int { max(ids.count, uris.count) }

  /// What an item is called in output: its URI where that is known, else its decimal id.
  func name(at position: Int) -> String {
    uris.isEmpty ? "\(ids[position])" : uris[position]
  }

  /// `a,b,c`.
  init(commaSeparated text: String) throws(UsageError) {
    for (index, item) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
      try append(String(trimmed(item)), place: "item \(index + 1)")
    }
  }

  /// One item a line; empty lines, and from a `#` at the start or after a blank to the end of a
  /// line, are comments.
  init(lines text: String) throws(UsageError) {
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let item = trimmed(ItemList.withoutComment(line))
      if !item.isEmpty { try append(String(item), place: "line \(index + 1)") }
    }
    if count == 0 { throw UsageError("there is no item in the list") }
  }

  private mutating func append(_ text: String, place: String) throws(UsageError) {
    let reference: EntityReference
    do throws(UsageError) {
      reference = try EntityReference(parsing: text)
    } catch {
      throw UsageError("\(place): \(error)")
    }
    switch reference {
    case .id(0): throw UsageError("\(place): 0 is no item's id")
    case .id(let id): ids.append(id)
    case .uri(let uri): uris.append(uri)
    }
    if !ids.isEmpty && !uris.isEmpty {
      throw UsageError(
        "\(place): \"\(text)\" mixes ids and URIs; one request holds one kind, so ask twice")
    }
  }

  private static func withoutComment(_ line: Substring) -> Substring {
    var previous: Character = " "
    for index in line.indices {
      if line[index] == "#", previous.isWhitespace { return line[..<index] }
      previous = line[index]
    }
    return line
  }
}

/// `text` without blanks at its ends.
private func trimmed(_ text: Substring) -> Substring {
  var text = text
  while text.first?.isWhitespace == true { text.removeFirst() }
  while text.last?.isWhitespace == true { text.removeLast() }
  return text
}

/// A file of text that somebody names on the command line; `-` is standard input.
enum TextFile {
  /// Bytes: four times the longest message, so that a full batch of long URIs may be commented.
  static let limitBytes = 4 * Limits.serving.messageBytes

  static func read(_ path: String) throws(UsageError) -> String {
    try read(path, limitBytes: limitBytes)
  }

  static func read(_ path: String, limitBytes: Int) throws(UsageError) -> String {
    let bytes = try bytes(path, atMost: limitBytes + 1)
    guard bytes.count <= limitBytes else {
      throw UsageError("\(path) has more than \(limitBytes >> 20) MiB")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw UsageError("\(path) is not UTF-8")
    }
    return text
  }

  /// As many as there are, but no more than `limit`.
  static func bytes(_ path: String, atMost limit: Int) throws(UsageError) -> [UInt8] {
    let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path, errno) }
    defer { if path != "-" { close(descriptor) } }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        throw failure(path, errno)
      }
      bytes.append(contentsOf: buffer[..<count])
    }
    return bytes
  }

  static func failure(_ path: String, _ number: Int32) -> UsageError {
    UsageError("cannot read \(path): \(String(cString: strerror(number)).lowercased())")
  }
}

/// `NAME=v1,v2,…` on the command line.
enum NamedColumn {
  /// An empty value or `nan` is a missing one.
  static func parse(_ text: String) throws(UsageError) -> ScoreRequestMessage.Column {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw UsageError("a column is NAME=v1,v2,…")
    }
    var values: [Float] = []
    let list = text[text.index(after: equals)...]
    for (index, part) in list.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
      guard let value = part.isEmpty ? Float.nan : Float(part) else {
        throw UsageError("value \(index + 1), \"\(part)\", is not a number")
      }
      values.append(value)
    }
    return ScoreRequestMessage.Column(name: String(text[..<equals]), values: values)
  }
}
