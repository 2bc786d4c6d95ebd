package import Core

/// Finds the one message of a unary request in the bytes of its body.
///
/// A message that lies whole in the bytes it was fed is not copied: `message` points into them
/// until `keep` or the next `feed`. What has come so far of a longer one is kept in memory that
/// grows with it, so that a prefix that promises much takes nothing.
package struct MessageAssembler {
  /// The flag byte and the length, big-endian, before each message.
  package static let prefixBytes = 5

  private let limit: Int
  private var prefix: UInt64 = 0
  private var prefixCount = 0
  private var length = 0
  /// The whole message in somebody else's bytes.
  private var borrowed: UnsafeRawPointer?
  private var owned: UnsafeMutableRawPointer?
  private var ownedCount = 0
  private var ownedCapacity = 0

  /// `limit`: the longest message, bytes.
  package init(limit: Int) {
    self.limit = limit
  }

  /// Bytes of memory that it holds.
  package var bufferedBytes: Int { ownedCapacity }

  /// The message, once `finish` has found it whole.
  package var message: ByteSlice {
    ByteSlice(borrowed ?? UnsafeRawPointer(owned), count: length)
  }

  private var hasPrefix: Bool { prefixCount == MessageAssembler.prefixBytes }

  /// Takes bytes of the body, in order. An answer is why the call fails.
  package mutating func feed(_ bytes: ByteSlice) -> CallFailure? {
    guard var cursor = bytes.base, bytes.count > 0 else { return nil }
    var left = bytes.count
    keep()
    if !hasPrefix {
      while left > 0, !hasPrefix {
        prefix = prefix << 8 | UInt64(cursor.load(as: UInt8.self))
        prefixCount += 1
        cursor += 1
        left -= 1
      }
      guard hasPrefix else { return nil }
      if let failure = readPrefix() { return failure }
    }
    guard left > 0 else { return nil }
    let missing = length - ownedCount
    guard left <= missing else {
      return CallFailure(
        .unimplemented, "the request has bytes after its message: a unary call has one message")
    }
    if ownedCount == 0, left == length {
      borrowed = cursor
    } else {
      append(cursor, left)
    }
    return nil
  }

  private mutating func readPrefix() -> CallFailure? {
    let flag = UInt8(truncatingIfNeeded: prefix >> 32)
    length = Int(UInt32(truncatingIfNeeded: prefix))
    if flag == 1 {
      return CallFailure(
        .internalError, "the message is flagged as compressed, but grpc-encoding names no coding")
    }
    guard flag == 0 else {
      return CallFailure(.internalError, "the message's flag byte is \(flag); 0 is expected")
    }
    guard length <= limit else {
      return CallFailure(
        .resourceExhausted, "the message has \(length) bytes; the limit is \(limit)",
        retryPushbackMilliseconds: -1)
    }
    return nil
  }

  private mutating func append(_ bytes: UnsafeRawPointer, _ count: Int) {
    let needed = ownedCount + count
    if needed > ownedCapacity {
      let capacity = min(length, max(needed, 2 * ownedCapacity, 4_096))
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

  /// The body has ended: nil when exactly one whole message was in it.
  package func finish() -> CallFailure? {
    if prefixCount == 0 {
      return CallFailure(.unimplemented, "the request has no message: a unary call has one")
    }
    guard hasPrefix else {
      return CallFailure(.internalError, "the request ended within the prefix of its message")
    }
    guard borrowed != nil || ownedCount == length else {
      return CallFailure(
        .internalError, "the request ended after \(ownedCount) of \(length) bytes of its message")
    }
    return nil
  }

  /// Frees what it holds.
  package mutating func dispose() {
    owned?.deallocate()
    owned = nil
    borrowed = nil
    ownedCount = 0
    ownedCapacity = 0
  }
}
