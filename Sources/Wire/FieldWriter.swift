/// Fields of small messages, as protoc's own writers lay them out: what has its default is left
/// out. Field numbers are below 16.
struct FieldWriter {
  var bytes: [UInt8] = []

  mutating func number(_ field: UInt8, _ value: UInt64) {
    guard value != 0 else { return }
    bytes.append(field << 3 | UInt8(WireType.varint))
    varint(value)
  }

  mutating func fixed64(_ field: UInt8, _ value: UInt64) {
    guard value != 0 else { return }
    bytes.append(field << 3 | UInt8(WireType.fixed64))
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func fixed32(_ field: UInt8, _ value: UInt32) {
    guard value != 0 else { return }
    bytes.append(field << 3 | UInt8(WireType.fixed32))
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func text(_ field: UInt8, _ text: String) {
    guard !text.isEmpty else { return }
    lengthDelimited(field, text.utf8)
  }

  mutating func message(_ field: UInt8, _ message: FieldWriter) {
    lengthDelimited(field, message.bytes)
  }

  private mutating func lengthDelimited(_ field: UInt8, _ content: some Collection<UInt8>) {
    bytes.append(field << 3 | UInt8(WireType.lengthDelimited))
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
