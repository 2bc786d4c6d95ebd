internal import CKernels
internal import Core
internal import Models
internal import Signals

extension ScoreSlicePointer {
  /// Scores the slice up to its call's level, or as far as there is time for.
  func score(_ plan: ScorePlan, _ clock: Clock) -> SliceResult {
    let began = clock.monotonicNanoseconds()
    let level = pointee.call.pointee.targetLevel
    return plan.blueprint._withUnsafeGuaranteedRef { blueprint in
      let (result, ended) =
        if level == Levels.prior {
          scoreInOnePass(plan, clock, blueprint, began: began) {
            writePriors($0, plan, blueprint, pointee.call.pointee.targetReason)
          }
        } else if pointee.sums == nil {
          scoreInOnePass(plan, clock, blueprint, began: began) {
            writeWhole($0, plan, blueprint, level)
          }
        } else {
          scoreByCheckpoints(plan, clock, blueprint, began: began)
        }
      pointee.scoreNanoseconds = ended - began
      pointee.endedNanoseconds = ended
      return result
    }
  }

  /// Why to stop now, if there is a reason.
  @inline(__always)
  private func stop(at now: UInt64) -> Reason? {
    let call = pointee.call
    if call.pointee.control.pointee.stopReason != nil { return .deadline }
    return now >= call.pointee.deadlineNanoseconds ? .deadline : nil
  }

  /// Block by block to the level, looking at the clock between blocks; and what it said last.
  @inline(__always)
  private func scoreInOnePass(
    _ plan: ScorePlan, _ clock: Clock, _ blueprint: Blueprint, began: UInt64,
    _ write: (Range<Int>) -> Void
  ) -> (SliceResult, ended: UInt64) {
    let level = pointee.call.pointee.targetLevel
    var pace = BlockPace(blueprint.cost, level)
    var (start, now) = (0, began)
    while start < pointee.count {
      if let reason = stop(at: now) ?? pointee.call.pointee.control.pointee.miss?.reason {
        learn(blueprint, level, candidates: start, unknown: pointee.unknown, now - began)
        return (SliceResult(level: Levels.prior, reason: reason), now)
      }
      let end = Swift.min(start + pace.candidates, pointee.count)
      findRows(start..<end, plan)
      write(start..<end)
      let ended = clock.monotonicNanoseconds()
      pace.took(ended, since: now, candidates: end - start)
      (start, now) = (end, ended)
    }
    learn(blueprint, level, candidates: start, unknown: pointee.unknown, now - began)
    return (SliceResult(level: level, reason: .ok), now)
  }

  /// Checkpoint by checkpoint, all candidates to one before any goes on: so that after a wrong
  /// estimate the last checkpoint stands for all of them. And what the clock said last.
  private func scoreByCheckpoints(
    _ plan: ScorePlan, _ clock: Clock, _ blueprint: Blueprint, began: UInt64
  ) -> (SliceResult, ended: UInt64) {
    let call = pointee.call
    let target = call.pointee.targetLevel
    var now = began
    var passed = InlineArray<5, UInt64>(repeating: 0)
    var pace = BlockPace(blueprint.cost, 1)
    for level in 1...target {
      var start = 0
      while start < pointee.count {
        var reason = stop(at: now)
        // Another slice has fallen behind: what is beyond its level will not be used.
        if let miss = call.pointee.control.pointee.miss, miss.level < level {
          reason = reason ?? miss.reason
        }
        if let reason {
          learnUnfinished(blueprint, level, start, now - began, passed[level - 1])
          return (SliceResult(level: level - 1, reason: reason), now)
        }
        let end = Swift.min(start + pace.candidates, pointee.count)
        if level == 1 { findRows(start..<end, plan) }
        addTrees(start..<end, plan, blueprint, level)
        if level == target { writeSums(start..<end, plan, blueprint, level, .ok) }
        let ended = clock.monotonicNanoseconds()
        pace.took(ended, since: now, candidates: end - start)
        (start, now) = (end, ended)
      }
      // The next level adds up to twice the trees.
      pace.halve()
      passed[level] = now - began
    }
    learn(blueprint, target, passed)
    return (SliceResult(level: target, reason: .ok), now)
  }

  // MARK: Rows

  @inline(__always)
  private func position(_ index: Int) -> Int {
    if let positions = pointee.positions { return Int(positions[index]) }
    return index
  }

  /// Rows of the candidates up to the block's end. Those that came as URIs have theirs.
  private func findRows(_ block: Range<Int>, _ plan: ScorePlan) {
    let first = pointee.resolved
    guard block.upperBound > first else { return }
    pointee.resolved = block.upperBound
    guard let ids = plan.itemIDs else { return countUnknown(first..<block.upperBound, plan) }
    plan.serving._withUnsafeGuaranteedRef { serving in
      let items = serving.snapshot.items
      if let positions = pointee.positions {
        for index in first..<block.upperBound {
          let position = Int(positions[index])
          let id = ids.loadUnaligned(fromByteOffset: 8 * position, as: UInt64.self)
          plan.rows[position] = Int32(items.row(ofID: UInt64(littleEndian: id)))
        }
      } else {
        items.rows(
          of: ids + 8 * first, count: block.upperBound - first, into: plan.rows + first)
      }
    }
    countUnknown(first..<block.upperBound, plan)
  }

  private func countUnknown(_ range: Range<Int>, _ plan: ScorePlan) {
    var unknown = 0
    if pointee.positions == nil {
      let rows = plan.rows
      // Their signs, without a branch: vectors of them at a time.
      for index in range { unknown &+= Int(UInt32(bitPattern: rows[index]) >> 31) }
    } else {
      for index in range where plan.rows[position(index)] < 0 { unknown += 1 }
    }
    pointee.unknown += unknown
  }

  // MARK: The hot loops

  /// All trees of a level in one pass, and the answer.
  private func writeWhole(
    _ block: Range<Int>, _ plan: ScorePlan, _ blueprint: Blueprint, _ level: Int
  ) {
    let (row, features, forest) = (pointee.row, blueprint.candidate, blueprint.forest)
    let trees = 0..<blueprint.levels.treeCount(level)
    let writer = SumWriter(self, blueprint, level, pointee.call.pointee.targetReason)
    if features.isEmpty {
      // No tree tests anything of a candidate: one walk is the walk of all.
      var sum = 0.0
      forest.addScore(ofTrees: trees, row: row, to: &sum)
      return writeSame(block, plan, writer, sum)
    }
    for index in block {
      let position = position(index)
      let itemRow = Int(plan.rows[position])
      guard itemRow >= 0 else {
        writer.writeUnknown(index, position)
        continue
      }
      for placed in features {
        row[placed.index] = plan.value(placed.feature, position, itemRow)
      }
      var sum = 0.0
      forest.addScore(ofTrees: trees, row: row, to: &sum)
      writer.write(index, position, sum)
    }
  }

  private func writeSame(
    _ block: Range<Int>, _ plan: ScorePlan, _ writer: SumWriter, _ sum: Double
  ) {
    let output = writer.output(of: sum)
    if pointee.positions == nil, pointee.unknown == 0 {
      return writer.write(block, output: output, sum)
    }
    for index in block {
      let position = position(index)
      if plan.rows[position] < 0 {
        writer.writeUnknown(index, position)
      } else {
        writer.write(index, position, output: output, sum)
      }
    }
  }

  /// Continues the sums of a block by the trees between a level and the one before it.
  private func addTrees(
    _ block: Range<Int>, _ plan: ScorePlan, _ blueprint: Blueprint, _ level: Int
  ) {
    guard let sums = pointee.sums else { preconditionFailure("checkpoints have sums") }
    let (row, features, forest) = (pointee.row, blueprint.candidate, blueprint.forest)
    let trees = blueprint.levels.treeCount(level - 1)..<blueprint.levels.treeCount(level)
    let (before, after) = (sums + pointee.count * (level - 2), sums + pointee.count * (level - 1))
    for index in block {
      let position = position(index)
      let itemRow = Int(plan.rows[position])
      guard itemRow >= 0 else { continue }
      if level > 1, let kept = pointee.keptRows {
        let values = kept + index * features.count
        for at in 0..<features.count { row[features[at].index] = values[at] }
      } else {
        for placed in features {
          row[placed.index] = plan.value(placed.feature, position, itemRow)
        }
        if let kept = pointee.keptRows {
          let values = kept + index * features.count
          for at in 0..<features.count { values[at] = row[features[at].index] }
        }
      }
      var sum = level == 1 ? 0.0 : before[index]
      forest.addScore(ofTrees: trees, row: row, to: &sum)
      after[index] = sum
    }
  }

  /// Turns the sums of a level into answers.
  private func writeSums(
    _ block: Range<Int>, _ plan: ScorePlan, _ blueprint: Blueprint, _ level: Int, _ reason: Reason
  ) {
    guard let sums = pointee.sums else { preconditionFailure("checkpoints have sums") }
    let of = sums + pointee.count * (level - 1)
    let why = reason == .ok ? pointee.call.pointee.targetReason : reason
    let writer = SumWriter(self, blueprint, level, why)
    for index in block {
      let position = position(index)
      if plan.rows[position] < 0 {
        writer.writeUnknown(index, position)
      } else {
        writer.write(index, position, of[index])
      }
    }
  }

  private func writePriors(
    _ block: Range<Int>, _ plan: ScorePlan, _ blueprint: Blueprint, _ reason: Reason
  ) {
    let writer = SumWriter(self, blueprint, Levels.prior, reason)
    for index in block {
      let position = position(index)
      let itemRow = Int(plan.rows[position])
      if itemRow < 0 {
        writer.writeUnknown(index, position)
      } else {
        writer.writePrior(index, position, blueprint.prior(itemRow))
      }
    }
  }

  // MARK: After the slices

  /// Answers anew with a coarser level, which every slice has reached.
  func rewrite(_ plan: ScorePlan, level: Int, _ reason: Reason) {
    plan.blueprint._withUnsafeGuaranteedRef { blueprint in
      findRows(0..<pointee.count, plan)
      if level == Levels.prior {
        writePriors(0..<pointee.count, plan, blueprint, reason)
      } else {
        writeSums(0..<pointee.count, plan, blueprint, level, reason)
      }
    }
  }

  /// A streamed slice that missed the level: NONE, with the reason.
  func writeMissed(_ plan: ScorePlan, _ reason: Reason) {
    guard let columns = pointee.columns else { return }
    findRows(0..<pointee.count, plan)
    for index in 0..<pointee.count {
      let isKnown = plan.rows[position(index)] >= 0
      columns.write(
        pointee.writesByPosition ? position(index) : index, output: 0, raw: .nan, .none,
        isKnown ? reason : .unknownItem)
    }
    pointee.isMissed = true
    pointee.missReason = reason
  }
}
