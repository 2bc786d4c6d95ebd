internal import COpenSSL

/// HMAC-SHA-256 (RFC 2104, FIPS 198-1) under one key, whose padded blocks are hashed once.
package struct MessageCode: Sendable {
  package typealias Code = InlineArray<32, UInt8>

  /// Bytes of a code.
  package static let byteCount = 32
  /// The block of SHA-256, bytes.
  private static let blockBytes = 64

  /// After the key's inner and outer block.
  private let inner: SHA256_CTX
  private let outer: SHA256_CTX

  /// `key`: any number of bytes; 32 random ones are as good as it gets.
  package init(key: [UInt8]) {
    var block = key
    if key.count > MessageCode.blockBytes {
      block = key.withUnsafeBytes { SHA256.digest(of: $0) }
    }
    block += [UInt8](repeating: 0, count: MessageCode.blockBytes - block.count)
    inner = MessageCode.begin(block.map { $0 ^ 0x36 })
    outer = MessageCode.begin(block.map { $0 ^ 0x5C })
  }

  private static func begin(_ block: [UInt8]) -> SHA256_CTX {
    var state = SHA256_CTX()
    SHA256_Init(&state)
    SHA256_Update(&state, block, block.count)
    return state
  }

  /// The code of `message`.
  package func code(of message: UnsafeRawBufferPointer) -> Code {
    var code = Code(repeating: 0)
    var state = inner
    SHA256_Update(&state, message.baseAddress, message.count)
    var bytes = code.mutableSpan
    bytes.withUnsafeMutableBufferPointer { room in
      guard let start = room.baseAddress else { return }
      SHA256_Final(start, &state)
      state = outer
      SHA256_Update(&state, start, MessageCode.byteCount)
      SHA256_Final(start, &state)
    }
    return code
  }

  /// Whether `code` (32 bytes) is that of `message`; takes as long for a wrong one.
  package func isValid(_ code: UnsafeRawPointer, for message: UnsafeRawBufferPointer) -> Bool {
    let right = self.code(of: message)
    return right.span.withUnsafeBufferPointer {
      CRYPTO_memcmp($0.baseAddress, code, MessageCode.byteCount) == 0
    }
  }
}
