package import Core

/// What a client that makes very many calls looks at in a `crescendo.v1.ScoreResponse`: counted
/// from the wire, without decoding or allocating anything.
package struct ClientScoreScan: BitwiseCopyable, Sendable {
  /// Scores that the answer has.
  package private(set) var scoreCount = 0
  /// Positions with fidelity NONE.
  package private(set) var unscoredCount = 0
  /// Where the scores begin in the message: floats of 4 bytes, little-endian, at any alignment; nil
  /// when they do not lie there in one piece.
  package private(set) var scoresOffset: Int?
  private var allFidelity: UInt64 = 0
  private var positionCount = 0
  /// Of the positions that are not NONE.
  private var lowest: UInt64 = .max

  /// Numbers of the fields of `ScoreResponse`.
  private enum Field {
    static let scores: UInt32 = 3
    static let allFidelity: UInt32 = 5
    static let fidelities: UInt32 = 6
  }

  /// Nil when the bytes are no such message. Strings and the columns beside scores and fidelities
  /// are walked over, not looked into.
  package init?(_ message: UnsafeRawBufferPointer) {
    guard let base = message.baseAddress else { return }
    var reader = WireReader(base, from: 0, to: message.count)
    do throws(WireError) {
      while !reader.isAtEnd {
        let field = try reader.next()
        guard take(field, base) else { return nil }
      }
    } catch {
      return nil
    }
    if positionCount == 0, allFidelity == UInt64(Fidelity.none.rawValue) {
      unscoredCount = scoreCount
    }
  }

  private mutating func take(_ field: WireField, _ base: UnsafeRawPointer) -> Bool {
    switch (field.number, field.wireType) {
    case (Field.scores, WireType.lengthDelimited):
      guard field.valueCount % 4 == 0 else { return false }
      scoresOffset = scoreCount == 0 ? field.valueStart : nil
      scoreCount += field.valueCount / 4
    case (Field.scores, WireType.fixed32):
      scoresOffset = scoreCount == 0 ? field.valueStart : nil
      scoreCount += 1
    case (Field.allFidelity, WireType.varint):
      var offset = field.valueStart
      guard let value = Self.varint(base, &offset, field.end) else { return false }
      allFidelity = value
    case (Field.fidelities, WireType.lengthDelimited), (Field.fidelities, WireType.varint):
      var offset = field.valueStart
      while offset < field.end {
        guard let value = Self.varint(base, &offset, field.end) else { return false }
        note(value)
      }
    case (Field.scores, _), (Field.allFidelity, _), (Field.fidelities, _): return false
    default: break
    }
    return true
  }

  private mutating func note(_ fidelity: UInt64) {
    positionCount += 1
    if fidelity == UInt64(Fidelity.none.rawValue) {
      unscoredCount += 1
    } else {
      lowest = min(lowest, fidelity)
    }
  }

  /// The answer's one level: the lowest of the positions that have a score, NONE when none has,
  /// UNSPECIFIED when it does not say or says something unknown.
  package var fidelity: Fidelity {
    let number =
      positionCount == 0
      ? allFidelity : lowest == .max ? UInt64(Fidelity.none.rawValue) : lowest
    return UInt8(exactly: number).flatMap(Fidelity.init(rawValue:)) ?? .unspecified
  }

  /// Whether this can answer a batch of `candidateCount`.
  package func isAnswer(candidateCount: Int) -> Bool {
    scoreCount == candidateCount && (positionCount == 0 || positionCount == candidateCount)
  }

  private static func varint(_ base: UnsafeRawPointer, _ offset: inout Int, _ end: Int) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while offset < end, shift < 70 {
      let byte = base.load(fromByteOffset: offset, as: UInt8.self)
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }
}
