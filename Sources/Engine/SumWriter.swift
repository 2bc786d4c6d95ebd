internal import Core
internal import Models

/// Writes answers of one level: the formula of a score, in one place.
struct SumWriter {
  private let columns: ScoreColumns
  private let byPosition: Bool
  private let output: OutputTransform
  private let correction: Double
  private let fidelity: Fidelity
  private let reason: Reason

  @inline(__always)
  init(_ slice: ScoreSlicePointer, _ blueprint: Blueprint, _ level: Int, _ reason: Reason) {
    guard let columns = slice.pointee.columns else {
      preconditionFailure("laid out before it is scored")
    }
    self.columns = columns
    byPosition = slice.pointee.writesByPosition
    output = blueprint.output
    correction = blueprint.levels.correction(level)
    fidelity = blueprint.levels.fidelity(level)
    self.reason = reason
  }

  /// `sum` is the raw sum of the level's trees; the score is corrected by what the others add on
  /// average.
  @inline(__always)
  func write(_ index: Int, _ position: Int, _ sum: Double) {
    write(index, position, output: output(of: sum), sum)
  }

  /// Of a sum: corrected, in units of the output. Whoever writes it rounds it once.
  @inline(__always)
  func output(of sum: Double) -> Double { output(sum + correction) }

  @inline(__always)
  func write(_ index: Int, _ position: Int, output: Double, _ sum: Double) {
    columns.write(
      byPosition ? position : index, output: output, raw: sum, fidelity, reason)
  }

  /// The same for a block of candidates that are all known and in the order of the request.
  func write(_ block: Range<Int>, output: Double, _ sum: Double) {
    columns.write(block, output: output, raw: sum, fidelity, reason)
  }

  @inline(__always)
  func writePrior(_ index: Int, _ position: Int, _ prior: Double) {
    columns.write(byPosition ? position : index, output: prior, raw: .nan, fidelity, reason)
  }

  @inline(__always)
  func writeUnknown(_ index: Int, _ position: Int) {
    columns.write(byPosition ? position : index, output: 0, raw: .nan, .none, .unknownItem)
  }
}
