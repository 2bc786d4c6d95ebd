package import Allocation
internal import Core
internal import Crypto
package import Syscalls

/// The keys that placements are signed with: 32 random bytes in the data folder, and those before
/// them, which are still taken for as long as a lease lasts.
package enum TokenKeys {
  /// Bytes of a key.
  package static let byteCount = MessageCode.byteCount

  private static let current = "token.key"
  private static let previous = "token-previous.key"

  /// The signer of a folder. `fresh`, random bytes, becomes the key where there is none, or where
  /// it is older than `Limits.tokenKeySeconds`. `nowSeconds`: since 1970.
  package static func signer(_ folder: DataFolder, fresh: [UInt8], nowSeconds: Int64)
    throws(SystemError) -> TokenSigner
  {
    var key = try folder.secret(current, byteCount: byteCount)
    var changed = folder.lastWritten(current) ?? nowSeconds
    if key != nil, nowSeconds - changed > Limits.tokenKeySeconds {
      try folder.rename(current, to: previous)
      key = nil
    }
    guard let key else {
      try folder.writeSecret(current, fresh)
      return signer(fresh, previous: try folder.secret(previous, byteCount: byteCount))
    }
    changed += Limits.serving.leaseMilliseconds / 1_000
    let old = nowSeconds <= changed ? try folder.secret(previous, byteCount: byteCount) : nil
    return signer(key, previous: old)
  }

  static func signer(_ key: [UInt8], previous: [UInt8]?) -> TokenSigner {
    let code = MessageCode(key: key)
    let old = previous.map { MessageCode(key: $0) }
    return TokenSigner(
      sign: { message, room in
        let bytes = code.code(of: message)
        for index in bytes.indices {
          room.storeBytes(of: bytes[index], toByteOffset: index, as: UInt8.self)
        }
      },
      isValid: { message, bytes in
        code.isValid(bytes, for: message) || old?.isValid(bytes, for: message) == true
      })
  }
}
