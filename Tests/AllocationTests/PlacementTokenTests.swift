import Allocation
import Core
import Testing

/// A code that any change of the message changes: not one to be used outside of tests.
private let signer = TokenSigner(
  sign: { message, room in
    for index in 0..<4 {
      room.storeBytes(
        of: splitmix64(fold(message) &+ UInt64(index)), toByteOffset: 8 * index, as: UInt64.self)
    }
  },
  isValid: { message, code in
    (0..<4).allSatisfy {
      code.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)
        == splitmix64(fold(message) &+ UInt64($0))
    }
  })

private func fold(_ message: UnsafeRawBufferPointer) -> UInt64 {
  message.reduce(0) { splitmix64($0 ^ UInt64($1)) }
}

@Suite struct PlacementTokenTests {
  private func decode(_ token: [UInt8]) -> PlacementClaims? {
    token.withUnsafeBytes { PlacementToken.decode(ByteSlice($0), signer) }
  }

  private let claims = PlacementClaims(
    reservation: 1 << 40 | 7, lease: 1 << 40 | 3, userHash: .max, item: 42, campaign: 1 << 63,
    amount: Micros(15_000), expires: 1_764_000_000_000)

  @Test func aTokenSaysWhatWasSigned() {
    let token = PlacementToken.encode(claims, signer)
    #expect(token.count == PlacementToken.byteCount)
    #expect(decode(token) == claims)
  }

  @Test func everyFlippedBitIsForged() {
    let token = PlacementToken.encode(claims, signer)
    for bit in 0..<8 * token.count {
      var changed = token
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(decode(changed) == nil)
    }
  }

  @Test func anotherLengthIsForged() {
    let token = PlacementToken.encode(claims, signer)
    for count in 0..<token.count { #expect(decode(Array(token[..<count])) == nil) }
    #expect(decode(token + [0]) == nil)
  }
}
