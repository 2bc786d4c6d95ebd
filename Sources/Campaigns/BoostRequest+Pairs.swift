internal import Core

extension BoostRequest {
  /// Calls `body` for each pair of a candidate and a campaign of its row, in order, with the
  /// position, the pair's place in the block, the block, and how far the pair came. Draws and caps
  /// are in.
  @inline(__always)
  func forEachPair(
    rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>, count: Int,
    _ body: (Int, Int, BoostBlock, CheckStage) -> Void
  ) {
    withUnsafeTemporaryAllocation(byteCount: BoostBlock.bytes, alignment: 64) { room in
      guard let start = room.baseAddress else { preconditionFailure("a block has an address") }
      let block = BoostBlock(start)
      prepare(block)
      var first = 0
      while first < count {
        let length = gather(rows + first, calibrated + first, count - first, block)
        weigh(Int(block.ends[length - 1]), block)
        var pair = 0
        for candidate in 0..<length {
          let mayBind = block.mayBind(block.copies[candidate])
          while pair < Int(block.ends[candidate]) {
            draw(pair, block)
            let isCapped = isCapped(pair, rows[first + candidate], mayBind, block)
            let stage = CheckStage(failures: block.checks[pair])
            body(first + candidate, pair, block, isCapped ? .capped : stage)
            pair += 1
          }
        }
        first += length
      }
    }
  }
}
