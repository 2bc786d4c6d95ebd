internal import Core
internal import Glibc

/// What the pre-scan knows of the messages of a `ScoreRequest` (proto/crescendo/v1/score.proto).
enum RequestSchema {
  case scoreRequest
  case context
  /// `CandidateColumn` and `UserColumn` have the same fields.
  case column

  enum Rule {
    case unknown
    case varint
    case fixed64
    case string
    case message(RequestSchema)
    /// Packed, or one element by itself; an element's bytes and wire type.
    case packed(bytes: Int, wireType: UInt32)
  }

  @inline(__always)
  func rule(_ number: UInt32) -> Rule {
    switch self {
    case .scoreRequest:
      switch number {
      case 1, 3, 6, 10: .string
      case 2: .fixed64
      case 4: .message(.context)
      case 5: .packed(bytes: 8, wireType: WireType.fixed64)
      case 7, 8: .message(.column)
      case 9, 11, 12, 13: .varint
      default: .unknown
      }
    case .context:
      switch number {
      case 1, 2, 3, 6: .string
      case 4: .fixed64
      case 5: .varint
      default: .unknown
      }
    case .column:
      switch number {
      case 1: .string
      case 2: .packed(bytes: 4, wireType: WireType.fixed32)
      default: .unknown
      }
    }
  }
}

extension WireReader {
  /// Bytes of the message that its schema knows, with every field checked: wire type, UTF-8, no
  /// NUL (protobuf-c's strings end at one), packed lengths.
  func knownBytes(_ schema: RequestSchema) throws(WireError) -> Int {
    var (reader, known) = (self, 0)
    while !reader.isAtEnd {
      let field = try reader.next()
      known += try knownBytes(of: field, schema.rule(field.number))
    }
    return known
  }

  @inline(__always)
  func knownBytes(of field: WireField, _ rule: RequestSchema.Rule) throws(WireError) -> Int {
    switch rule {
    case .unknown:
      return 0
    case .varint:
      try require(field, field.wireType == WireType.varint)
    case .fixed64:
      try require(field, field.wireType == WireType.fixed64)
    case .string:
      try require(field, field.wireType == WireType.lengthDelimited)
      try checkText(field)
    case .packed(let bytes, let wireType):
      if field.wireType == WireType.lengthDelimited {
        guard field.valueCount % bytes == 0 else {
          throw WireError(offset: field.valueStart, reason: "a packed column that ends mid-value")
        }
      } else {
        try require(field, field.wireType == wireType)
      }
    case .message(let schema):
      try require(field, field.wireType == WireType.lengthDelimited)
      return WireWriter.fieldBytes(try inside(field).knownBytes(schema))
    }
    return field.end - field.start
  }

  /// A field whose wire type the schema does not name is no such field.
  func expect(_ wireType: UInt32, _ field: WireField) throws(WireError) {
    try require(field, field.wireType == wireType)
  }

  /// A string field: UTF-8 without NUL; `name` is the field's.
  func text(_ field: WireField, _ name: StaticString) throws(WireError) -> ByteSlice {
    try expect(WireType.lengthDelimited, field)
    do throws(WireError) {
      try checkText(field)
    } catch {
      var named = error
      named.field = name
      throw named
    }
    return slice(field)
  }

  private func require(_ field: WireField, _ isRight: Bool) throws(WireError) {
    guard isRight else {
      throw WireError(offset: field.start, reason: "a field of another wire type than declared")
    }
  }

  private func checkText(_ field: WireField) throws(WireError) {
    let bytes = UnsafeRawBufferPointer(start: base + field.valueStart, count: field.valueCount)
    guard isUTF8(bytes) else {
      throw WireError(offset: field.valueStart, reason: "a string that is not UTF-8")
    }
    guard field.valueCount == 0 || memchr(base + field.valueStart, 0, field.valueCount) == nil
    else {
      throw WireError(
        offset: field.valueStart, reason: "a string with a NUL in it", isDecodable: true)
    }
  }
}

/// Writes fields where the caller has made room.
struct WireWriter {
  private(set) var cursor: UnsafeMutableRawPointer

  init(_ start: UnsafeMutableRawPointer) {
    cursor = start
  }

  @inline(__always)
  static func varintBytes(_ value: Int) -> Int {
    (70 - (UInt64(value) | 1).leadingZeroBitCount) / 7
  }

  @inline(__always)
  mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      byte(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    byte(UInt8(truncatingIfNeeded: value))
  }

  @inline(__always)
  mutating func byte(_ value: UInt8) {
    cursor.storeBytes(of: value, as: UInt8.self)
    cursor += 1
  }

  @inline(__always)
  mutating func fixed64(_ value: UInt64) {
    cursor.storeBytes(of: value.littleEndian, as: UInt64.self)
    cursor += 8
  }

  @inline(__always)
  mutating func bytes(_ source: UnsafeRawPointer?, _ count: Int) {
    guard let source, count > 0 else { return }
    cursor.copyMemory(from: source, byteCount: count)
    cursor += count
  }

  /// Bytes of a length-delimited field with `bytes` in it; its number is below 16.
  @inline(__always)
  static func fieldBytes(_ bytes: Int) -> Int {
    1 + varintBytes(bytes) + bytes
  }

  private mutating func head(_ number: UInt32, bytes: Int) {
    byte(UInt8(number << 3 | WireType.lengthDelimited))
    varint(UInt64(bytes))
  }

  /// The known fields of all contexts of a request, as one context.
  mutating func copyContexts(_ reader: WireReader, bytes: Int) throws(WireError) {
    var reader = reader
    head(4, bytes: bytes)
    while !reader.isAtEnd {
      let field = try reader.next()
      if field.number == 4 { try copyKnown(reader.inside(field), .context) { _ in false } }
    }
  }

  /// Leaves room for bytes that somebody else writes; answers where.
  mutating func skip(_ count: Int) -> UnsafeMutableRawPointer {
    let start = cursor
    cursor += count
    return start
  }

  /// The known fields of a message, without the rest; `isDropped` names top-level fields that
  /// are read in place.
  mutating func copyKnown(
    _ reader: WireReader, _ schema: RequestSchema, isDropped: (UInt32) -> Bool
  ) throws(WireError) {
    var reader = reader
    while !reader.isAtEnd {
      let field = try reader.next()
      if isDropped(field.number) { continue }
      switch schema.rule(field.number) {
      case .unknown:
        continue
      case .message(let inner):
        head(field.number, bytes: try reader.inside(field).knownBytes(inner))
        try copyKnown(reader.inside(field), inner) { _ in false }
      default:
        bytes(reader.base + field.start, field.end - field.start)
      }
    }
  }
}
