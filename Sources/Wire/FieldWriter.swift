internal import Core

/// Fields of small messages, as protoc's own writers lay them out: what has its default is left
/// out.
struct FieldWriter {
  var bytes: [UInt8] = []

  init(bytes: [UInt8] = []) {
    self.bytes = bytes
  }

  init(capacity: Int) {
    bytes.reserveCapacity(capacity)
  }

  mutating func number(_ field: UInt8, _ value: UInt64) {
    guard value != 0 else { return }
    tag(field, WireType.varint)
    varint(value)
  }

  /// An `int64` or an enum: negative ones take ten bytes.
  mutating func signed(_ field: UInt8, _ value: some SignedInteger & FixedWidthInteger) {
    number(field, UInt64(bitPattern: Int64(value)))
  }

  mutating func flag(_ field: UInt8, _ value: Bool) {
    number(field, value ? 1 : 0)
  }

  mutating func fixed64(_ field: UInt8, _ value: UInt64) {
    guard value != 0 else { return }
    tag(field, WireType.fixed64)
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func fixed32(_ field: UInt8, _ value: UInt32) {
    guard value != 0 else { return }
    tag(field, WireType.fixed32)
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// −0 is not the default (encoding specification, "Presence").
  mutating func double(_ field: UInt8, _ value: Double) {
    fixed64(field, value.bitPattern)
  }

  mutating func float(_ field: UInt8, _ value: Float) {
    fixed32(field, value.bitPattern)
  }

  mutating func text(_ field: UInt8, _ text: String) {
    guard !text.isEmpty else { return }
    lengthDelimited(field, text.utf8)
  }

  mutating func slice(_ field: UInt8, _ slice: ByteSlice) {
    guard !slice.isEmpty else { return }
    lengthDelimited(field, slice.bytes)
  }

  /// One of several: also an empty one counts.
  mutating func element(_ field: UInt8, _ content: [UInt8]) {
    lengthDelimited(field, content)
  }

  mutating func message(_ field: UInt8, _ message: FieldWriter) {
    lengthDelimited(field, message.bytes)
  }

  /// A message that is written where it stays.
  mutating func message(_ field: UInt8, _ body: (inout FieldWriter) -> Void) {
    tag(field, WireType.lengthDelimited)
    let start = bytes.count
    bytes.append(0)
    body(&self)
    let length = bytes.count - start - 1
    bytes[start] = UInt8(truncatingIfNeeded: length & 0x7F)
    guard length >= 0x80 else { return }
    var rest = FieldWriter()
    rest.varint(UInt64(length))
    bytes.replaceSubrange(start...start, with: rest.bytes)
  }

  /// A packed column of numbers.
  mutating func numbers(_ field: UInt8, _ values: some Collection<UInt64>) {
    guard !values.isEmpty else { return }
    message(field) { column in
      for value in values { column.varint(value) }
    }
  }

  private mutating func tag(_ field: UInt8, _ wireType: UInt32) {
    varint(UInt64(field) << 3 | UInt64(wireType))
  }

  private mutating func lengthDelimited(_ field: UInt8, _ content: some Collection<UInt8>) {
    tag(field, WireType.lengthDelimited)
    varint(UInt64(content.count))
    bytes.append(contentsOf: content)
  }

  private mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }
}
