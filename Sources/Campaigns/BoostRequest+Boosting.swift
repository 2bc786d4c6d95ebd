internal import Core

/// Room for the loop over candidates: blocks that fit into the first cache.
private struct BoostBlock {
  /// Candidates of a block: enough for their cache misses to overlap.
  static let candidates = 64
  /// Pairs of a block: at least those of one candidate.
  static let pairs = Limits.campaignsPerItem + 64

  /// Of a candidate: where its row's campaigns begin, and where its pairs end.
  let rowStarts: UnsafeMutablePointer<Int>
  let pairEnds: UnsafeMutablePointer<Int>
  /// Of a pair.
  let campaigns: UnsafeMutablePointer<Int32>
  let values: UnsafeMutablePointer<Double>
  let gains: UnsafeMutablePointer<Double>
  let checks: UnsafeMutablePointer<UInt8>

  static let bytes = candidates * 16 + pairs * (4 + 8 + 8 + 1)

  init(_ room: UnsafeMutableRawPointer) {
    var next = room
    func take<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
      defer { next += count * MemoryLayout<T>.stride }
      return next.bindMemory(to: type, capacity: count)
    }
    rowStarts = take(Int.self, BoostBlock.candidates)
    pairEnds = take(Int.self, BoostBlock.candidates)
    values = take(Double.self, BoostBlock.pairs)
    gains = take(Double.self, BoostBlock.pairs)
    campaigns = take(Int32.self, BoostBlock.pairs)
    checks = take(UInt8.self, BoostBlock.pairs)
  }
}

/// The best of a candidate's campaigns so far.
private struct Leader: BitwiseCopyable {
  var campaign = -1
  var stage = CheckStage.notInFlight
  var gain = -Double.infinity
  var value = 0.0
}

extension BoostRequest {
  /// Of each candidate the boost of its best campaign, or why there is none.
  ///
  /// A block goes through in four passes: where each row's campaigns lie, which they are, their
  /// gains and checks, and the choice. The first three branch on nothing that they load, so their
  /// cache misses overlap; allocates one block for the batch.
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
        let pairs = block.pairEnds[length - 1]
        weigh(pairs, block)
        choose(rows + first, first, length, block, columns)
        first += length
      }
    }
  }

  /// Passes 1 and 2. Answers how many candidates fit into the block: at least one.
  private func gather(
    _ rows: UnsafePointer<Int32>, _ calibrated: UnsafePointer<Double>, _ count: Int,
    _ block: BoostBlock
  ) -> Int {
    let limit = min(count, BoostBlock.candidates)
    var end = 0
    var length = 0
    while length < limit {
      let places = places(ofRow: rows[length])
      let next = end + places.count
      guard next <= BoostBlock.pairs else { break }
      block.rowStarts[length] = places.lowerBound
      block.pairEnds[length] = next
      end = next
      length += 1
    }
    var pair = 0
    for candidate in 0..<length {
      let score = calibrated[candidate]
      let value = score.isFinite ? score : 0
      let own = tables.rowCampaigns + (block.rowStarts[candidate] - pair)
      while pair < block.pairEnds[candidate] {
        block.campaigns[pair] = own[pair]
        block.values[pair] = value
        pair += 1
      }
    }
    return length
  }

  /// Pass 3: gains before any draw, and the checks of records.
  private func weigh(_ pairs: Int, _ block: BoostBlock) {
    for pair in 0..<pairs {
      let campaign = Int(block.campaigns[pair])
      let record = tables.records + campaign
      let standing = standings[campaign]
      block.gains[pair] = BoostRequest.gain(
        value: block.values[pair], worth: record.pointee.worth, price: standing.price,
        cost: record.pointee.cost)
      block.checks[pair] = checks(campaign, record.pointee, standing)
    }
  }

  /// Pass 4: of the eligible campaigns the one with the largest gain, else the one that came
  /// furthest; of equals the first.
  private func choose(
    _ rows: UnsafePointer<Int32>, _ first: Int, _ length: Int, _ block: BoostBlock,
    _ columns: BoostColumns
  ) {
    var pair = 0
    for candidate in 0..<length {
      let end = block.pairEnds[candidate]
      guard pair < end else {
        let isKnown = UInt32(bitPattern: rows[candidate]) < UInt32(truncatingIfNeeded: tables.rowCount)
        columns.write(
          first + candidate, boost: 0, isKnown ? .noCampaign : .unknownItem, key: 0, campaign: -1)
        continue
      }
      if audience.arm == .control {
        columns.write(first + candidate, boost: 0, .holdout, key: 0, campaign: -1)
        pair = end
        continue
      }
      var leader = Leader()
      while pair < end {
        consider(pair, block, rowStart: block.rowStarts[candidate], &leader)
        pair += 1
      }
      write(leader, first + candidate, columns)
    }
  }

  @inline(__always)
  private func consider(
    _ pair: Int, _ block: BoostBlock, rowStart: Int, _ leader: inout Leader
  ) {
    let campaign = Int(block.campaigns[pair])
    var checks = block.checks[pair]
    if checks & CheckBits.segments != 0 {
      checks = checksWithSegments(checks, tables.records[campaign])
    }
    var stage = CheckStage(failures: checks)
    guard stage >= leader.stage || leader.campaign < 0 else { return }
    var gain = block.gains[pair]
    var value = block.values[pair]
    if stage == .eligible, checks & CheckBits.special != 0 {
      let record = tables.records[campaign]
      if record.flags & CheckBits.drawn != 0 {
        value *= factor(campaign, record, seed: seed)
        gain = BoostRequest.gain(
          value: value, worth: record.worth, price: standings[campaign].price, cost: record.cost)
      }
      // One that would not win need not be asked for its caps.
      if leader.stage == .eligible, !(gain > leader.gain) { return }
      if isCapped(record, rowStart: rowStart) { stage = .capped }
    }
    let isBetter =
      leader.campaign < 0 || stage > leader.stage
      || (stage == .eligible && stage == leader.stage && gain > leader.gain)
    if isBetter {
      leader = Leader(campaign: campaign, stage: stage, gain: gain, value: value)
    }
  }

  @inline(__always)
  private func write(_ leader: Leader, _ position: Int, _ columns: BoostColumns) {
    let record = tables.records + leader.campaign
    let key = record.pointee.key
    let campaign = Int32(truncatingIfNeeded: leader.campaign)
    guard leader.stage == .eligible else {
      columns.write(position, boost: 0, leader.stage.reason, key: key, campaign: campaign)
      return
    }
    let isPaced = !(leader.gain > 0) && leader.value * record.pointee.worth > 0
    let boost = BoostTerms.boost(
      gain: leader.gain, weight: audience.weight, scale: audience.scale, cap: audience.cap)
    columns.write(position, boost: boost, isPaced ? .paced : .ok, key: key, campaign: campaign)
  }
}
