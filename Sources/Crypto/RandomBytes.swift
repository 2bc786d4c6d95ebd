internal import COpenSSL

/// OpenSSL could not give random bytes: its generator was never seeded.
package struct RandomBytesError: Error, Sendable, Equatable, CustomStringConvertible {
  package var description: String { "OpenSSL has no random bytes: its generator is not seeded" }
}

/// Bytes that nobody can foresee, from OpenSSL's generator.
package enum RandomBytes {
  /// Fills `buffer`, of at most `Int32.max` bytes.
  package static func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(RandomBytesError) {
    guard !buffer.isEmpty else { return }
    let start = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard let count = Int32(exactly: buffer.count), RAND_bytes(start, count) == 1 else {
      throw RandomBytesError()
    }
  }

  /// One random number of 64 bits.
  package static func uint64() throws(RandomBytesError) -> UInt64 {
    var value: UInt64 = 0
    try withUnsafeMutableBytes(of: &value) { (bytes) throws(RandomBytesError) in
      try fill(bytes)
    }
    return value
  }
}
