import Testing

@testable import Signals

struct ColumnTests {
  /// IEEE 754 binary16, spelled out: sign, five bits of exponent, ten of significand.
  private func half(_ bits: UInt16) -> Double {
    let exponent = Int(bits >> 10 & 31)
    let significand = Double(bits & 1_023)
    let magnitude: Double
    switch exponent {
    case 0: magnitude = significand * 0x1p-24
    case 31: magnitude = significand == 0 ? .infinity : .nan
    default:
      magnitude = Double(sign: .plus, exponent: exponent - 15, significand: 1 + significand / 1_024)
    }
    return bits >> 15 == 1 ? -magnitude : magnitude
  }

  /// Both columns lie one byte off any alignment.
  @Test func everyHalfIsWidenedExactly() {
    let patterns = (0...UInt16.max).map { $0 }
    let file = fileBytes(littleEndianBytes(patterns), isOdd: true)
    file.withBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      let values = ColumnValues(type: .f16, base: base, rowCount: patterns.count)
      var wrong = 0
      for (row, pattern) in patterns.enumerated() {
        let value = values.value(row)
        let expected = half(pattern)
        let isRight = expected.isNaN ? value.isNaN : value.bitPattern == expected.bitPattern
        let isSwifts = expected.isNaN || value == Double(Float16(bitPattern: pattern))
        if !isRight || !isSwifts { wrong += 1 }
      }
      #expect(wrong == 0)
    }
  }

  static let elements: [(ElementType, [UInt8], [Double])] = [
    (
      .f64, littleEndianBytes([0x3FF0_0000_0000_0001, 1 << 63] as [UInt64]),
      [0x1.0000000000001p0, -0.0]
    ),
    (.f64, littleEndianBytes([1, 0x7FF0 << 48] as [UInt64]), [.leastNonzeroMagnitude, .infinity]),
    (
      .f32, littleEndianBytes([1, 0x7F7F_FFFF, 0xFF80_0000] as [UInt32]),
      [0x1p-149, 0x1.fffffep127, -.infinity]
    ),
    (.i64, littleEndianBytes([1 << 53, -1] as [Int64]), [0x1p53, -1]),
    (.i32, littleEndianBytes([.min, .max] as [Int32]), [-2_147_483_648, 2_147_483_647]),
    (.i16, littleEndianBytes([.min, .max] as [Int16]), [-32_768, 32_767]),
    (.i8, littleEndianBytes([.min, .max] as [Int8]), [-128, 127]),
    (.u8, [0, 128, 255], [0, 128, 255]),
    (.bool, [0, 1], [0, 1]),
    (.u64, littleEndianBytes([1 << 53] as [UInt64]), [0x1p53]),
  ]

  @Test(arguments: elements)
  func everyTypeIsWidenedExactly(type: ElementType, bytes: [UInt8], expected: [Double]) {
    let file = fileBytes(bytes, isOdd: true)
    file.withBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      let column = Column(
        name: "c",
        values: ColumnValues(type: type, base: base, rowCount: expected.count))
      #expect(column.rowCount * column.type.byteCount == bytes.count)
      for (row, value) in expected.enumerated() {
        #expect(column.value(row).bitPattern == value.bitPattern)
      }
    }
  }

  @Test func notANumberIsMissingInEveryFloat() {
    for (type, bytes) in [
      (ElementType.f64, [0, 0, 0, 0, 0, 0, 0xF8, 0x7F]), (.f32, [0, 0, 0xC0, 0xFF]),
      (.f16, [1, 0x7C]),
    ] as [(ElementType, [UInt8])] {
      fileBytes(bytes).withBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        #expect(ColumnValues(type: type, base: base, rowCount: 1).value(0).isNaN)
      }
    }
  }
}
