package import Core

/// A decoded `crescendo.v1.ScoreManyRequest`. Its request is still bytes: `ScoreRequestDecoder`
/// reads them where they lie.
package struct ScoreManyRequestView: BitwiseCopyable {
  package var sequence: UInt64 = 0
  /// From when the item arrived; 0 = none given.
  package var timeoutMicroseconds: UInt32 = 0
  /// In the message, or, when it came in several parts, joined in the arena.
  package var request = ByteSlice.empty

  package init() {}
}

/// Decodes `crescendo.v1.ScoreManyRequest`.
package enum ScoreManyRequestDecoder {
  package static let messageName: StaticString = "crescendo.v1.ScoreManyRequest"

  /// Fills `view`, new as it is made; its request lives as long as `message` and `arena`.
  ///
  /// Of a number that comes twice the last one counts. A request that comes in parts is its parts
  /// joined (encoding specification, "Last One Wins"), which for messages is their bytes one after
  /// the other. None is an empty request. Undecodable bytes: INTERNAL with message name and byte
  /// offset, and `view` has the sequence if that came before them. No room in the arena for the
  /// joined parts: RESOURCE_EXHAUSTED, not to be retried.
  package static func decode(
    _ message: ByteSlice, into view: inout ScoreManyRequestView,
    arena: UnsafeMutablePointer<Arena>
  ) -> CallFailure? {
    guard let base = message.base, message.count > 0 else { return nil }
    let reader = WireReader(base, from: 0, to: message.count)
    do throws(WireError) {
      let (parts, bytes) = try scan(reader, into: &view)
      guard parts > 1 else { return nil }
      guard let joined = arena.pointee.allocate(byteCount: bytes, alignment: 8) else {
        return CallFailure(
          .resourceExhausted,
          "joining the item's request takes more than \(arena.pointee.limitBytes) bytes of memory",
          retryPushbackMilliseconds: -1)
      }
      try join(reader, into: joined)
      view.request = ByteSlice(joined, count: bytes)
      return nil
    } catch {
      return CallFailure(
        .internalError, "cannot decode \(messageName): byte \(error.offset): \(error.reason)")
    }
  }

  /// Counts the parts of the request and their bytes; a single part is left where it lies.
  private static func scan(_ reader: WireReader, into view: inout ScoreManyRequestView)
    throws(WireError) -> (parts: Int, bytes: Int)
  {
    var (reader, parts, bytes) = (reader, 0, 0)
    while !reader.isAtEnd {
      let field = try reader.next()
      let expected: UInt32
      switch field.number {
      case 1: expected = WireType.fixed64
      case 2: expected = WireType.fixed32
      case 3: expected = WireType.lengthDelimited
      default: continue
      }
      guard field.wireType == expected else {
        throw WireError(offset: field.start, reason: "a field of another wire type than declared")
      }
      let value = reader.base + field.valueStart
      switch field.number {
      case 1: view.sequence = UInt64(littleEndian: value.loadUnaligned(as: UInt64.self))
      case 2: view.timeoutMicroseconds = UInt32(littleEndian: value.loadUnaligned(as: UInt32.self))
      default:
        parts += 1
        bytes += field.valueCount
        view.request = ByteSlice(value, count: field.valueCount)
      }
    }
    return (parts, bytes)
  }

  private static func join(_ reader: WireReader, into joined: UnsafeMutableRawPointer)
    throws(WireError)
  {
    var (reader, writer) = (reader, WireWriter(joined))
    while !reader.isAtEnd {
      let field = try reader.next()
      if field.number == 3 { writer.bytes(reader.base + field.valueStart, field.valueCount) }
    }
  }
}
