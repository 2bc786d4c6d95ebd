internal import CKernels

/// CRC-32C (Castagnoli), the checksum of a session's frames, by the fastest of its implementations
/// that the CPU has.
package enum CRC32C {
  /// Bytes of a frame's header that its checksum covers: all but the checksum.
  package static let headerBytes = 12

  /// The checksum of what came before, 0 for nothing, carried on over `count` more bytes.
  package static func update(
    _ checksum: UInt32, _ bytes: UnsafeRawPointer?, count: Int
  ) -> UInt32 {
    crescendo_crc32c(checksum, bytes, count)
  }

  /// The checksum of a frame: of `headerBytes` bytes, then of `count` bytes of payload.
  package static func checksum(
    header: UnsafeRawPointer, payload: UnsafeRawPointer?, count: Int
  ) -> UInt32 {
    crescendo_crc32c_frame(header, payload, count)
  }

  /// Makes the whole process use one implementation, which must be available, so that it can be
  /// measured; nil: the fastest again.
  package static func use(_ implementation: Implementation?) {
    precondition(implementation?.isAvailable ?? true, "this CPU has no such instructions")
    crescendo_crc32c_choose(implementation?.rawValue ?? -1)
  }

  /// Slowest first.
  package enum Implementation: Int32, CaseIterable, Sendable {
    /// Eight bytes a time, on any CPU. The others are tested against it.
    case table
    /// The `crc32` instruction, of SSE 4.2 or ARMv8.
    case instruction
    /// Three streams of it, joined by PCLMULQDQ.
    case streams
    /// VPCLMULQDQ on AVX2's registers.
    case folding256
    /// VPCLMULQDQ on AVX-512's registers.
    case folding512

    package static var available: [Implementation] { allCases.filter(\.isAvailable) }

    package var isAvailable: Bool { crescendo_crc32c_available() >> rawValue & 1 == 1 }

    /// As `CRC32C.update`; `self` must be available.
    package func update(_ checksum: UInt32, _ bytes: UnsafeRawPointer?, count: Int) -> UInt32 {
      crescendo_crc32c_by(rawValue, checksum, bytes, count)
    }

    /// As `CRC32C.checksum`; `self` must be available.
    package func checksum(
      header: UnsafeRawPointer, payload: UnsafeRawPointer?, count: Int
    ) -> UInt32 {
      crescendo_crc32c_frame_by(rawValue, header, payload, count)
    }
  }
}
