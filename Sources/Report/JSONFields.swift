internal import Core
internal import FoundationEssentials

/// The members of a JSON object of a file that anybody may have written: numbers within bounds,
/// lists and texts of bounded length. Errors name the field.
struct JSONFields {
  struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private let members: KeyedDecodingContainer<Key>

  /// Beyond it no sum or ratio of ours means anything.
  private static let numberMax = 1e15
  /// Of a text, Unicode scalars: a status message of a server, cut.
  private static let textScalars = 2_048

  init(_ decoder: any Decoder) throws {
    members = try decoder.container(keyedBy: Key.self)
  }

  private init(_ members: KeyedDecodingContainer<Key>) {
    self.members = members
  }

  var names: [String] { members.allKeys.map(\.stringValue) }

  private func fault(_ name: String, _ reason: String) -> DecodingError {
    .dataCorruptedError(forKey: Key(name), in: members, debugDescription: reason)
  }

  private func checked(_ value: Double, _ name: String) throws -> Double {
    guard abs(value) <= JSONFields.numberMax else { throw fault(name, "is out of range") }
    return value
  }

  /// Counts are read as numbers: of one that is no integer, the decoder would say that the whole
  /// file is no JSON.
  private func count(_ value: Double, _ name: String) throws -> Int {
    guard value >= 0, value <= JSONFields.numberMax, let count = Int(exactly: value) else {
      throw fault(name, "is no count")
    }
    return count
  }

  // MARK: Values

  func number(_ name: String) throws -> Double {
    try checked(try members.decode(Double.self, forKey: Key(name)), name)
  }

  /// Nil when it is not there, or null.
  func optionalNumber(_ name: String) throws -> Double? {
    try members.decodeIfPresent(Double.self, forKey: Key(name)).map { try checked($0, name) }
  }

  func count(_ name: String) throws -> Int {
    try count(try members.decode(Double.self, forKey: Key(name)), name)
  }

  func optionalCount(_ name: String) throws -> Int? {
    try members.decodeIfPresent(Double.self, forKey: Key(name)).map { try count($0, name) }
  }

  func flag(_ name: String) throws -> Bool {
    try members.decode(Bool.self, forKey: Key(name))
  }

  func text(_ name: String) throws -> String {
    cut(try members.decode(String.self, forKey: Key(name)))
  }

  func optionalText(_ name: String) throws -> String? {
    try members.decodeIfPresent(String.self, forKey: Key(name)).map(cut)
  }

  private func cut(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.prefix(JSONFields.textScalars)))
  }

  func has(_ name: String) -> Bool { members.contains(Key(name)) }

  /// Nil when it is not there, or null.
  func object(_ name: String) throws -> JSONFields? {
    guard has(name), try !members.decodeNil(forKey: Key(name)) else { return nil }
    return JSONFields(try members.nestedContainer(keyedBy: Key.self, forKey: Key(name)))
  }

  func list<Element: Decodable>(_ type: Element.Type, _ name: String, atMost limit: Int)
    throws -> [Element]
  {
    let elements = try members.decode([Element].self, forKey: Key(name))
    guard elements.count <= limit else { throw fault(name, "has more than \(limit) elements") }
    return elements
  }

  // MARK: Columns of a series

  func counts(_ name: String, rows: Int) throws -> [Int] {
    let values = try list(Double.self, name, atMost: rows).map { try count($0, name) }
    guard values.count == rows else { throw fault(name, "has not \(rows) elements") }
    return values
  }

  func numbers(_ name: String, rows: Int) throws -> [Double?] {
    let values = try list(Double?.self, name, atMost: rows)
    guard values.count == rows else { throw fault(name, "has not \(rows) elements") }
    return try values.map { try $0.map { try checked($0, name) } }
  }
}
