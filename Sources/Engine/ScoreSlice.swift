internal import Core
internal import Models
internal import Signals

/// Some of a call's candidates: the unit that a shard works on.
struct ScoreSlice: BitwiseCopyable {
  /// First: the shard hands its address back.
  var job: ShardJob
  let call: UnsafeMutablePointer<ScoreCall>
  let index: Int
  /// Positions of the candidates; nil = all of them, in order.
  let positions: UnsafeMutablePointer<UInt32>?
  let count: Int
  /// One row of the model, to work in.
  let row: UnsafeMutablePointer<Double>
  /// Raw sums by checkpoint and candidate (`count` each); nil for a slice of one block, which goes
  /// to its level in one pass.
  let sums: UnsafeMutablePointer<Double>?
  /// What differs between candidates, kept from checkpoint to checkpoint: `count` rows of the
  /// blueprint's candidate features; nil = put together anew each time.
  let keptRows: UnsafeMutablePointer<Double>?

  var columns: ScoreColumns?
  /// Values go to the candidate's position in the request, else to its place in the slice.
  var writesByPosition = true
  /// Candidates whose rows have been looked up: the first so many.
  var resolved = 0
  /// Candidates that were not in the snapshot.
  var unknown = 0
  /// A streamed slice that did not reach its call's level: all its positions are NONE.
  var isMissed = false
  var missReason = Reason.ok
  /// A shard took it; the loop's alone.
  var isSubmitted = false
  /// No shard took it.
  var isRefused = false
  var submittedNanoseconds: UInt64 = 0
  var queueNanoseconds: UInt64 = 0
  var scoreNanoseconds: UInt64 = 0
  /// What the clock said when scoring ended.
  var endedNanoseconds: UInt64 = 0
}

typealias ScoreSlicePointer = UnsafeMutablePointer<ScoreSlice>

/// What a shard runs. The last slice of a call to end settles what its answer is.
func runSlice(_ job: UnsafeMutableRawPointer, _ shard: Int) {
  let slice = job.assumingMemoryBound(to: ScoreSlice.self)
  let call = slice.pointee.call
  guard let plan = call.pointee.plan else { preconditionFailure("planned before it runs") }
  plan.engine._withUnsafeGuaranteedRef { engine in
    let now = engine.clock.monotonicNanoseconds()
    let waited = now - min(now, slice.pointee.submittedNanoseconds)
    slice.pointee.queueNanoseconds = waited
    let submitted = slice.pointee.submittedNanoseconds
    let allowed =
      call.pointee.deadlineNanoseconds - min(call.pointee.deadlineNanoseconds, submitted)
    let isBatch = call.pointee.isBatch
    let delays = engine.queueDelays + 2 * shard
    let isShed = delays[isBatch ? 1 : 0].sheds(
      waitedNanoseconds: waited, allowedNanoseconds: allowed, isBatch: isBatch, now: now,
      othersAreOverloaded: isBatch && delays[0].isOverloaded(now: now))
    let shed = SliceResult(level: Levels.prior, reason: .overload)
    let result = isShed ? shed : slice.score(plan, engine.clock)
    // Else a client that has its answer could be refused its next call for the sake of this one.
    engine.executor.jobEnds(on: shard)
    slice.end(result, plan, engine.clock)
  }
}

/// How far a slice got, and why no further.
struct SliceResult {
  var level: Int
  var reason: Reason
}

extension ScoreSlicePointer {
  /// The slice is done with; true if it was the last of its call.
  private func leave(_ plan: ScorePlan, _ clock: Clock) -> Bool {
    let call = pointee.call
    guard call.pointee.control.pointee.leave() else { return false }
    if call.pointee.sliceCompleted == nil { call.settle(plan, clock) }
    return true
  }

  /// Tells the call what the slice came to, on a shard's thread.
  fileprivate func end(_ result: SliceResult, _ plan: ScorePlan, _ clock: Clock) {
    note(result, plan)
    let call = pointee.call
    if let sliceCompleted = call.pointee.sliceCompleted {
      sliceCompleted(call.pointee.owner, pointee.index)
    }
    if leave(plan, clock) { call.pointee.completed(call.pointee.owner) }
  }

  /// Scores where it stands, on the thread that called; the call is finished with it.
  func runInPlace(_ plan: ScorePlan, _ clock: Clock) {
    note(score(plan, clock), plan)
    let call = pointee.call
    if let sliceCompleted = call.pointee.sliceCompleted {
      sliceCompleted(call.pointee.owner, pointee.index)
    }
    // Nobody else holds the call but whoever submits it.
    _ = leave(plan, clock)
  }

  /// A streamed slice that no shard took.
  func missEntirely(_ plan: ScorePlan) {
    writeMissed(plan, .overload)
    let call = pointee.call
    call.pointee.sliceCompleted?(call.pointee.owner, pointee.index)
  }

  private func note(_ result: SliceResult, _ plan: ScorePlan) {
    let call = pointee.call
    guard result.level < call.pointee.targetLevel || result.reason != .ok else { return }
    if call.pointee.sliceCompleted != nil {
      if call.pointee.control.pointee.stopReason == nil { writeMissed(plan, result.reason) }
    } else {
      call.pointee.control.pointee.lower(to: result.level, because: result.reason)
    }
  }
}

extension UnsafeMutablePointer where Pointee == ScoreCall {
  /// All slices have ended: if one fell short of the target, all of them answer with the finest
  /// level that every slice has reached.
  func settle(_ plan: ScorePlan, _ clock: Clock) {
    let control = pointee.control
    guard let miss = control.pointee.miss else { return }
    guard miss.level >= pointee.lowestLevel,
      clock.monotonicNanoseconds() < pointee.clientDeadlineNanoseconds
    else { return control.pointee.stop(miss.reason == .overload ? .shed : .deadline) }
    guard control.pointee.stopReason == nil else { return }
    for index in 0..<pointee.sliceCount {
      pointee.slices.map { ($0 + index).rewrite(plan, level: miss.level, miss.reason) }
    }
    pointee.answeredLevel = miss.level
    pointee.answeredReason = miss.reason
  }
}
