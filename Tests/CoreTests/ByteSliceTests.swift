import Testing

@testable import Core

struct ByteSliceTests {
  @Test func literalsAreTheirBytes() {
    let slice = ByteSlice("grpc-status")
    #expect(slice.count == 11 && !slice.isEmpty)
    #expect(slice[0] == 0x67 && slice[10] == 0x73)
    #expect(slice.text == "grpc-status")
    #expect(ByteSlice("é").count == 2)
  }

  @Test func emptyOnesAreEqualWhateverTheyPointTo() {
    #expect(ByteSlice.empty.isEmpty)
    #expect(ByteSlice.empty.equals(""))
    #expect(ByteSlice("").equals(ByteSlice.empty))
    #expect(ByteSlice.empty.text == "")
    #expect(ByteSlice.empty.bytes.isEmpty)
    #expect(ByteSlice(UnsafeRawBufferPointer(start: nil, count: 0)).equals(.empty))
  }

  @Test(arguments: [
    ("abc", "abc", true), ("abc", "abd", false), ("abc", "ab", false), ("ab", "abc", false),
    ("", "a", false), ("a\0b", "a\0c", false), ("a\0b", "a\0b", true), ("ABC", "abc", false),
  ])
  func equalityIsThatOfBytes(left: String, right: String, expected: Bool) {
    Array(left.utf8).withUnsafeBytes { left in
      Array(right.utf8).withUnsafeBytes { right in
        #expect(ByteSlice(left).equals(ByteSlice(right)) == expected)
        #expect(ByteSlice(right).equals(ByteSlice(left)) == expected)
      }
    }
  }

  @Test func oneByteOfDifferenceIsSeenWhereverItIs() {
    let bytes = (0..<67).map { UInt8($0) }
    for position in bytes.indices {
      var other = bytes
      other[position] ^= 0x80
      bytes.withUnsafeBytes { left in
        other.withUnsafeBytes { right in
          #expect(!ByteSlice(left).equals(ByteSlice(right)), "byte \(position)")
        }
      }
    }
  }

  @Test func whatIsNotUTF8BecomesTheReplacementCharacter() {
    let bytes: [UInt8] = [0x61, 0xFF, 0x62]
    bytes.withUnsafeBytes { #expect(ByteSlice($0).text == "a\u{FFFD}b") }
  }
}
