internal import Core

/// A message that is a field of another one. It stays bytes, for a decoder of its own: where they
/// lie, or, when they come in several parts, joined in the arena (encoding specification, "Last One
/// Wins": a message that comes in parts is its parts' bytes one after the other).
struct EmbeddedMessage {
  /// Of the field.
  let number: UInt32
  private var parts = 0
  private var byteCount = 0
  private var last = ByteSlice.empty

  init(number: UInt32) {
    self.number = number
  }

  mutating func take(_ field: WireField, _ reader: WireReader) throws(WireError) {
    try reader.expect(WireType.lengthDelimited, field)
    parts += 1
    byteCount += field.valueCount
    last = reader.slice(field)
  }

  /// The whole message, empty when there was none; nil when the arena is full. `reader` stands at
  /// the start of the outer message.
  func joined(_ reader: WireReader, _ arena: UnsafeMutablePointer<Arena>) throws(WireError)
    -> ByteSlice?
  {
    guard parts > 1 else { return last }
    guard let joined = arena.pointee.allocate(byteCount: byteCount, alignment: 8) else {
      return nil
    }
    var (reader, writer) = (reader, WireWriter(joined))
    while !reader.isAtEnd {
      let field = try reader.next()
      if field.number == number { writer.bytes(reader.base + field.valueStart, field.valueCount) }
    }
    return ByteSlice(joined, count: byteCount)
  }

  static func noRoom(_ what: StaticString, _ arena: UnsafeMutablePointer<Arena>) -> CallFailure {
    CallFailure(
      .resourceExhausted,
      "joining \(what) takes more than \(arena.pointee.limitBytes) bytes of memory",
      retryPushbackMilliseconds: -1)
  }
}
