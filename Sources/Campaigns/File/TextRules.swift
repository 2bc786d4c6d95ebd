internal import Core

/// What texts in a campaign file may look like.
enum TextRules {
  /// Shows, and stands in a YAML text as it is.
  static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF: false
    default: true
    }
  }

  /// Why `text` is no name of anything; nil if it may be one.
  static func fault(inName text: String) -> String? {
    if text.isEmpty { return "it is empty" }
    if text.utf8.count > Limits.campaignNameBytes {
      return "it has \(text.utf8.count) bytes, and at most \(Limits.campaignNameBytes) are taken"
    }
    if !text.unicodeScalars.allSatisfy(isPlain) { return "\(quoted(text)) has control characters" }
    return nil
  }

  /// `[a-z0-9-]{1,64}`.
  static func isID(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy {
        (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
      }
  }

  /// `count` upper-case ASCII letters.
  static func isCode(_ text: String, _ count: Int) -> Bool {
    text.utf8.count == count && text.utf8.allSatisfy { (0x41...0x5A).contains($0) }
  }

  /// Decimal digits as numbers are written: no sign, no leading zero.
  static func isWhole(_ text: String) -> Bool {
    guard let first = text.utf8.first, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return false
    }
    return first != UInt8(ascii: "0") || text.utf8.count == 1
  }

  /// Why `text` is no item; nil if it is a URI or a decimal id.
  static func fault(inItem text: String) -> String? {
    if let fault = fault(inName: text) { return fault }
    if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      guard isWhole(text) else { return "\(text) has zeros in front: an id has one notation" }
      guard let id = UInt64(text) else { return "\(text) is over the largest id, \(UInt64.max)" }
      return id == 0 ? "0 is no item's id" : nil
    }
    if text.unicodeScalars.contains(where: { $0.properties.isWhitespace }) {
      return "\(quoted(text)) has white space in it"
    }
    guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), colon != text.startIndex else {
      return "\(quoted(text)) is neither a URI nor a decimal id"
    }
    return nil
  }

  /// The name that was meant; nil if none is near: two letters wrong at most, or a third of it.
  static func nearest(_ text: String, _ known: [String]) -> String? {
    guard text.utf8.count <= 64 else { return nil }
    let bound = min(2, max(1, text.utf8.count / 3))
    let near = known.map { ($0, distance(Array(text.utf8), Array($0.utf8))) }
    return near.filter { $0.1 <= bound }.min { $0.1 < $1.1 }?.0
  }

  /// Letters that are to be put in, left out or replaced (Levenshtein).
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (i, letter) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, other) in right.enumerated() {
        let changed = diagonal + (letter == other ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(changed, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[right.count]
  }
}
