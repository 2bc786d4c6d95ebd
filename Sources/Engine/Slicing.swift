internal import Core
internal import Signals

/// Cuts a planned call into slices. Everything it makes lies in the request's arena.
struct Slicing {
  private let call: UnsafeMutablePointer<ScoreCall>
  private let arena: UnsafeMutablePointer<Arena>
  private let plan: ScorePlan
  /// Slices stop at checkpoints that they can fall back to.
  private let hasCheckpoints: Bool

  init(
    _ call: UnsafeMutablePointer<ScoreCall>, _ arena: UnsafeMutablePointer<Arena>,
    hasCheckpoints: Bool
  ) {
    self.hasCheckpoints = hasCheckpoints
    guard let plan = call.pointee.plan else { preconditionFailure("planned before it is cut") }
    self.call = call
    self.arena = arena
    self.plan = plan
  }

  private func allocate<T: BitwiseCopyable>(_ type: T.Type, _ count: Int) throws(CallFailure)
    -> UnsafeMutablePointer<T>
  {
    guard let memory = arena.pointee.allocate(type, count: count) else {
      throw ScorePlanner.outOfArena
    }
    return memory
  }

  private func make(
    _ slices: ScoreSlicePointer, _ index: Int, _ positions: UnsafeMutablePointer<UInt32>?,
    count: Int, work: UInt64
  ) throws(CallFailure) {
    let (rowCount, featureCount) = plan.blueprint._withUnsafeGuaranteedRef {
      ($0.rowCount, $0.candidate.count)
    }
    let row = try allocate(Double.self, rowCount)
    row.initialize(from: plan.template, count: rowCount)
    var sums: UnsafeMutablePointer<Double>?
    var keptRows: UnsafeMutablePointer<Double>?
    let levels = call.pointee.targetLevel
    if hasCheckpoints, levels > Levels.prior {
      sums = try allocate(Double.self, count * levels)
      // Of all slices together, so that the bound is one whatever the number of shards.
      let keptBytes = plan.candidateCount * featureCount * MemoryLayout<Double>.size
      if levels > 1, keptBytes <= Limits.serving.keptRowsBytes {
        keptRows = arena.pointee.allocate(Double.self, count: count * featureCount)
      }
    }
    (slices + index).initialize(
      to: ScoreSlice(
        job: ShardJob(
          run: runSlice, context: nil, workNanoseconds: work, isBatch: call.pointee.isBatch),
        call: call,
        index: index, positions: positions, count: count, row: row, sums: sums,
        keptRows: keptRows))
  }

  /// One slice with all candidates, in their order.
  func whole(work: UInt64) throws(CallFailure) {
    let slice = try allocate(ScoreSlice.self, 1)
    try make(slice, 0, nil, count: plan.candidateCount, work: work)
    call.pointee.slices = slice
    call.pointee.sliceCount = 1
  }

  /// One slice per shard, each with the candidates whose items are the shard's.
  func byItem(shards: Int, work: UInt64) throws(CallFailure) {
    let count = plan.candidateCount
    let slices = try allocate(ScoreSlice.self, shards)
    let shardOf = try allocate(UInt16.self, count)
    let positions = try allocate(UInt32.self, count)
    let ends = try allocate(Int.self, shards)
    ends.initialize(repeating: 0, count: shards)
    for position in 0..<count {
      let shard = Int(splitmix64(itemID(position)) % UInt64(shards))
      shardOf[position] = UInt16(shard)
      ends[shard] += 1
    }
    // Counts become starts, and starts, one by one, the ends: a counting sort.
    var start = 0
    for shard in 0..<shards {
      let count = ends[shard]
      ends[shard] = start
      start += count
    }
    for position in 0..<count {
      let shard = Int(shardOf[position])
      positions[ends[shard]] = UInt32(position)
      ends[shard] += 1
    }
    for shard in 0..<shards {
      let start = shard == 0 ? 0 : ends[shard - 1]
      let sliceCount = ends[shard] - start
      try make(
        slices, shard, positions + start, count: sliceCount,
        work: work / UInt64(max(count, 1)) * UInt64(sliceCount))
    }
    call.pointee.slices = slices
    call.pointee.sliceCount = shards
  }

  /// The id that decides an item's shard; candidates that came as URIs have their rows already.
  private func itemID(_ position: Int) -> UInt64 {
    if let ids = plan.itemIDs {
      return UInt64(
        littleEndian: ids.loadUnaligned(fromByteOffset: 8 * position, as: UInt64.self))
    }
    let row = Int(plan.rows[position])
    return row < 0
      ? 0 : plan.serving._withUnsafeGuaranteedRef { $0.snapshot.items.id(row) }
  }

  /// Copies what slices read of the request's message, which goes away when the call leaves its
  /// loop.
  func detach() throws(CallFailure) {
    var detached = plan
    let count = plan.candidateCount
    if let ids = plan.itemIDs {
      let copy = try allocate(UInt64.self, count)
      UnsafeMutableRawPointer(copy).copyMemory(from: ids, byteCount: 8 * count)
      detached.itemIDs = UnsafeRawPointer(copy)
    }
    for index in 0..<plan.requestColumnCount {
      guard let column = plan.requestColumns[index] else { continue }
      let copy = try allocate(Float.self, count)
      UnsafeMutableRawPointer(copy).copyMemory(from: column, byteCount: 4 * count)
      detached.requestColumns[index] = UnsafeRawPointer(copy)
    }
    call.pointee.plan = detached
  }
}
