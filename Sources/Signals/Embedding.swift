/// A vector per row of a table.
// Unchecked: nobody writes to the bytes, and they live as long as the table they belong to, which
// whoever reads them holds.
package struct Embedding: @unchecked Sendable {
  package let name: String
  /// F32, F16 or I8.
  package let type: ElementType
  /// Elements of one vector, at least 1.
  package let dimension: Int
  package let rowCount: Int
  /// `rowCount` × `dimension` elements, little-endian, row after row, at any alignment.
  package let base: UnsafeRawPointer
  /// For I8: `rowCount` finite floats, little-endian, at any alignment; nil otherwise.
  package let scales: UnsafeRawPointer?

  /// Bytes from one vector to the next.
  @inlinable
  package var rowByteCount: Int { dimension &* type.byteCount }

  /// The vector of `row`, which must be below `rowCount`.
  @inlinable
  package func row(_ row: Int) -> UnsafeRawPointer {
    assert(row >= 0 && row < rowCount)
    return base + row &* rowByteCount
  }

  /// What the integers of `row` are multiplied with; 1 for floats.
  @inlinable
  package func scale(_ row: Int) -> Float {
    assert(row >= 0 && row < rowCount)
    guard let scales else { return 1 }
    let bits = (scales + row &* 4).loadUnaligned(as: UInt32.self)
    return Float(bitPattern: UInt32(littleEndian: bits))
  }
}
