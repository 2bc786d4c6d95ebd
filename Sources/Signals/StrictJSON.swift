internal import Core
internal import FoundationEssentials

/// Foundation's JSON decoder, behind what it does not do itself: it is given only UTF-8 of bounded
/// depth and size, whose top is an object, and in which no object has a key twice (one reader
/// takes the first and another the last: a file must not mean two things).
enum StrictJSON {
  /// Decodes `bytes` of `file`. Errors name the field as `prefix` and the path to it.
  static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: UnsafeRawBufferPointer, file: String, prefix: String = ""
  ) throws(SnapshotError) -> Value {
    var scan = JSONScan(bytes)
    do {
      try scan.run()
    } catch {
      throw SnapshotError(file: file, reason: "byte \(error.offset): \(error.reason)")
    }
    do {
      return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as DecodingError {
      throw snapshotError(error, file: file, prefix: prefix)
    } catch {
      throw SnapshotError(file: file, reason: clipped("\(error)", limit: 200))
    }
  }

  private static func snapshotError(_ error: DecodingError, file: String, prefix: String)
    -> SnapshotError
  {
    func make(_ path: [any CodingKey], _ reason: String) -> SnapshotError {
      SnapshotError(
        file: file, field: path.isEmpty ? "" : prefix + joined(path),
        reason: clipped(reason, limit: 200))
    }
    switch error {
    case .keyNotFound(let key, let context):
      return make(context.codingPath + [key], "is missing")
    case .typeMismatch(_, let context):
      return make(context.codingPath, context.debugDescription)
    case .valueNotFound(_, let context):
      return make(context.codingPath, "is null")
    case .dataCorrupted(let context):
      let cause = context.underlyingError.map { " \($0)" } ?? ""
      return make(context.codingPath, context.debugDescription + cause)
    @unknown default:
      return make([], "\(error)")
    }
  }

  private static func joined(_ path: [any CodingKey]) -> String {
    var text = ""
    for key in path {
      if let index = key.intValue {
        text += "[\(index)]"
      } else {
        text += (text.isEmpty ? "" : ".") + clipped(key.stringValue)
      }
    }
    return text
  }
}

/// An integer of a JSON text. Foundation says of one that is not whole, or too large, that the
/// whole text was no JSON; this says where it stands.
struct WholeNumber: Decodable {
  let value: Int

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      value = try container.decode(Int.self)
    } catch let error where !(error is DecodingError) {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "is no whole number of 64 bits")
    }
  }
}

/// One pass over a JSON text that finds strings and nesting. It need be right only about valid
/// JSON: whatever else is wrong with a text, the decoder refuses it afterwards.
struct JSONScan {
  struct Fault: Error {
    var offset: Int
    var reason: String
  }

  private let bytes: UnsafeRawBufferPointer
  private let tokenLimit: Int
  private var offset = 0
  private var tokens = 0
  /// Keys seen so far in each open object, outermost first; stays empty for an array.
  private var keys: [Set<String>] = []

  init(_ bytes: UnsafeRawBufferPointer, tokenLimit: Int = Limits.jsonTokens) {
    self.bytes = bytes
    self.tokenLimit = tokenLimit
  }

  mutating func run() throws(Fault) {
    // Also keeps the decoder from taking the text for UTF-16 or UTF-32.
    if let invalid = invalidUTF8Offset(in: bytes) {
      throw Fault(offset: invalid, reason: "is not UTF-8")
    }
    skipSpace()
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: "{") else {
      throw Fault(offset: offset, reason: "expected a JSON object")
    }
    while offset < bytes.count {
      switch bytes[offset] {
      case UInt8(ascii: "\""):
        try count()
        try scanString()
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        try count()
        guard keys.count < Limits.jsonDepth else {
          throw Fault(offset: offset, reason: "is nested deeper than \(Limits.jsonDepth)")
        }
        keys.append([])
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard keys.popLast() != nil else {
          throw Fault(offset: offset, reason: "closes what was not opened")
        }
      case UInt8(ascii: ","):
        try count()
        offset += 1
        skipSpace()
        // The decoder lets it pass; other readers of JSON do not.
        guard offset < bytes.count, !"}]".utf8.contains(bytes[offset]) else {
          throw Fault(offset: offset, reason: "expected a value after a comma")
        }
        continue
      case 0:
        throw Fault(offset: offset, reason: "is a NUL")
      default:
        break
      }
      offset += 1
    }
  }

  private mutating func count() throws(Fault) {
    tokens += 1
    guard tokens <= tokenLimit else {
      throw Fault(offset: offset, reason: "has more than \(tokenLimit) values")
    }
  }

  private mutating func skipSpace() {
    while offset < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[offset]) { offset += 1 }
  }

  /// From the opening quote to what follows the closing one; a key is noted in its object.
  private mutating func scanString() throws(Fault) {
    let start = offset
    var hasEscapes = false
    offset += 1
    while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
      if bytes[offset] == UInt8(ascii: "\\") {
        hasEscapes = true
        offset += 1
      }
      offset += 1
    }
    guard offset < bytes.count else {
      throw Fault(offset: start, reason: "starts a string that does not end")
    }
    offset += 1
    let text = UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
    skipSpace()
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: ":"), !keys.isEmpty else { return }
    guard let key = decodedString(text, hasEscapes: hasEscapes) else {
      throw Fault(offset: start, reason: "is not a JSON string")
    }
    // Swift's strings are equal when they are canonically equivalent (é and e + ´): such a pair
    // of names is refused too.
    guard keys[keys.count - 1].insert(key).inserted else {
      throw Fault(offset: start, reason: "is the key \"\(clipped(key))\" for a second time")
    }
  }

  private func decodedString(_ quoted: UnsafeRawBufferPointer, hasEscapes: Bool) -> String? {
    guard hasEscapes else {
      return String(decoding: quoted.dropFirst().dropLast(), as: UTF8.self)
    }
    return try? JSONDecoder().decode(String.self, from: Data(quoted))
  }
}

/// The offset of the first byte that is not UTF-8; nil when all are.
func invalidUTF8Offset(in bytes: UnsafeRawBufferPointer) -> Int? {
  let span = Span<UInt8>(_bytes: bytes.bytes)
  do {
    _ = try UTF8Span(validating: span)
    return nil
  } catch {
    return error.byteOffsets.lowerBound
  }
}
