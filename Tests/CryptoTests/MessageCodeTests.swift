import Crypto
import Testing

@Suite struct MessageCodeTests {
  private func hex(_ key: [UInt8], _ message: [UInt8]) -> String {
    let code = message.withUnsafeBytes { MessageCode(key: key).code(of: $0) }
    return code.indices.map {
      let digits = String(code[$0], radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  /// RFC 4231, cases 1, 2, 3 and 6.
  @Test func codesAreThoseOfTheStandard() {
    #expect(
      hex([UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8))
        == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
    #expect(
      hex(Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    #expect(
      hex([UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50))
        == "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe")
    #expect(
      hex(
        [UInt8](repeating: 0xAA, count: 131),
        Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8))
        == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
  }

  @Test func oneBitMakesACodeWrong() {
    let code = MessageCode(key: Array("key".utf8))
    let message = Array("a message".utf8)
    message.withUnsafeBytes { message in
      let right = code.code(of: message)
      var bytes = right.indices.map { right[$0] }
      #expect(bytes.withUnsafeBytes { code.isValid($0.baseAddress!, for: message) })
      for bit in 0..<256 {
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(!bytes.withUnsafeBytes { code.isValid($0.baseAddress!, for: message) })
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      }
    }
  }
}
