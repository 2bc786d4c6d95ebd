internal import CKernels
internal import Core
internal import Models
internal import Signals

/// Some of a call's candidates: the unit that a shard works on.
struct ScoreSlice: BitwiseCopyable {
  /// First: the shard hands its address back.
  var job: ShardJob
  let call: UnsafeMutablePointer<ScoreCall>
  /// Positions of the candidates; nil = all of them, in order.
  let positions: UnsafeMutablePointer<UInt32>?
  let count: Int
  /// One row of the model, to work in.
  let row: UnsafeMutablePointer<Double>
  /// Candidates that were not in the snapshot.
  var unknown = 0
}

/// What a shard runs: the whole slice, block by block, looking at the clock between blocks.
func runSlice(_ job: UnsafeMutableRawPointer, _ shard: Int) {
  let slice = job.assumingMemoryBound(to: ScoreSlice.self)
  slice.score()
  let call = slice.pointee.call
  if call.pointee.control.pointee.leave() { call.pointee.completed(call.pointee.owner) }
}

extension UnsafeMutablePointer where Pointee == ScoreSlice {
  /// Scores the slice, or as much of it as there is time for.
  func score() {
    let call = pointee.call
    guard let plan = call.pointee.plan, let columns = call.pointee.columns else {
      preconditionFailure("a slice runs after its call was planned")
    }
    let clock = plan.engine._withUnsafeGuaranteedRef { $0.clock }
    plan.blueprint._withUnsafeGuaranteedRef { blueprint in
      let block = blueprint.cost.candidates(inNanoseconds: Limits.blockNanoseconds)
      var now = clock.monotonicNanoseconds()
      let began = now
      var start = 0
      var scored = 0
      while start < pointee.count {
        if call.pointee.control.pointee.stopReason != nil { return }
        if now >= call.pointee.deadlineNanoseconds {
          return call.pointee.control.pointee.stop(.deadline)
        }
        let end = Swift.min(start + block, pointee.count)
        findRows(start..<end, plan)
        scored += scoreBlock(start..<end, plan, columns, blueprint)
        start = end
        now = clock.monotonicNanoseconds()
      }
      pointee.unknown = pointee.count - scored
      blueprint.cost.learn(candidates: pointee.count, nanoseconds: now - began)
    }
  }

  @inline(__always)
  private func position(_ index: Int) -> Int {
    if let positions = pointee.positions { return Int(positions[index]) }
    return index
  }

  /// Rows of a block's candidates. Those that came as URIs have theirs.
  private func findRows(_ block: Range<Int>, _ plan: ScorePlan) {
    guard let ids = plan.itemIDs else { return }
    plan.serving._withUnsafeGuaranteedRef { serving in
      let items = serving.snapshot.items
      guard let positions = pointee.positions else {
        items.rows(
          of: ids + 8 * block.lowerBound, count: block.count,
          into: plan.rows + block.lowerBound)
        return
      }
      for index in block {
        let position = Int(positions[index])
        let id = ids.loadUnaligned(fromByteOffset: 8 * position, as: UInt64.self)
        plan.rows[position] = Int32(items.row(ofID: UInt64(littleEndian: id)))
      }
    }
  }

  /// Scores a block; answers how many of its candidates the snapshot knows.
  private func scoreBlock(
    _ block: Range<Int>, _ plan: ScorePlan, _ columns: ScoreColumns, _ blueprint: Blueprint
  ) -> Int {
    let (row, features) = (pointee.row, blueprint.candidate)
    let (forest, output) = (blueprint.forest, blueprint.output)
    var scored = 0
    for index in block {
      let position = position(index)
      let itemRow = Int(plan.rows[position])
      guard itemRow >= 0 else {
        columns.write(position, score: 0, raw: .nan, .none, .unknownItem)
        continue
      }
      for placed in features {
        row[placed.index] = plan.value(placed.feature, position, itemRow)
      }
      let raw = forest.rawScore(row)
      columns.write(position, score: Float(output(raw)), raw: raw, .full, .ok)
      scored += 1
    }
    return scored
  }
}

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
