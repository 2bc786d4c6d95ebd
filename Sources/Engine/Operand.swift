internal import CKernels
internal import Core
internal import Signals

/// A matrix of vectors of a snapshot, flat.
struct VectorReader: BitwiseCopyable {
  let base: UnsafeRawPointer
  let type: ElementType
  let dimension: Int
  /// Floats, one per row, of an I8 matrix.
  let scales: UnsafeRawPointer?

  init(_ embedding: Embedding) {
    base = embedding.base
    type = embedding.type
    dimension = embedding.dimension
    scales = embedding.scales
  }

  private var elementBytes: Int {
    switch type {
    case .f32: 4
    case .f16: 2
    default: 1
    }
  }

  @inline(__always)
  func vector(_ row: Int) -> UnsafeRawPointer { base + row * dimension * elementBytes }

  @inline(__always)
  func scale(_ row: Int) -> Float {
    scales?.loadUnaligned(fromByteOffset: row * 4, as: Float.self) ?? 1
  }
}

/// A number that is the same for every candidate of a request.
enum FixedOperand: BitwiseCopyable {
  case constant(Double)
  /// `ContextField.index`.
  case context(Int)
  /// A user column; `slot` finds this request's override of it.
  case user(ColumnValues, slot: Int)
  /// Missing for everybody: the snapshot has no users.
  case missing
}

/// A number that may differ between candidates.
enum CandidateOperand: BitwiseCopyable {
  case item(ColumnValues)
  /// Index into the manifest's request columns.
  case request(Int)
  /// A fixed number that only a pair needs: its place in the row, after the model's features.
  case fixed(place: Int)
}

/// A feature of the model that differs between candidates.
enum CandidateFeature: BitwiseCopyable {
  case scalar(CandidateOperand)
  case equal(CandidateOperand, CandidateOperand)
  /// `pair`: which of the plan's user vectors; the item's matrix.
  case dot(pair: Int, item: VectorReader)
}

/// 0 or 1, or missing when either is: `formats.md`'s `equal(a, b)`.
@inline(__always)
func equality(_ first: Double, _ second: Double) -> Double {
  if first.isNaN || second.isNaN { return .nan }
  return first == second ? 1 : 0
}
