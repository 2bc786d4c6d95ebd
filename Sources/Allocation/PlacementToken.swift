package import Core
package import Ledger

/// What a placement's token says. Whoever holds one has it from us: a code over all of it is its
/// end.
package struct PlacementClaims: Sendable, Equatable, BitwiseCopyable {
  package var reservation: UInt64
  package var lease: UInt64
  /// `splitmix64` of the user id: finds the user's shard again.
  package var userHash: UInt64
  package var item: UInt64
  /// The campaign's key.
  package var campaign: UInt64
  package var amount: Micros
  /// Ledger time, milliseconds.
  package var expires: Int64

  package init(
    reservation: UInt64, lease: UInt64, userHash: UInt64, item: UInt64, campaign: UInt64,
    amount: Micros, expires: Int64
  ) {
    self.reservation = reservation
    self.lease = lease
    self.userHash = userHash
    self.item = item
    self.campaign = campaign
    self.amount = amount
    self.expires = expires
  }
}

extension PlacementClaims {
  /// Whether its exposure may have been at a time, milliseconds since 1970: not before it was
  /// placed, not in the future, but for clocks that are a little off. 0: now.
  ///
  /// - Parameters:
  ///   - now: milliseconds since 1970.
  ///   - ledgerToUnix: what that is ahead of ledger time.
  package func mayBeHeard(
    at time: Int64, now: Int64, ledgerToUnix: Int64, times: LedgerTimes
  ) -> Bool {
    guard time != 0 else { return true }
    let skew = Limits.exposureSkewMilliseconds
    let placed = expires - times.reservation + ledgerToUnix
    return placed - skew <= time && time <= now + skew
  }
}

/// Codes of bytes under the server's keys, as values: the domain knows no cryptography.
package struct TokenSigner: Sendable {
  /// Writes the 32 bytes of the code of a message.
  package let sign: @Sendable (_ message: UnsafeRawBufferPointer, UnsafeMutableRawPointer) -> Void
  /// Whether 32 bytes are the code of a message, under this key or the one before it.
  package let isValid: @Sendable (_ message: UnsafeRawBufferPointer, UnsafeRawPointer) -> Bool

  package init(
    sign: @escaping @Sendable (UnsafeRawBufferPointer, UnsafeMutableRawPointer) -> Void,
    isValid: @escaping @Sendable (UnsafeRawBufferPointer, UnsafeRawPointer) -> Bool
  ) {
    self.sign = sign
    self.isValid = isValid
  }
}

/// A token's bytes: version, seven numbers of 8 bytes (little-endian), a code of 32 bytes.
package enum PlacementToken {
  private static let version: UInt8 = 1
  private static let signedBytes = 1 + 7 * 8
  package static let byteCount = signedBytes + 32

  package static func encode(_ claims: PlacementClaims, _ signer: TokenSigner) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCount) { room, count in
      guard let start = room.baseAddress else { return }
      let bytes = UnsafeMutableRawPointer(start)
      bytes.storeBytes(of: version, as: UInt8.self)
      let numbers: InlineArray<7, UInt64> = [
        claims.reservation, claims.lease, claims.userHash, claims.item, claims.campaign,
        UInt64(bitPattern: claims.amount.value), UInt64(bitPattern: claims.expires),
      ]
      for index in numbers.indices {
        bytes.storeBytes(
          of: numbers[index].littleEndian, toByteOffset: 1 + 8 * index, as: UInt64.self)
      }
      signer.sign(UnsafeRawBufferPointer(start: bytes, count: signedBytes), bytes + signedBytes)
      count = byteCount
    }
  }

  /// What a token says, if it is one of ours and nobody has changed it; else nil.
  package static func decode(_ token: ByteSlice, _ signer: TokenSigner) -> PlacementClaims? {
    guard token.count == byteCount, let bytes = token.bytes.baseAddress else { return nil }
    guard bytes.load(as: UInt8.self) == version,
      signer.isValid(UnsafeRawBufferPointer(start: bytes, count: signedBytes), bytes + signedBytes)
    else { return nil }
    func number(_ index: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 1 + 8 * index, as: UInt64.self))
    }
    return PlacementClaims(
      reservation: number(0), lease: number(1), userHash: number(2), item: number(3),
      campaign: number(4), amount: Micros(Int64(bitPattern: number(5))),
      expires: Int64(bitPattern: number(6)))
  }
}
