internal import Core
internal import Yams

/// Reads nodes of one part into values, and notes each fault with line and field.
struct NodeReader {
  enum Step {
    case key(String)
    case index(Int)
  }

  /// A mapping's values by key.
  struct Fields {
    fileprivate var entries: [(key: String, node: Node)] = []

    subscript(key: String) -> Node? { entries.first { $0.key == key }?.node }
  }

  var log = FaultLog()
  var path: [Step] = []
  /// Lines of the part beyond `shiftAfter` stand `shift` further down in the document.
  var shift = 0
  var shiftAfter = 0

  // MARK: Faults

  func line(_ node: Node) -> Int { line(node.mark?.line ?? 1) }

  func line(_ inPart: Int) -> Int { inPart > shiftAfter ? inPart + shift : inPart }

  mutating func fault(_ node: Node, _ reason: String) { fault(line: line(node), reason) }

  mutating func fault(_ node: Node, in key: String, _ reason: String) {
    within(.key(key)) { $0.fault(node, reason) }
  }

  mutating func fault(line: Int, _ reason: String) {
    log.add(FileFault(line: line, field: field, reason: reason))
  }

  private var field: String {
    path.reduce(into: "") { text, step in
      switch step {
      case .key(let key): text += (text.isEmpty ? "" : ".") + key
      case .index(let index): text += "[\(index)]"
      }
    }
  }

  mutating func within<T>(_ step: Step, _ body: (inout NodeReader) -> T) -> T {
    path.append(step)
    defer { path.removeLast() }
    return body(&self)
  }

  // MARK: Kinds of nodes

  /// The mapping's values; unknown and missing keys are faults.
  mutating func fields(_ node: Node, _ known: [String], required: [String] = []) -> Fields? {
    guard case .mapping(let mapping) = node else {
      fault(node, "it has to be a mapping, `key: value`")
      return nil
    }
    var fields = Fields()
    for (key, value) in mapping {
      guard case .scalar(let scalar) = key else {
        fault(key, "a key is a single word")
        continue
      }
      if known.contains(scalar.string) {
        fields.entries.append((scalar.string, value))
      } else {
        unknown(key, scalar.string, known)
      }
    }
    for key in required where fields[key] == nil {
      fault(node, in: key, "it is missing")
    }
    return fields
  }

  private mutating func unknown(_ node: Node, _ key: String, _ known: [String]) {
    let hint = TextRules.nearest(key, known).map { "; did you mean \($0)?" }
    let name = String(quoted(key).dropFirst().dropLast())
    fault(node, in: name, "there is no such key" + (hint ?? "; there are \(listed(known))"))
  }

  /// What `read` makes of the value of `key`; nil if there is none.
  mutating func value<T>(
    _ fields: Fields, _ key: String, _ read: (inout NodeReader, Node) -> T?
  ) -> T? {
    guard let node = fields[key] else { return nil }
    return within(.key(key)) { read(&$0, node) }
  }

  /// The text of a single value, quoted or not.
  mutating func text(_ node: Node) -> String? {
    guard case .scalar(let scalar) = node else {
      fault(node, "it has to be a single value")
      return nil
    }
    let isPlain = scalar.style == .plain
    if isPlain, ["", "~", "null", "Null", "NULL"].contains(scalar.string) {
      fault(node, "it has no value; without one, leave the key out")
      return nil
    }
    return scalar.string
  }

  mutating func elements(_ node: Node) -> Node.Sequence? {
    guard case .sequence(let sequence) = node else {
      fault(node, "it has to be a list")
      return nil
    }
    return sequence
  }

  // MARK: Values

  mutating func name(_ node: Node) -> String? {
    guard let text = text(node) else { return nil }
    guard let reason = TextRules.fault(inName: text) else { return text }
    fault(node, reason)
    return nil
  }

  /// One of `words`.
  mutating func word(_ node: Node, _ words: [String]) -> String? {
    guard let text = text(node) else { return nil }
    if words.contains(text) { return text }
    let hint = TextRules.nearest(text, words).map { "; did you mean \($0)?" } ?? ""
    fault(node, "\(quoted(text)) is not \(listed(words, "or"))\(hint)")
    return nil
  }

  mutating func whole<Number: FixedWidthInteger>(
    _ node: Node, _ range: ClosedRange<Number>
  ) -> Number? {
    guard let text = text(node) else { return nil }
    guard TextRules.isWhole(text), let number = Number(text), range.contains(number) else {
      fault(
        node,
        "\(quoted(text)) is not a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  /// A finite number that is at least 0.
  mutating func factor(_ node: Node) -> Double? {
    guard let text = text(node) else { return nil }
    let isDecimal = text.utf8.allSatisfy {
      (0x30...0x39).contains($0) || ".eE+-".utf8.contains($0)
    }
    guard isDecimal, text.utf8.first != UInt8(ascii: "-"), let number = Double(text),
      number.isFinite
    else {
      fault(node, "\(quoted(text)) is not a number that is finite and at least 0")
      return nil
    }
    return number
  }

  /// Money: never by way of a float.
  mutating func amount(_ node: Node) -> Micros? {
    guard let text = text(node) else { return nil }
    if let amount = Micros(parsing: text) {
      if amount >= .zero { return amount }
      fault(node, "\(quoted(text)) is below 0")
      return nil
    }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let isDecimal =
      parts.count <= 2 && parts.allSatisfy { !$0.isEmpty }
      && parts.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    if isDecimal, parts.count == 2, parts[1].count > 6 {
      fault(node, "\(quoted(text)) is finer than a millionth")
    } else if isDecimal {
      fault(node, "\(quoted(text)) is over the largest amount, \(Micros(Int64.max))")
    } else {
      fault(node, "\(quoted(text)) is not a decimal amount, for example \"2500.00\"")
    }
    return nil
  }
}
