internal import Campaigns
internal import Core

/// A board as loops use it, with the text of its scale.
final class BoardInUse {
  let board: CampaignBoard
  /// `micros:1000`; lies in here.
  let scale: ByteSlice
  private let text: UnsafeMutableRawBufferPointer
  /// Whether any campaign has caps: else nobody need be asked for a user's.
  let hasCaps: Bool

  init(_ board: CampaignBoard, hasCaps: Bool) {
    self.board = board
    self.hasCaps = hasCaps
    let bytes = Array("micros:\(board.set.policy.scaleMicros)".utf8)
    text = .allocate(byteCount: bytes.count, alignment: 1)
    text.copyBytes(from: bytes)
    scale = ByteSlice(UnsafeRawBufferPointer(text))
  }

  deinit { text.deallocate() }
}

/// What a loop knows of campaigns; the board is replaced about once a second.
struct LoopCampaigns {
  let runtime: CampaignRuntime
  private(set) var inUse: BoardInUse
  /// Of the set in use.
  private(set) var tally: LoopTally

  init(runtime: CampaignRuntime, inUse: BoardInUse) {
    self.runtime = runtime
    self.inUse = inUse
    tally = LoopTally(inUse.board.set)
  }

  /// Counts a batch, if it is one of those that are counted and its set is still in use.
  func count(
    _ request: BoostRequest, rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>,
    count: Int, served: UnsafePointer<Int32>
  ) {
    guard request.isOf(tally.set),
      CampaignTally.isCounted(seed: request.seed, campaigns: tally.set.count)
    else { return }
    tally.add(request, rows: rows, calibrated: calibrated, count: count, served: served)
  }

  /// A new board; what was counted of another set goes to the desk.
  mutating func use(_ inUse: BoardInUse) {
    let hasNewSet = inUse.board.set !== self.inUse.board.set
    self.inUse = inUse
    guard hasNewSet else { return }
    // The loop counts nothing in it any more, and has no time to go over it.
    let counted = tally
    tally = LoopTally(inUse.board.set)
    _ = runtime.onDesk { $0.add(counted.drain()) }
  }
}

/// What became of each campaign's candidates, on one loop.
final class LoopTally {
  let set: CampaignSet
  private var counts: CampaignTally

  init(_ set: CampaignSet) {
    self.set = set
    counts = CampaignTally(campaigns: set.count)
  }

  func add(
    _ request: BoostRequest, rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>,
    count: Int, served: UnsafePointer<Int32>
  ) {
    counts.add(request, rows: rows, calibrated: calibrated, count: count, served: served)
  }

  /// All that was counted, by campaign key, in the order of `TallyPlace`; it is forgotten here.
  func drain() -> [UInt64: [UInt64]] {
    var all: [UInt64: [UInt64]] = [:]
    for index in 0..<Int32(set.count) {
      let counted = drain(index)
      if counted.contains(where: { $0 > 0 }) { all[set.key(index)] = counted }
    }
    return all
  }

  func drain(_ index: Int32) -> [UInt64] {
    var totals = [UInt64](repeating: 0, count: TallyPlace.allCases.count)
    counts.drain(index, into: &totals)
    return totals
  }
}
