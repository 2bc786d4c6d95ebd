internal import Core

/// A `crescendo.v1.ScoreRequest` of a user's id and items' ids, written where it is sent from.
package enum PlainScoreRequest {
  private static let userTag: UInt8 = 2 << 3 | 1
  private static let itemsTag: UInt8 = 5 << 3 | 2

  package static func byteCount(user: UInt64, items: Int) -> Int {
    (user == 0 ? 0 : 9) + (items == 0 ? 0 : WireWriter.fieldBytes(8 * items))
  }

  /// Fills `view` from a message of exactly this form; false when it is any other, and then nothing
  /// is filled. What it accepts is what the full decoder makes of the same bytes.
  @inline(__always)
  static func read(_ message: ByteSlice, into view: inout ScoreRequestView) -> Bool {
    guard let base = message.base else { return false }
    let end = base + message.count
    var (next, user) = (base, UInt64(0))
    if end - next >= 9, next.load(as: UInt8.self) == userTag {
      user = UInt64(littleEndian: (next + 1).loadUnaligned(as: UInt64.self))
      next += 9
    }
    guard end - next >= 2, next.load(as: UInt8.self) == itemsTag else { return false }
    next += 1
    var (count, shift) = (0, 0)
    while next < end, shift <= 21 {
      let byte = Int(next.load(as: UInt8.self))
      next += 1
      count |= (byte & 0x7F) << shift
      if byte < 0x80 {
        guard count == end - next, count & 7 == 0 else { return false }
        (view.userID, view.itemIDs, view.itemIDCount) = (user, next, count >> 3)
        return true
      }
      shift += 7
    }
    return false
  }

  /// Writes `byteCount` bytes.
  package static func write(
    user: UInt64, items: UnsafeBufferPointer<UInt64>, to target: UnsafeMutableRawPointer
  ) {
    var writer = WireWriter(target)
    if user != 0 {
      writer.byte(userTag)
      writer.fixed64(user)
    }
    guard !items.isEmpty else { return }
    writer.byte(itemsTag)
    writer.varint(UInt64(8 * items.count))
    writer.bytes(UnsafeRawPointer(items.baseAddress), 8 * items.count)
  }
}
