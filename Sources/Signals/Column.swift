/// A signal: one value per row of its table.
package struct Column: Sendable {
  package let name: String
  package let values: ColumnValues

  @inlinable
  package var type: ElementType { values.type }
  @inlinable
  package var base: UnsafeRawPointer { values.base }
  @inlinable
  package var rowCount: Int { values.rowCount }

  /// The value at `row` as a double, exactly; NaN is missing, a BOOL is 0 or 1.
  @inlinable
  package func value(_ row: Int) -> Double { values.value(row) }
}

/// The values of a column, without its name: a hot loop can copy it for nothing.
// Unchecked: nobody writes to the bytes, and they live as long as the table they belong to, which
// whoever reads them holds.
package struct ColumnValues: BitwiseCopyable, @unchecked Sendable {
  package let type: ElementType
  /// `rowCount` elements, little-endian, at any alignment.
  package let base: UnsafeRawPointer
  package let rowCount: Int

  package init(type: ElementType, base: UnsafeRawPointer, rowCount: Int) {
    self.type = type
    self.base = base
    self.rowCount = rowCount
  }

  /// The value at `row`, which must be below `rowCount`, as a double, exactly: integers beyond
  /// 2⁵³ were refused when the table was loaded. NaN is missing, a BOOL is 0 or 1.
  @inlinable
  package func value(_ row: Int) -> Double {
    assert(row >= 0 && row < rowCount)
    switch type {
    case .f64: return Double(bitPattern: element(row, UInt64.self))
    case .f32: return Double(Float(bitPattern: element(row, UInt32.self)))
    case .f16: return Double(Float16(bitPattern: element(row, UInt16.self)))
    case .i64: return Double(element(row, Int64.self))
    case .i32: return Double(element(row, Int32.self))
    case .i16: return Double(element(row, Int16.self))
    case .i8: return Double(element(row, Int8.self))
    case .u8, .bool: return Double(element(row, UInt8.self))
    case .u64: return Double(element(row, UInt64.self))
    }
  }

  @inlinable
  func element<Element: FixedWidthInteger & BitwiseCopyable>(_ row: Int, _ type: Element.Type)
    -> Element
  {
    let address = base + row &* MemoryLayout<Element>.size
    return Element(littleEndian: address.loadUnaligned(as: Element.self))
  }
}
