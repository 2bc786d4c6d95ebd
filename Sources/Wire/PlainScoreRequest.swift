internal import Core

/// A `crescendo.v1.ScoreRequest` of a user's id and items' ids, written where it is sent from.
package enum PlainScoreRequest {
  private static let userTag: UInt8 = 2 << 3 | 1
  private static let itemsTag: UInt8 = 5 << 3 | 2

  package static func byteCount(user: UInt64, items: Int) -> Int {
    (user == 0 ? 0 : 9) + (items == 0 ? 0 : WireWriter.fieldBytes(8 * items))
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
