import Core
import Testing

@testable import Crypto

private func hex(_ bytes: [UInt8]) -> String {
  bytes.map { byte in
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }.joined()
}

struct SHA256Tests {
  /// FIPS 180-2, appendix B, and the empty message.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func publishedDigests(text: String, expected: String) {
    let digest = Array(text.utf8).withUnsafeBytes { SHA256.digest(of: $0) }
    #expect(hex(digest) == expected)
  }

  @Test func millionLettersPieceByPiece() {
    var hash = SHA256()
    let piece = [UInt8](repeating: 0x61, count: 999)
    for _ in 0..<1_001 { piece.withUnsafeBytes { hash.update($0) } }
    piece[..<1].withUnsafeBytes { hash.update($0) }
    hash.update(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(
      hex(hash.finish()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test func everySplitGivesTheSameDigest() {
    let bytes = (0..<200).map { UInt8(truncatingIfNeeded: splitmix64($0)) }
    let whole = bytes.withUnsafeBytes { SHA256.digest(of: $0) }
    for split in 0...bytes.count {
      var hash = SHA256()
      bytes[..<split].withUnsafeBytes { hash.update($0) }
      bytes[split...].withUnsafeBytes { hash.update($0) }
      #expect(hash.finish() == whole)
    }
  }
}
