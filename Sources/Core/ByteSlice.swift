/// Bytes that somebody else owns: a pointer and a count, for as long as the owner says.
///
/// The hot path passes these instead of `String` and `Array`: nothing is copied, counted or
/// allocated. Whoever hands one out says how long it lives.
// Unchecked: a slice is a plain address; who may read it, and until when, is its owner's promise.
package struct ByteSlice: BitwiseCopyable, @unchecked Sendable {
  package var base: UnsafeRawPointer?
  package var count: Int

  @inlinable
  package init(_ base: UnsafeRawPointer?, count: Int) {
    self.base = base
    self.count = count
  }

  @inlinable
  package init(_ bytes: UnsafeRawBufferPointer) {
    self.base = bytes.baseAddress
    self.count = bytes.count
  }

  /// A slice of a string literal, which lives as long as the process.
  @inlinable
  package init(_ literal: StaticString) {
    self.base = UnsafeRawPointer(literal.utf8Start)
    self.count = literal.utf8CodeUnitCount
  }

  @inlinable
  package static var empty: ByteSlice { ByteSlice(nil, count: 0) }

  @inlinable
  package var isEmpty: Bool { count == 0 }

  @inlinable
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  @inlinable
  package subscript(index: Int) -> UInt8 { bytes[index] }

  /// The bytes as text, with U+FFFD for what is not UTF-8. Allocates: not for the hot path.
  package var text: String { String(decoding: bytes, as: UTF8.self) }

  @inlinable
  package func equals(_ other: ByteSlice) -> Bool {
    count == other.count && bytes.elementsEqual(other.bytes)
  }

  @inlinable
  package func equals(_ literal: StaticString) -> Bool {
    equals(ByteSlice(literal))
  }
}
