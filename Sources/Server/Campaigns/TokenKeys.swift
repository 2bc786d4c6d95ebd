package import Allocation
internal import Core
internal import Crypto
package import Syscalls

/// The keys that placements are signed with: 32 random bytes in the data folder, and those before
/// them, which are still taken for as long as a lease lasts.
///
/// A key that is missing beside a ledger that was used is refused, not made anew: with another key
/// every placement that is out would be answered FORGED, and whoever showed it would not be paid,
/// without a word to either side. The key is durable before the ledger's first commit, and changing
/// it never leaves the folder without one, so that no crash looks like this.
package enum TokenKeys {
  /// Bytes of a key.
  package static let byteCount = MessageCode.byteCount

  package static let fileName = "token.key"
  private static let previous = "token-previous.key"

  /// What became of the key in a start.
  package enum Change: Sendable, Equatable {
    case kept
    /// There was none, and nothing was ever signed.
    case made
    /// It was older than `Limits.tokenKeySeconds`.
    case replaced
  }

  /// The signer of a folder. `fresh`, random bytes, becomes the key where there is none yet, or
  /// where it is too old. `nowSeconds`: since 1970. `isUsed`: whether the ledger holds anything.
  package static func signer(
    _ folder: DataFolder, fresh: [UInt8], nowSeconds: Int64, isUsed: Bool
  ) throws(TokenKeyError) -> (signer: TokenSigner, change: Change) {
    guard let key = try secret(folder, fileName) else {
      guard !isUsed else { throw .missing(path: folder.path + "/" + fileName) }
      try write(folder, fileName, fresh)
      return (signer(fresh, previous: nil), .made)
    }
    let changed = folder.lastWritten(fileName) ?? nowSeconds
    if nowSeconds - changed > Limits.tokenKeySeconds {
      try write(folder, previous, key)
      try write(folder, fileName, fresh)
      return (signer(fresh, previous: key), .replaced)
    }
    let takesPrevious = nowSeconds <= changed + Limits.serving.leaseMilliseconds / 1_000
    return (signer(key, previous: takesPrevious ? try secret(folder, previous) : nil), .kept)
  }

  private static func secret(
    _ folder: DataFolder, _ name: String
  ) throws(TokenKeyError) -> [UInt8]? {
    do throws(SecretFileError) {
      return try folder.secret(name, byteCount: byteCount)
    } catch {
      throw .unusable(error)
    }
  }

  private static func write(
    _ folder: DataFolder, _ name: String, _ key: [UInt8]
  ) throws(TokenKeyError) {
    do throws(SystemError) {
      try folder.writeSecret(name, key)
    } catch {
      throw .unusable(.system(error))
    }
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

/// Why a server does not sign.
package enum TokenKeyError: Error, Sendable, Equatable, CustomStringConvertible {
  case missing(path: String)
  case unusable(SecretFileError)

  package var description: String {
    let bytes = TokenKeys.byteCount
    switch self {
    case .missing(let path):
      return "\(path) is missing, and the ledger has been used: placements that are out are signed "
        + "with that key. Put it back (\(bytes) bytes, mode 600). If it is lost, "
        + "`(umask 077; head -c \(bytes) /dev/urandom > \(path))` makes another: exposures of "
        + "placements that are out are then refused as forged, and what is reserved for them goes "
        + "back to its budgets in time"
    case .unusable(let error):
      return "the key that placements are signed with: \(error)"
    }
  }
}
