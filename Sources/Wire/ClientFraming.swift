package import Core

/// One message in gRPC's framing: flag, length (big-endian), payload.
package enum ClientFraming {
  /// `message` behind its prefix, uncompressed; nil when its length does not fit the prefix.
  package static func framed(_ message: [UInt8]) -> [UInt8]? {
    guard let length = UInt32(exactly: message.count) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(MessageAssembler.prefixBytes + message.count)
    bytes.append(0)
    for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
    bytes.append(contentsOf: message)
    return bytes
  }
}

/// Puts the one message of a unary answer together from DATA of any cut.
///
/// Holds at most `limitBytes`: a longer message is refused by its prefix, before it is buffered.
package struct ClientMessageAssembler: Sendable {
  private var prefix: [UInt8] = []
  /// Of the payload; nil until the prefix is whole.
  private var expectedBytes: Int?
  private var payload: [UInt8] = []
  private let limitBytes: Int

  package init(limitBytes: Int) {
    self.limitBytes = limitBytes
  }

  /// Nothing has come.
  package var isEmpty: Bool { prefix.isEmpty }
  /// The whole message, or nil while it is not.
  package var message: [UInt8]? { payload.count == expectedBytes ? payload : nil }

  /// Takes bytes of the body. INTERNAL for a flag that was not agreed on, RESOURCE_EXHAUSTED for a
  /// message over the limit, UNIMPLEMENTED for a second message (statuscodes.md).
  package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(CallFailure) {
    guard try appendPart(bytes) == bytes.count else {
      throw CallFailure(.unimplemented, "the server answered a unary call with two messages")
    }
  }

  /// Takes bytes up to the end of the message: how many they were.
  mutating func appendPart(_ bytes: UnsafeRawBufferPointer) throws(CallFailure) -> Int {
    var rest = bytes[...]
    while expectedBytes == nil, let byte = rest.popFirst() {
      prefix.append(byte)
      if prefix.count == MessageAssembler.prefixBytes { try readPrefix() }
    }
    guard let expectedBytes else { return bytes.count }
    let part = rest.prefix(expectedBytes - payload.count)
    payload.append(contentsOf: part)
    return bytes.count - rest.count + part.count
  }

  private mutating func readPrefix() throws(CallFailure) {
    switch prefix[0] {
    case 0: break
    case 1:
      throw CallFailure(.internalError, "the server compressed its answer without being asked to")
    default:
      throw CallFailure(.internalError, "the answer's compression flag is \(prefix[0]), not 0 or 1")
    }
    let length = prefix[1...].reduce(0) { $0 << 8 | Int($1) }
    guard length <= limitBytes else {
      throw CallFailure(
        .resourceExhausted, "the answer has \(length) bytes, over the limit of \(limitBytes)")
    }
    expectedBytes = length
  }
}
