/// Numbers as the value of one of the ledger's notes: 64-bit words, little-endian.
package enum NoteWords {
  package static func encode(_ words: [UInt64]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(words.count * 8)
    for word in words {
      for shift in stride(from: UInt64(0), to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    return bytes
  }

  /// nil: not whole words.
  package static func decode(_ bytes: [UInt8]) -> [UInt64]? {
    guard bytes.count % 8 == 0 else { return nil }
    var words = [UInt64](repeating: 0, count: bytes.count / 8)
    for (index, byte) in bytes.enumerated() {
      words[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8)
    }
    return words
  }

  /// nil: not so many words.
  package static func decode(_ bytes: [UInt8], count: Int) -> [UInt64]? {
    bytes.count == 8 * count ? decode(bytes) : nil
  }
}
