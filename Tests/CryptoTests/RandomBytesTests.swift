import Testing

@testable import Crypto

struct RandomBytesTests {
  @Test func numbersDiffer() throws {
    var seen = Set<UInt64>()
    for _ in 0..<1_000 { seen.insert(try RandomBytes.uint64()) }
    // One pair in 10¹³ runs would be equal by chance.
    #expect(seen.count == 1_000)
  }

  @Test func everyByteIsFilled() throws {
    var touched = [Bool](repeating: false, count: 100)
    var bytes = [UInt8](repeating: 0, count: 100)
    for _ in 0..<8 {
      try bytes.withUnsafeMutableBytes { try RandomBytes.fill($0) }
      for (index, byte) in bytes.enumerated() where byte != 0 { touched[index] = true }
    }
    // A byte that is zero eight times by chance: 100 ÷ 2⁶⁴.
    #expect(!touched.contains(false))
  }

  @Test func nothingIsFilledWithNothing() throws {
    try RandomBytes.fill(UnsafeMutableRawBufferPointer(start: nil, count: 0))
  }
}
