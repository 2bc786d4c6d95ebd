internal import Core

extension BoostRequest {
  /// Of each candidate the boost of its best campaign, or why there is none.
  ///
  /// Most candidates are answered by `sweep`, from one bit for each campaign. What is left of a
  /// block, and all where such bits do not pay, goes through in passes: its rows' entries; their
  /// campaigns; the gains and checks of those; the choice; the keys. Passes that read memory which
  /// is not in a cache do nothing but copy it, so that many misses are under way at once, and the
  /// others hardly branch. Allocates one block for the batch.
  /// - Parameters:
  ///   - rows: `count` rows of the catalog; one outside of it: unknown item.
  ///   - calibrated: `count` scores; what is not finite counts as 0.
  package func boost(
    rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>, count: Int,
    into columns: BoostColumns
  ) {
    let hasBits = hasOpenBits(candidates: count) && audience.arm != .control
    let bytes = BoostBlock.bytes + (hasBits ? count * 16 + tables.words * 8 : 0)
    withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 64) { room in
      guard let start = room.baseAddress else { preconditionFailure("a block has an address") }
      let block = BoostBlock(start)
      prepare(block)
      guard hasBits else {
        look(0..<count, rows, calibrated, block, columns)
        return
      }
      let entries = (start + BoostBlock.bytes).bindMemory(to: SIMD2<UInt64>.self, capacity: count)
      let open = UnsafeMutableRawPointer(entries + count)
        .bindMemory(to: UInt64.self, capacity: tables.words)
      fillOpenBits(open, block)
      sweep(rows: rows, calibrated: calibrated, count: count, open, entries, block, columns)
    }
  }

  /// Those candidates, with all checks.
  func look(
    _ candidates: Range<Int>, _ rows: UnsafePointer<Int32>,
    _ calibrated: UnsafePointer<Double>, _ block: BoostBlock, _ columns: BoostColumns
  ) {
    var first = candidates.lowerBound
    while first < candidates.upperBound {
      let length = gather(
        rows + first, calibrated + first, candidates.upperBound - first, block)
      if audience.arm != .control { weigh(Int(block.ends[length - 1]), block) }
      choose(rows + first, first, length, block, columns)
      writeKeys(first, length, block, columns)
      first += length
    }
  }

  /// What the passes index: an element of an inline array costs a copy of the array.
  func prepare(_ block: BoostBlock) {
    for index in 0..<audience.segmentCount { block.segments[index] = audience.segmentBits[index] }
    filter.copy(to: block.filter)
  }

  @inline(__always)
  func copyEntries(
    _ rows: UnsafePointer<Int32>, _ length: Int, to copies: UnsafeMutablePointer<SIMD2<UInt64>>
  ) {
    let entries = UnsafeRawPointer(tables.rows)
    let rowCount = tables.rowCount
    for candidate in 0..<length {
      let row = Int(UInt32(bitPattern: rows[candidate]))
      // The entry after the last row is empty.
      copies[candidate] = entries.load(
        fromByteOffset: (row < rowCount ? row : rowCount) &* 16, as: SIMD2<UInt64>.self)
    }
  }

  /// Answers how many candidates fit into the block: at least one.
  func gather(
    _ rows: UnsafePointer<Int32>, _ calibrated: UnsafePointer<Double>, _ count: Int,
    _ block: BoostBlock
  ) -> Int {
    let limit = min(count, BoostBlock.candidates)
    copyEntries(rows, limit, to: block.copies)
    var end = 0
    for candidate in 0..<limit {
      let entry = block.copies[candidate]
      let own = Int(entry.x & 0xFFFF)
      guard end &+ own <= BoostBlock.pairs else { return candidate }
      let score = calibrated[candidate]
      let value = score.isFinite ? score : 0
      let campaigns = block.campaigns + end
      let values = block.values + end
      if own <= RowEntry.inline {
        // Always three: what is too many is written over, or past the end into spare room.
        campaigns[0] = Int32(truncatingIfNeeded: entry.x >> 32)
        campaigns[1] = Int32(truncatingIfNeeded: entry.y)
        campaigns[2] = Int32(truncatingIfNeeded: entry.y >> 32)
        values[0] = value
        values[1] = value
        values[2] = value
      } else {
        let list = tables.overflow + Int(entry.x >> 32)
        for index in 0..<own {
          campaigns[index] = list[index]
          values[index] = value
        }
      }
      end &+= own
      block.ends[candidate] = Int32(truncatingIfNeeded: end)
    }
    return limit
  }

  /// Gains before any draw, the checks that need nothing else, and from both the keys by which
  /// pairs compare.
  func weigh(_ pairs: Int, _ block: BoostBlock) {
    let hot = UnsafeRawPointer(self.hot)
    let copies = UnsafeMutableRawPointer(block.hot)
    for pair in 0..<pairs {
      let campaign = Int(block.campaigns[pair])
      let half = hot.load(fromByteOffset: campaign &* 32, as: SIMD2<UInt64>.self)
      let other = hot.load(fromByteOffset: campaign &* 32 &+ 16, as: SIMD2<UInt64>.self)
      copies.storeBytes(of: half, toByteOffset: pair &* 32, as: SIMD2<UInt64>.self)
      copies.storeBytes(of: other, toByteOffset: pair &* 32 &+ 16, as: SIMD2<UInt64>.self)
    }
    let lookups = CheckLookups(self, block)
    for pair in 0..<pairs {
      let own = block.hot[pair]
      let gain = BoostRequest.gain(
        value: block.values[pair], worth: own.worth, charge: own.charge)
      let checks = lookups.checks(Int(block.campaigns[pair]), own)
      block.gains[pair] = gain
      block.checks[pair] = checks
      block.ranks[pair] = PairRank.rank(gain, checks)
    }
  }

  /// Of the eligible campaigns the one with the largest gain, else the one that came furthest; of
  /// equals the first.
  private func choose(
    _ rows: UnsafePointer<Int32>, _ first: Int, _ length: Int, _ block: BoostBlock,
    _ columns: BoostColumns
  ) {
    let none = Int32(truncatingIfNeeded: tables.count)
    var pair = 0
    for candidate in 0..<length {
      let end = Int(block.ends[candidate])
      block.chosen[candidate] = none
      if pair == end {
        columns.write(
          first &+ candidate, 0, isKnown(rows[candidate]) ? .noCampaign : .unknownItem)
        continue
      }
      if audience.arm == .control {
        columns.write(first &+ candidate, 0, .holdout)
        pair = end
        continue
      }
      let entry = block.copies[candidate]
      var best = pair
      var looks: UInt16 = 0
      var rank = Int64.min
      for other in pair..<end {
        let isBetter = block.ranks[other] > rank
        rank = isBetter ? block.ranks[other] : rank
        best = isBetter ? other : best
        looks |= block.checks[other]
      }
      let mayBind = block.mayBind(entry)
      if looks & (CheckBits.drawn | CheckBits.bind) != 0 || mayBind {
        best = look(pair..<end, rows[candidate], mayBind, block)
      }
      block.chosen[candidate] = block.campaigns[best]
      write(best, first &+ candidate, block, columns)
      pair = end
    }
  }

  /// The choice where a value is drawn or a cap may bind.
  private func look(
    _ pairs: Range<Int>, _ row: Int32, _ mayBind: Bool, _ block: BoostBlock
  ) -> Int {
    var best = pairs.lowerBound
    var rank = Int64.min
    for pair in pairs {
      draw(pair, block)
      // One that would not win need not be asked for its caps.
      guard block.ranks[pair] > rank else { continue }
      if isCapped(pair, row, mayBind, block) {
        block.ranks[pair] = PairRank.rank(.capped)
        guard block.ranks[pair] > rank else { continue }
      }
      rank = block.ranks[pair]
      best = pair
    }
    return best
  }

  /// Weighs an eligible pair again with its draw, if it has one.
  func draw(_ pair: Int, _ block: BoostBlock) {
    let checks = block.checks[pair]
    guard checks & CheckBits.failures == 0, checks & CheckBits.drawn != 0 else { return }
    let campaign = Int(block.campaigns[pair])
    let own = block.hot[pair]
    block.values[pair] = BoostRequest.drawn(
      block.values[pair], factor: factor(campaign, seed: seed))
    block.gains[pair] = BoostRequest.gain(
      value: block.values[pair], worth: own.worth, charge: own.charge)
    block.ranks[pair] = PairRank.rank(block.gains[pair], checks)
  }

  /// Whether a cap keeps out a pair that nothing else does; `mayBind`: by its artist or release.
  @inline(__always)
  func isCapped(_ pair: Int, _ row: Int32, _ mayBind: Bool, _ block: BoostBlock) -> Bool {
    let checks = block.checks[pair]
    guard checks & CheckBits.failures == 0, checks & CheckBits.caps != 0,
      mayBind || checks & CheckBits.bind != 0
    else { return false }
    return isCapped(
      Int(block.campaigns[pair]), row, tables.rows[Int(row)], UnsafePointer(block.filter))
  }

  @inline(__always)
  private func write(
    _ pair: Int, _ position: Int, _ block: BoostBlock, _ columns: BoostColumns
  ) {
    let stage = PairRank.stage(block.ranks[pair])
    guard stage == .eligible else {
      columns.write(position, 0, stage.reason)
      return
    }
    let gain = block.gains[pair]
    let free = block.values[pair] * block.hot[pair].worth
    let boost = audience.boost(gain: gain)
    columns.write(
      position, boost, Audience.reason(boost, gain: gain, free: free, isOff: audience.isOff))
  }

  private func writeKeys(
    _ first: Int, _ length: Int, _ block: BoostBlock, _ columns: BoostColumns
  ) {
    let none = Int32(truncatingIfNeeded: tables.count)
    for candidate in 0..<length {
      let chosen = block.chosen[candidate]
      columns.write(
        first &+ candidate, of: chosen == none ? -1 : chosen, key: hot[Int(chosen)].key)
    }
  }
}
