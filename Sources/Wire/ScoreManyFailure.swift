package import Core

/// A `ScoreManyResponse` for an item that failed: its sequence, the code, the sentence. The call
/// and its other items go on.
package enum ScoreManyFailure {
  /// Bytes that `write` may take.
  package static func capacity(_ failure: CallFailure) -> Int {
    9 + 2
      + WireWriter.fieldBytes(min(failure.message.utf8.count, Limits.statusDetailBytes))
  }

  /// Writes the whole message into `buffer`, which has `capacity` bytes; answers how many bytes.
  /// The sentence is cut at `Limits.statusDetailBytes`.
  package static func write(
    sequence: UInt64, _ failure: CallFailure, into buffer: UnsafeMutableRawPointer
  ) -> Int {
    var writer = WireWriter(buffer)
    writer.byte(0x09)
    writer.fixed64(sequence)
    writer.byte(0x10)
    writer.byte(UInt8(truncatingIfNeeded: failure.code.rawValue))
    var message = StatusText.bounded(failure.message)
    message.withUTF8 { text in
      writer.byte(0x1A)
      writer.varint(UInt64(text.count))
      writer.bytes(text.baseAddress, text.count)
    }
    return writer.cursor - buffer
  }
}
