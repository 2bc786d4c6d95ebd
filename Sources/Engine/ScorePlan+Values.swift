internal import CKernels
internal import Signals

extension ScorePlan {
  @inline(__always)
  func value(_ operand: CandidateOperand, _ position: Int, _ itemRow: Int) -> Double {
    switch operand {
    case .item(let column): return column.value(itemRow)
    case .request(let index):
      guard let column = requestColumns[index] else { return .nan }
      return Double(column.loadUnaligned(fromByteOffset: 4 * position, as: Float.self))
    case .fixed(let place): return template[place]
    }
  }

  @inline(__always)
  func value(_ feature: CandidateFeature, _ position: Int, _ itemRow: Int) -> Double {
    switch feature {
    case .scalar(let operand): return value(operand, position, itemRow)
    case .equal(let first, let second):
      return equality(
        value(first, position, itemRow), value(second, position, itemRow))
    case .dot(let pair, let item):
      return dot(userVectors[pair], item, itemRow)
    }
  }

  /// `formats.md`'s `dot`; +0 for a user without a vector.
  @inline(__always)
  private func dot(_ user: UserVectorValue, _ item: VectorReader, _ itemRow: Int) -> Double {
    guard let elements = user.elements else { return 0 }
    let vector = item.vector(itemRow)
    switch item.type {
    case .i8:
      let sum = crescendo_dot_i8(
        elements.assumingMemoryBound(to: Int8.self), vector.assumingMemoryBound(to: Int8.self),
        item.dimension)
      return Double(Float(sum) * user.scale * item.scale(itemRow))
    case .f16:
      return Double(
        crescendo_dot_f16(elements.assumingMemoryBound(to: Float.self), vector, item.dimension))
    default:
      return Double(
        crescendo_dot_f32(elements.assumingMemoryBound(to: Float.self), vector, item.dimension))
    }
  }
}
