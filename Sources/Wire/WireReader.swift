internal import Core

/// Why bytes are not a message: what, and at which byte of it.
struct WireError: Error {
  var offset: Int
  var reason: StaticString
  /// The bytes are a message, but not one that we take.
  var isDecodable = false
  /// The field that is at fault, where the reader knows it.
  var field: StaticString?

  /// INTERNAL with the message's name and the offset for bytes that are no such message,
  /// INVALID_ARGUMENT with the field for a message that we do not take.
  func failure(_ messageName: StaticString) -> CallFailure {
    let place = "\(messageName): byte \(offset): \(reason)"
    return isDecodable
      ? CallFailure(.invalidArgument, place, field: field.map { "\($0)" })
      : CallFailure(.internalError, "cannot decode \(place)")
  }
}

/// Wire types of protobuf (encoding specification, "Message Structure").
enum WireType {
  static let varint: UInt32 = 0
  static let fixed64: UInt32 = 1
  static let lengthDelimited: UInt32 = 2
  static let fixed32: UInt32 = 5
}

/// One field of a message: its number and wire type, and where it lies.
struct WireField {
  var number: UInt32
  var wireType: UInt32
  /// Offset of its tag.
  var start: Int
  /// Offset of its value; of a length-delimited one, after the length.
  var valueStart: Int
  /// Offset after it.
  var end: Int

  var valueCount: Int { end - valueStart }
}

/// Walks the fields of a message, bounds checked; the bytes are the peer's.
struct WireReader {
  let base: UnsafeRawPointer
  private(set) var offset: Int
  let end: Int

  /// Fields between two offsets of `base`.
  init(_ base: UnsafeRawPointer, from start: Int, to end: Int) {
    self.base = base
    self.offset = start
    self.end = end
  }

  var isAtEnd: Bool { offset == end }

  /// The fields of a message that is a field of this one.
  func inside(_ field: WireField) -> WireReader {
    WireReader(base, from: field.valueStart, to: field.end)
  }

  /// The next field; groups, tag 0 and lengths that reach too far are errors.
  @inline(__always)
  mutating func next() throws(WireError) -> WireField {
    let start = offset
    let tag = try varint(maxBytes: 5)
    guard tag <= UInt64(UInt32.max), tag >> 3 != 0 else {
      throw WireError(offset: start, reason: "field number 0 or over 536,870,911")
    }
    var field = WireField(
      number: UInt32(tag >> 3), wireType: UInt32(tag & 7), start: start, valueStart: offset,
      end: offset)
    switch field.wireType {
    case WireType.varint:
      _ = try varint(maxBytes: 10)
    case WireType.fixed64:
      try skip(8)
    case WireType.fixed32:
      try skip(4)
    case WireType.lengthDelimited:
      let at = offset
      let count = try varint(maxBytes: 10)
      guard count <= UInt64(end - offset) else {
        throw WireError(offset: at, reason: "a length that reaches past the end of the message")
      }
      field.valueStart = offset
      offset += Int(count)
    case 3, 4:
      throw WireError(offset: start, reason: "a group, which proto3 does not have")
    default:
      throw WireError(offset: start, reason: "a wire type that protobuf does not have")
    }
    field.end = offset
    return field
  }

  /// The number of a varint field.
  func number(_ field: WireField) -> UInt64 {
    var (value, shift, at) = (UInt64(0), UInt64(0), field.valueStart)
    while at < field.end {
      value |= UInt64(base.load(fromByteOffset: at, as: UInt8.self) & 0x7F) << shift
      shift += 7
      at += 1
    }
    return value
  }

  /// The eight bytes of a fixed64 field.
  func fixed64(_ field: WireField) -> UInt64 {
    UInt64(littleEndian: base.loadUnaligned(fromByteOffset: field.valueStart, as: UInt64.self))
  }

  /// The bytes of a length-delimited field, where they lie.
  func slice(_ field: WireField) -> ByteSlice {
    ByteSlice(base + field.valueStart, count: field.valueCount)
  }

  private mutating func skip(_ count: Int) throws(WireError) {
    guard end - offset >= count else {
      throw WireError(offset: offset, reason: "the message ends within a field")
    }
    offset += count
  }

  @inline(__always)
  private mutating func varint(maxBytes: Int) throws(WireError) -> UInt64 {
    let start = offset
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      guard offset < end else {
        throw WireError(offset: start, reason: "the message ends within a varint")
      }
      guard offset - start < maxBytes else {
        throw WireError(offset: start, reason: "a varint that is longer than its type allows")
      }
      let byte = base.load(fromByteOffset: offset, as: UInt8.self)
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
  }
}

/// Whether bytes are UTF-8; ASCII at eight bytes a step, the rest by the standard library.
func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
  var index = 0
  while index + 8 <= bytes.count {
    let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
    if word & 0x8080_8080_8080_8080 != 0 { break }
    index += 8
  }
  while index < bytes.count, bytes[index] < 0x80 { index += 1 }
  if index == bytes.count { return true }
  let rest = UnsafeRawBufferPointer(rebasing: bytes[index...])
  return rest.withMemoryRebound(to: UInt8.self) { rest in
    (try? UTF8Span(validating: rest.span)) != nil
  }
}
