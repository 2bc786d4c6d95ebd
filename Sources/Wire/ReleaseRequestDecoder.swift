package import Core

/// Decodes `crescendo.v1.ReleaseRequest`.
package enum ReleaseRequestDecoder {
  package static let messageName: StaticString = "crescendo.v1.ReleaseRequest"

  /// Points `tokens` at the tokens where they lie in `message`, in their order; the pointers are in
  /// the arena. A token may have any length.
  ///
  /// Undecodable bytes: INTERNAL with message name and byte offset. More than
  /// `Limits.releaseTokens`, or no room in the arena: RESOURCE_EXHAUSTED, not to be retried.
  package static func decode(
    _ message: ByteSlice, into tokens: inout UnsafeBufferPointer<ByteSlice>,
    arena: UnsafeMutablePointer<Arena>
  ) -> CallFailure? {
    tokens = UnsafeBufferPointer(start: nil, count: 0)
    guard let base = message.base, message.count > 0 else { return nil }
    let start = WireReader(base, from: 0, to: message.count)
    do throws(WireError) {
      var (reader, count) = (start, 0)
      while !reader.isAtEnd {
        let field = try reader.next()
        guard field.number == 1 else { continue }
        try reader.expect(WireType.lengthDelimited, field)
        count += 1
      }
      guard count <= Limits.releaseTokens else {
        return tooLarge("the request has \(count) tokens; the limit is \(Limits.releaseTokens)")
      }
      guard let slices = arena.pointee.allocate(ByteSlice.self, count: count) else {
        return tooLarge(
          "\(count) tokens take more than \(arena.pointee.limitBytes) bytes of memory")
      }
      (reader, count) = (start, 0)
      while !reader.isAtEnd {
        let field = try reader.next()
        guard field.number == 1 else { continue }
        (slices + count).initialize(to: reader.slice(field))
        count += 1
      }
      tokens = UnsafeBufferPointer(start: slices, count: count)
      return nil
    } catch {
      return error.failure(messageName)
    }
  }
}

/// More than the server takes: not to be retried.
func tooLarge(_ message: String) -> CallFailure {
  CallFailure(.resourceExhausted, message, retryPushbackMilliseconds: -1)
}
