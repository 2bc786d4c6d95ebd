package import Core

/// A decoded `crescendo.v1.AllocateRequest`. Its request is still bytes: `ScoreRequestDecoder`
/// reads them where they lie, and its failures are told with `CallFailure.inside("request")`.
package struct AllocateRequestView: BitwiseCopyable {
  /// Exactly `Limits.allocationIDBytes`.
  package var requestID = ByteSlice.empty
  /// 1 to `Limits.allocationSlots`.
  package var slots = 0
  /// In the message, or, when it came in several parts, joined in the arena.
  package var request = ByteSlice.empty

  package init() {}
}

/// Decodes `crescendo.v1.AllocateRequest`.
package enum AllocateRequestDecoder {
  package static let messageName: StaticString = "crescendo.v1.AllocateRequest"

  /// Fills `view`, new as it is made; its slices live as long as `message` and `arena`.
  ///
  /// Of a value that comes twice the last one counts. Undecodable bytes: INTERNAL with message name
  /// and byte offset. Another length of `request_id`, or slots out of range: INVALID_ARGUMENT with
  /// the field. No room in the arena: RESOURCE_EXHAUSTED, not to be retried.
  package static func decode(
    _ message: ByteSlice, into view: inout AllocateRequestView,
    arena: UnsafeMutablePointer<Arena>
  ) -> CallFailure? {
    if let base = message.base, message.count > 0 {
      let reader = WireReader(base, from: 0, to: message.count)
      do throws(WireError) {
        let request = try scan(reader, into: &view)
        guard let joined = try request.joined(reader, arena) else {
          return EmbeddedMessage.noRoom("the request", arena)
        }
        view.request = joined
      } catch {
        return error.failure(messageName)
      }
    }
    guard view.requestID.count == Limits.allocationIDBytes else {
      return CallFailure(
        .invalidArgument,
        "request_id has \(view.requestID.count) bytes; it takes \(Limits.allocationIDBytes)",
        field: "request_id")
    }
    guard (1...Limits.allocationSlots).contains(view.slots) else {
      return CallFailure(
        .invalidArgument, "slots \(view.slots): 1 to \(Limits.allocationSlots) are possible",
        field: "slots")
    }
    return nil
  }

  private static func scan(_ reader: WireReader, into view: inout AllocateRequestView)
    throws(WireError) -> EmbeddedMessage
  {
    var (reader, request) = (reader, EmbeddedMessage(number: 3))
    while !reader.isAtEnd {
      let field = try reader.next()
      switch field.number {
      case 1:
        try reader.expect(WireType.lengthDelimited, field)
        view.requestID = reader.slice(field)
      case 2:
        try reader.expect(WireType.varint, field)
        // A uint32 is the low half of what comes (encoding specification, "Integers").
        view.slots = Int(UInt32(truncatingIfNeeded: reader.number(field)))
      case 3:
        try request.take(field, reader)
      default: continue
      }
    }
    return request
  }
}
