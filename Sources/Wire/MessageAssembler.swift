package import Core

/// Finds the messages of a call in the bytes of its body, one after the other.
///
/// `feed` takes bytes up to the end of a message; then `isComplete`, `message` is valid, and
/// `next` makes room for the one after it. A message that lies whole in the bytes it was fed is
/// not copied: `message` points into them until `keep` or `next`. What has come so far of a longer
/// one is kept in memory that grows with it, so that a prefix that promises much takes nothing.
package struct MessageAssembler {
  /// How many messages a body has.
  package enum Cardinality: UInt8, Sendable {
    /// Exactly one: what a client sends that does not stream.
    case one
    /// As many as come, none included.
    case any
  }

  /// The flag byte and the length, big-endian, before each message.
  @inlinable package static var prefixBytes: Int { 5 }
  /// Memory that is kept from one message of a stream to the next, bytes: the least that is ever
  /// taken.
  private static let keptBytes = 4_096

  /// The longest message, bytes, as it is on the wire; set before the first byte.
  package var limit: Int
  /// Which of `serve`'s limits that is.
  package var limitName: StaticString = "messageBytes"
  package var cardinality: Cardinality
  /// Whether the call's grpc-encoding names a coding that we speak: flag 1 is legal then.
  package var acceptsCompressed: Bool
  private var prefix: UInt64 = 0
  private var prefixCount = 0
  private var length = 0
  /// The whole message in somebody else's bytes.
  private var borrowed: UnsafeRawPointer?
  private var owned: UnsafeMutableRawPointer?
  private var ownedCount = 0
  private var ownedCapacity = 0

  /// `limit`: the longest message, bytes, as it is on the wire.
  package init(
    limit: Int, cardinality: Cardinality = .one, acceptsCompressed: Bool = false
  ) {
    self.limit = limit
    self.cardinality = cardinality
    self.acceptsCompressed = acceptsCompressed
  }

  /// Bytes of memory that it holds.
  package var bufferedBytes: Int { ownedCapacity }

  private var hasPrefix: Bool { prefixCount == MessageAssembler.prefixBytes }

  /// A message is whole and waits for `next`.
  package var isComplete: Bool { hasPrefix && (borrowed != nil || ownedCount == length) }

  /// The message, once it is complete; compressed when `isCompressed`.
  package var message: ByteSlice {
    ByteSlice(borrowed ?? UnsafeRawPointer(owned), count: length)
  }

  /// The message's flag: its bytes are in the coding of the call's grpc-encoding.
  package var isCompressed: Bool { prefix >> 32 == 1 }

  /// Takes bytes of the body, in order, up to the end of a message; answers how many. While a
  /// message of a stream waits for `next`, none are taken.
  ///
  /// INTERNAL for a flag that is neither 0 nor agreed on; RESOURCE_EXHAUSTED, not to be retried,
  /// for a length over the limit; UNIMPLEMENTED for bytes after the only message of a body.
  package mutating func feed(_ bytes: ByteSlice) throws(CallFailure) -> Int {
    guard var cursor = bytes.base, bytes.count > 0 else { return 0 }
    if isComplete && cardinality == .any { return 0 }
    var left = bytes.count
    if !hasPrefix {
      while left > 0, !hasPrefix {
        prefix = prefix << 8 | UInt64(cursor.load(as: UInt8.self))
        prefixCount += 1
        cursor += 1
        left -= 1
      }
      guard hasPrefix else { return bytes.count }
      try readPrefix()
    }
    let missing = borrowed == nil ? length - ownedCount : 0
    guard left <= missing || cardinality == .any else {
      throw CallFailure(
        .unimplemented,
        "the request has bytes after its message: a call that does not stream has one message")
    }
    let count = min(left, missing)
    if count > 0 {
      if ownedCount == 0, count == length {
        borrowed = cursor
      } else {
        append(cursor, count)
      }
    }
    return bytes.count - (left - count)
  }

  private mutating func readPrefix() throws(CallFailure) {
    let flag = UInt8(truncatingIfNeeded: prefix >> 32)
    length = Int(UInt32(truncatingIfNeeded: prefix))
    if flag == 1, !acceptsCompressed {
      throw CallFailure(
        .internalError, "the message is flagged as compressed, but grpc-encoding names no coding")
    }
    guard flag <= 1 else {
      throw CallFailure(
        .internalError,
        "the message's flag byte is \(flag); 0\(acceptsCompressed ? " or 1" : "") is expected")
    }
    guard length <= limit else {
      throw CallFailure(
        .resourceExhausted,
        "the message has \(length) bytes; the limit is \(limit), which "
          + "`serve --limit \(limitName)=…` moves", retryPushbackMilliseconds: -1)
    }
  }

  private mutating func append(_ bytes: UnsafeRawPointer, _ count: Int) {
    let needed = ownedCount + count
    if needed > ownedCapacity {
      let capacity = min(
        length, max(needed, 2 * ownedCapacity, MessageAssembler.keptBytes))
      let grown = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
      if let owned {
        grown.copyMemory(from: owned, byteCount: ownedCount)
        owned.deallocate()
      }
      owned = grown
      ownedCapacity = capacity
    }
    owned.unsafelyUnwrapped.advanced(by: ownedCount).copyMemory(from: bytes, byteCount: count)
    ownedCount = needed
  }

  /// Copies what is borrowed: the bytes that were fed are about to go.
  package mutating func keep() {
    guard let bytes = borrowed else { return }
    borrowed = nil
    append(bytes, length)
  }

  /// Forgets the complete message: `feed` goes on with the one after it.
  package mutating func next() {
    precondition(isComplete, "a message is taken when it is whole")
    prefix = 0
    prefixCount = 0
    length = 0
    borrowed = nil
    ownedCount = 0
    if ownedCapacity > MessageAssembler.keptBytes { free() }
  }

  /// The body has ended: nil when it had the messages that it was to have, each of them whole.
  /// (Messages of a stream are taken by `next` before.)
  package func finish() -> CallFailure? {
    if isComplete || (prefixCount == 0 && cardinality == .any) { return nil }
    if prefixCount == 0 {
      return CallFailure(
        .unimplemented, "the request has no message: a call that does not stream has one")
    }
    guard hasPrefix else {
      return CallFailure(.internalError, "the request ended within the prefix of a message")
    }
    return CallFailure(
      .internalError, "the request ended after \(ownedCount) of \(length) bytes of a message")
  }

  /// Frees what it holds.
  package mutating func dispose() {
    free()
    borrowed = nil
    ownedCount = 0
  }

  private mutating func free() {
    owned?.deallocate()
    owned = nil
    ownedCapacity = 0
  }
}
