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
      let request = try scan(reader, into: &view)
      guard let joined = try request.joined(reader, arena) else {
        return EmbeddedMessage.noRoom("the item's request", arena)
      }
      view.request = joined
      return nil
    } catch {
      return error.failure(messageName)
    }
  }

  private static func scan(_ reader: WireReader, into view: inout ScoreManyRequestView)
    throws(WireError) -> EmbeddedMessage
  {
    var (reader, request) = (reader, EmbeddedMessage(number: 3))
    while !reader.isAtEnd {
      let field = try reader.next()
      switch field.number {
      case 1:
        try reader.expect(WireType.fixed64, field)
        view.sequence = reader.fixed64(field)
      case 2:
        try reader.expect(WireType.fixed32, field)
        view.timeoutMicroseconds = UInt32(
          littleEndian: reader.base.loadUnaligned(
            fromByteOffset: field.valueStart, as: UInt32.self))
      case 3:
        try request.take(field, reader)
      default: continue
      }
    }
    return request
  }
}
