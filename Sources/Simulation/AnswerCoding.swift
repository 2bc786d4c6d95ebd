internal import Allocation
internal import Core
internal import Ledger

/// Answers as bytes: what clients compare, and read their tokens from.
enum AnswerCoding {
  static func encode(
    _ placements: [GrantedPlacement], name: RequestName, digest: UInt64, at: Int64, version: Int
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(48 + placements.count * 160)
    bytes.append(value: name.user)
    bytes.append(value: name.id)
    bytes.append(value: digest)
    bytes.append(value: at)
    bytes.append(value: version)
    bytes.append(value: placements.count)
    for placement in placements {
      bytes.append(value: placement.reservation.id)
      bytes.append(value: placement.reservation.placement.campaign)
      bytes.append(value: placement.reservation.placement.amount.value)
      bytes.append(value: placement.reservation.placement.artist)
      bytes.append(value: placement.reservation.placement.release)
      bytes.append(value: placement.reservation.expires)
      bytes += placement.token
    }
    return bytes
  }

  static func decode(_ bytes: [UInt8]) -> AnsweredRequest {
    bytes.withUnsafeBytes { room in
      var at = 0
      func next<Value: BitwiseCopyable>(_ type: Value.Type = Value.self) -> Value {
        defer { at += MemoryLayout<Value>.size }
        return room.loadUnaligned(fromByteOffset: at, as: Value.self)
      }
      var answer = AnsweredRequest(
        name: RequestName(user: next(), id: next()), digest: next(), bytes: bytes, at: next(),
        version: next(), placements: [])
      for _ in 0..<next(Int.self) {
        var placed = AnsweredRequest.Placed(
          reservation: next(), campaign: next(), amount: next(), artist: next(), release: next(),
          expires: next(), token: [])
        placed.token = Array(room[at..<(at + PlacementToken.byteCount)])
        at += PlacementToken.byteCount
        answer.placements.append(placed)
      }
      return answer
    }
  }
}

extension TokenSigner {
  /// A code that any change of the message changes: not one to be used outside of a simulation.
  static func simulated(key: UInt64) -> TokenSigner {
    @Sendable func code(_ message: UnsafeRawBufferPointer) -> UInt64 {
      var sum = key
      var at = 0
      while at < message.count {
        let count = min(8, message.count - at)
        var word: UInt64 = 0
        withUnsafeMutableBytes(of: &word) { room in
          room.copyMemory(from: UnsafeRawBufferPointer(rebasing: message[at..<(at + count)]))
        }
        sum = splitmix64(sum ^ word)
        at += count
      }
      return sum
    }
    return TokenSigner(
      sign: { message, room in
        let sum = code(message)
        for index in 0..<4 {
          let word = splitmix64(sum &+ UInt64(index))
          room.storeBytes(of: word, toByteOffset: 8 * index, as: UInt64.self)
        }
      },
      isValid: { message, given in
        let sum = code(message)
        return (0..<4).allSatisfy {
          given.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)
            == splitmix64(sum &+ UInt64($0))
        }
      })
  }
}
