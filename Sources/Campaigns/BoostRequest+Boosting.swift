internal import Core

extension BoostRequest {
  /// Of each candidate the boost of its best campaign, or why there is none.
  ///
  /// A block goes through in passes: its rows' entries; their campaigns; the gains and checks of
  /// those; the choice; the keys. Passes that read memory which is not in a cache do nothing but
  /// copy it, so that many misses are under way at once. Allocates one block for the batch.
  /// - Parameters:
  ///   - rows: `count` rows of the catalog; one outside of it: unknown item.
  ///   - calibrated: `count` scores; what is not finite counts as 0.
  package func boost(
    rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>, count: Int,
    into columns: BoostColumns
  ) {
    withUnsafeTemporaryAllocation(byteCount: BoostBlock.bytes, alignment: 64) { room in
      guard let start = room.baseAddress else { preconditionFailure("a block has an address") }
      let block = BoostBlock(start)
      var first = 0
      while first < count {
        let length = gather(rows + first, calibrated + first, count - first, block)
        weigh(Int(block.ends[length - 1]), block)
        choose(rows + first, first, length, block, columns)
        writeKeys(first, length, block, columns)
        first += length
      }
    }
  }

  /// Answers how many candidates fit into the block: at least one.
  private func gather(
    _ rows: UnsafePointer<Int32>, _ calibrated: UnsafePointer<Double>, _ count: Int,
    _ block: BoostBlock
  ) -> Int {
    let limit = min(count, BoostBlock.candidates)
    for candidate in 0..<limit {
      let row = rows[candidate]
      // The entry after the last row is empty.
      let place = isKnown(row) ? Int(row) : tables.rowCount
      block.copies[candidate] = UnsafeRawPointer(tables.rows)
        .load(fromByteOffset: place &* 16, as: SIMD2<UInt64>.self)
    }
    var end = 0
    for candidate in 0..<limit {
      let own = Int(block.entries[candidate].count)
      guard end + own <= BoostBlock.pairs else { return candidate }
      let score = calibrated[candidate]
      let value = score.isFinite ? score : 0
      if own <= RowEntry.inline {
        for index in 0..<own {
          block.campaigns[end + index] = block.entries[candidate].campaigns[index]
          block.values[end + index] = value
        }
      } else {
        let list = tables.overflow + Int(block.entries[candidate].campaigns[0])
        for index in 0..<own {
          block.campaigns[end + index] = list[index]
          block.values[end + index] = value
        }
      }
      end += own
      block.ends[candidate] = Int32(truncatingIfNeeded: end)
    }
    return limit
  }

  /// Gains before any draw, and the checks that need nothing else.
  private func weigh(_ pairs: Int, _ block: BoostBlock) {
    for pair in 0..<pairs { block.hot[pair] = hot[Int(block.campaigns[pair])] }
    for pair in 0..<pairs {
      let own = block.hot[pair]
      block.gains[pair] = BoostRequest.gain(
        value: block.values[pair], worth: own.worth, charge: own.charge)
      block.checks[pair] = checks(Int(block.campaigns[pair]), own)
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
        columns.write(first + candidate, 0, isKnown(rows[candidate]) ? .noCampaign : .unknownItem)
      } else if audience.arm == .control {
        columns.write(first + candidate, 0, .holdout)
        pair = end
      } else {
        var leader = BoostLeader()
        while pair < end {
          consider(pair, rows[candidate], block.entries[candidate], block, &leader)
          pair += 1
        }
        block.chosen[candidate] = Int32(truncatingIfNeeded: leader.campaign)
        write(leader, first + candidate, columns)
      }
    }
  }

  @inline(__always)
  private func consider(
    _ pair: Int, _ row: Int32, _ entry: RowEntry, _ block: BoostBlock,
    _ leader: inout BoostLeader
  ) {
    let campaign = Int(block.campaigns[pair])
    let checks = block.checks[pair]
    var stage = CheckStage(failures: checks)
    var gain = block.gains[pair]
    var worth = block.values[pair] * block.hot[pair].worth
    if stage == .eligible {
      if checks & CheckBits.drawn != 0 {
        let value = block.values[pair] * factor(campaign, tables.records[campaign], seed: seed)
        worth = value * block.hot[pair].worth
        gain = BoostRequest.gain(
          value: value, worth: block.hot[pair].worth, charge: block.hot[pair].charge)
      }
      // One that would not win need not be asked for its caps.
      if leader.stage == .eligible, !(gain > leader.gain) { return }
      if checks & CheckBits.caps != 0, mayBeCapped(campaign, entry),
        isCapped(campaign, row, entry)
      {
        stage = .capped
      }
    }
    if leader.campaign < 0 || stage > leader.stage || (stage == .eligible && gain > leader.gain) {
      leader = BoostLeader(campaign: campaign, stage: stage, gain: gain, worth: worth)
    }
  }

  @inline(__always)
  private func mayBeCapped(_ campaign: Int, _ entry: RowEntry) -> Bool {
    audience.user == 0 || filter.mayBind(campaign, entry)
  }

  @inline(__always)
  private func write(_ leader: BoostLeader, _ position: Int, _ columns: BoostColumns) {
    guard leader.stage == .eligible else {
      columns.write(position, 0, leader.stage.reason)
      return
    }
    let isPaced = !(leader.gain > 0) && leader.worth > 0
    let boost = BoostTerms.boost(
      gain: leader.gain, weight: audience.weight, scale: audience.scale, cap: audience.cap)
    columns.write(position, boost, isPaced ? .paced : .ok)
  }

  private func writeKeys(
    _ first: Int, _ length: Int, _ block: BoostBlock, _ columns: BoostColumns
  ) {
    let none = Int32(truncatingIfNeeded: tables.count)
    for candidate in 0..<length {
      let chosen = block.chosen[candidate]
      columns.keys.storeBytes(
        of: tables.keys[Int(chosen)], toByteOffset: (first + candidate) * 8, as: UInt64.self)
      columns.campaigns?[first + candidate] = chosen == none ? -1 : chosen
    }
  }
}
