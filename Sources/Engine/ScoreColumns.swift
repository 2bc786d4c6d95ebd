internal import Core

/// Where an answer's columns are written: one value per candidate, little-endian, at any
/// alignment. Slices write into their own positions, from any thread.
package struct ScoreColumns: BitwiseCopyable {
  /// Floats.
  package var scores: UnsafeMutableRawPointer
  /// Doubles, or nil.
  package var rawScores: UnsafeMutableRawPointer?
  /// One byte each: `Fidelity` and `Reason`.
  package var fidelities: UnsafeMutablePointer<UInt8>
  package var reasons: UnsafeMutablePointer<UInt8>
  /// The scores before they are rounded, for boosts; not a column of the answer. Nil = not wanted.
  package var outputs: UnsafeMutablePointer<Double>?

  package init(
    scores: UnsafeMutableRawPointer, rawScores: UnsafeMutableRawPointer?,
    fidelities: UnsafeMutablePointer<UInt8>, reasons: UnsafeMutablePointer<UInt8>,
    outputs: UnsafeMutablePointer<Double>? = nil
  ) {
    self.outputs = outputs
    self.scores = scores
    self.rawScores = rawScores
    self.fidelities = fidelities
    self.reasons = reasons
  }

  /// The same at all positions of a block, column by column.
  func write(
    _ block: Range<Int>, output: Double, raw: Double, _ fidelity: Fidelity, _ reason: Reason
  ) {
    if let outputs {
      (outputs + block.lowerBound).update(repeating: output, count: block.count)
    }
    let score = Float(output)
    for position in block {
      scores.storeBytes(of: score, toByteOffset: position &* 4, as: Float.self)
    }
    if let rawScores {
      for position in block {
        rawScores.storeBytes(of: raw, toByteOffset: position &* 8, as: Double.self)
      }
    }
    (fidelities + block.lowerBound).update(repeating: fidelity.rawValue, count: block.count)
    (reasons + block.lowerBound).update(repeating: reason.rawValue, count: block.count)
  }

  @inline(__always)
  func write(
    _ position: Int, output: Double, raw: Double, _ fidelity: Fidelity, _ reason: Reason
  ) {
    outputs?[position] = output
    scores.storeBytes(of: Float(output), toByteOffset: position * 4, as: Float.self)
    rawScores?.storeBytes(of: raw, toByteOffset: position * 8, as: Double.self)
    fidelities[position] = fidelity.rawValue
    reasons[position] = reason.rawValue
  }
}
