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

  package init(
    scores: UnsafeMutableRawPointer, rawScores: UnsafeMutableRawPointer?,
    fidelities: UnsafeMutablePointer<UInt8>, reasons: UnsafeMutablePointer<UInt8>
  ) {
    self.scores = scores
    self.rawScores = rawScores
    self.fidelities = fidelities
    self.reasons = reasons
  }

  @inline(__always)
  func write(
    _ position: Int, score: Float, raw: Double, _ fidelity: Fidelity, _ reason: Reason
  ) {
    scores.storeBytes(of: score, toByteOffset: position * 4, as: Float.self)
    rawScores?.storeBytes(of: raw, toByteOffset: position * 8, as: Double.self)
    fidelities[position] = fidelity.rawValue
    reasons[position] = reason.rawValue
  }
}
