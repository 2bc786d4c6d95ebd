internal import Core
package import Models
package import Signals

/// Why a model of a snapshot cannot be served: refused when the snapshot is loaded, so that no
/// request ever meets it.
package struct BlueprintError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file at fault: the manifest, or the model's own.
  package var file: String
  package var model: String
  /// May be empty.
  package var feature: String
  package var reason: String

  package var description: String {
    let place = feature.isEmpty ? "model \(model)" : "model \(model): feature \(feature)"
    return "\(file): \(place): \(reason)"
  }
}

/// Which feature of a model comes from where: resolved once per snapshot, read by every request.
///
/// What depends on user and context alone is separated from what differs between candidates: the
/// first is filled in once per request, the second per candidate.
// Unchecked: everything is written before `init` returns; what buffers point to lives as long as
// `snapshot`, which is held; `cost` is made for many threads.
package final class Blueprint: @unchecked Sendable {
  /// Its place in `Serving.blueprints`.
  package let index: Int
  package let declaration: ModelDeclaration
  package let forest: Forest
  package let modelSHA256: String
  let snapshot: Snapshot
  let levels: Levels
  let cost: LearnedCost

  /// A feature that is the same for all candidates, and its place in the row.
  enum FixedFeature: BitwiseCopyable {
    case scalar(FixedOperand)
    case equal(FixedOperand, FixedOperand)
  }

  struct Placed<Feature: BitwiseCopyable>: BitwiseCopyable {
    let index: Int
    let feature: Feature
  }

  /// A user's side of a dot product; `slot` finds this request's override of it.
  struct UserVector: BitwiseCopyable {
    let reader: VectorReader
    let slot: Int
  }

  let fixed: UnsafeBufferPointer<Placed<FixedFeature>>
  let candidate: UnsafeBufferPointer<Placed<CandidateFeature>>
  let userVectors: UnsafeBufferPointer<UserVector>
  /// Length of a row: the model's features, then fixed numbers that only pairs need.
  let rowCount: Int
  /// From a raw score to the units of the answer: nothing for `output` "raw", the objective's
  /// transform for "probability".
  let output: OutputTransform
  /// The item column that is the score without the model; nil = there is none.
  private let priorColumn: ColumnValues?
  /// The score of an item without a prior: the output of the model's mean raw sum.
  private let meanOutput: Double

  init(
    _ declaration: ModelDeclaration, index: Int, forest: Forest, sha256: String, snapshot: Snapshot
  ) throws(BlueprintError) {
    self.index = index
    self.declaration = declaration
    self.forest = forest
    self.modelSHA256 = sha256
    output = declaration.output == .raw ? .identity : forest.transform
    meanOutput = output(forest.meanRaw)
    self.snapshot = snapshot
    levels = Levels(forest)
    cost = LearnedCost(levels)
    priorColumn = declaration.prior.flatMap { snapshot.items.column(named: $0)?.values }
    var binder = FeatureBinder(declaration, forest, snapshot)
    try binder.bindAll()
    fixed = Blueprint.flat(binder.fixed)
    // What no tree tests need not be looked up.
    let splits = forest.statistics.splitsByFeature
    candidate = Blueprint.flat(binder.candidate.filter { splits[$0.index] > 0 })
    userVectors = Blueprint.flat(binder.userVectors)
    rowCount = binder.rowCount
  }

  deinit {
    fixed.deallocate()
    candidate.deallocate()
    userVectors.deallocate()
  }

  /// An item's score without the model, in units of the output, rounded once.
  @inline(__always)
  func prior(_ itemRow: Int) -> Double {
    guard let priorColumn else { return meanOutput }
    let value = priorColumn.value(itemRow)
    return value.isNaN ? meanOutput : value
  }

  private static func flat<Element: BitwiseCopyable>(_ array: [Element])
    -> UnsafeBufferPointer<Element>
  {
    let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: array.count)
    _ = buffer.initialize(from: array)
    return UnsafeBufferPointer(buffer)
  }

}
