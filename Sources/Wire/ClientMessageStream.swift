package import Core

/// Takes messages of a streamed answer out of DATA of any cut: one after the other.
///
/// Holds at most one message of at most `limitBytes`.
package struct ClientMessageStream: Sendable {
  private var current: ClientMessageAssembler
  private let limitBytes: Int

  package init(limitBytes: Int) {
    self.limitBytes = limitBytes
    self.current = ClientMessageAssembler(limitBytes: limitBytes)
  }

  /// Between messages.
  package var isEmpty: Bool { current.isEmpty }

  /// Takes bytes of the body and hands each whole message to `body`. INTERNAL for a flag that was
  /// not agreed on, RESOURCE_EXHAUSTED for a message over the limit.
  package mutating func append(
    _ bytes: UnsafeRawBufferPointer, _ body: ([UInt8]) -> Void
  ) throws(CallFailure) {
    var rest = bytes
    while !rest.isEmpty {
      let taken = try current.appendPart(rest)
      rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
      guard let message = current.message else { continue }
      current = ClientMessageAssembler(limitBytes: limitBytes)
      body(message)
    }
  }
}
