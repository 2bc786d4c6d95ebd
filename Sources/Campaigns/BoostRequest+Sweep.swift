internal import CKernels
internal import Core

/// A candidate's best campaign of those that are open.
private struct Bid: BitwiseCopyable {
  /// Micros; of no open campaign, and of a gain that is no number, −∞.
  var gain: Double
  var campaign: Int

  /// The bid of a campaign. What is not open bids −∞.
  @inline(__always)
  init(
    _ campaign: Int, value: Double, _ hot: UnsafePointer<CampaignHot>,
    _ open: UnsafePointer<UInt64>
  ) {
    let own = hot + campaign
    let isOpen = open[campaign >> 6] &>> UInt64(truncatingIfNeeded: campaign) & 1
    // 0 where it is open, else −∞: added, without a branch.
    let closing = Double(bitPattern: (isOpen &- 1) & (-Double.infinity).bitPattern)
    let gain = value * own.pointee.worth - own.pointee.charge + closing
    // False of what is no number.
    self.gain = gain > -.infinity ? gain : -.infinity
    self.campaign = campaign
  }

  /// Of equals the first stays.
  @inline(__always)
  mutating func raise(_ other: Bid) {
    let isMore = other.gain > gain
    gain = isMore ? other.gain : gain
    campaign = isMore ? other.campaign : campaign
  }
}

extension BoostRequest {
  /// How many candidates ahead the campaigns of a row are asked for: about 100 cache lines, which
  /// come while as many candidates are weighed.
  private static var lookAhead: Int { 32 }

  /// The boosts of all candidates of which some campaign is open (`fillOpenBits`), where no value
  /// is drawn and no cap of artist or release may bind; `look` answers the others. Hardly branches.
  ///
  /// `entries`: room for `count` of them.
  func sweep(
    rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>, count: Int,
    _ open: UnsafePointer<UInt64>, _ entries: UnsafeMutablePointer<SIMD2<UInt64>>,
    _ block: BoostBlock, _ columns: BoostColumns
  ) {
    copyEntries(rows, count, to: entries)
    for candidate in 0..<min(count, BoostRequest.lookAhead) { fetch(entries[candidate]) }
    var first = 0
    while first < count {
      let end = min(first + BoostBlock.candidates, count)
      let left = sweep(first..<end, rows, calibrated, count, open, entries, block, columns)
      // In runs: of a market without campaigns all are left.
      var at = 0
      while at < left {
        let start = Int(block.left[at])
        var next = start
        while at < left, Int(block.left[at]) == next {
          next += 1
          at += 1
        }
        look(start..<next, rows, calibrated, block, columns)
      }
      first = end
    }
  }

  /// Asks for what is read of the campaigns of a row.
  @inline(__always)
  private func fetch(_ entry: SIMD2<UInt64>) {
    // Of more than three campaigns these are no indexes, and no harm is done.
    crescendo_prefetch(hot + Int(entry.x &>> 32))
    crescendo_prefetch(hot + Int(entry.y & 0xFFFF_FFFF))
    crescendo_prefetch(hot + Int(entry.y &>> 32))
  }

  /// Answers how many candidates it has put into `block.left`.
  private func sweep(
    _ candidates: Range<Int>, _ rows: UnsafePointer<Int32>,
    _ calibrated: UnsafePointer<Double>, _ count: Int, _ open: UnsafePointer<UInt64>,
    _ entries: UnsafePointer<SIMD2<UInt64>>, _ block: BoostBlock, _ columns: BoostColumns
  ) -> Int {
    let (weight, scale, cap) = (audience.weight, audience.scale, audience.cap)
    let (hot, drawn, isOff) = (self.hot, tables.drawn, audience.isOff)
    let mayBind = filter.hasRows
    var left = 0
    for candidate in candidates {
      let ahead = candidate &+ BoostRequest.lookAhead
      if ahead < count { fetch(entries[ahead]) }
      let entry = entries[candidate]
      let score = calibrated[candidate]
      let value = score.isFinite ? score : 0
      var best: Bid
      if entry.x & 0xFFFF <= RowEntry.inline {
        best = Bid(Int(entry.x &>> 32), value: value, hot, open)
        best.raise(Bid(Int(entry.y & 0xFFFF_FFFF), value: value, hot, open))
        best.raise(Bid(Int(entry.y &>> 32), value: value, hot, open))
      } else {
        best = bid(ofMany: entry, value, open)
      }
      if !(best.gain > -.infinity) || (mayBind && block.mayBind(entry))
        || (drawn != nil && mayDraw(entry))
      {
        guard entry.x & 0xFFFF != 0 else {
          columns.write(candidate, 0, isKnown(rows[candidate]) ? .noCampaign : .unknownItem)
          columns.write(candidate, of: -1, key: 0)
          continue
        }
        block.left[left] = Int32(truncatingIfNeeded: candidate)
        left &+= 1
        if mayBind { fetchNumbers(Int(rows[candidate])) }
        continue
      }
      let own = hot + best.campaign
      let boost = BoostTerms.boost(gain: best.gain, weight: weight, scale: scale, cap: cap)
      let free = value * own.pointee.worth
      columns.write(
        candidate, boost, Audience.reason(boost, gain: best.gain, free: free, isOff: isOff))
      columns.write(
        candidate, of: Int32(truncatingIfNeeded: best.campaign), key: own.pointee.key)
    }
    return left
  }

  /// What caps of artist and release count by.
  private func fetchNumbers(_ row: Int) {
    if let artists = tables.artists { crescendo_prefetch(artists + row) }
    if let releases = tables.releases { crescendo_prefetch(releases + row) }
  }

  private func bid(ofMany entry: SIMD2<UInt64>, _ value: Double, _ open: UnsafePointer<UInt64>)
    -> Bid
  {
    let list = tables.overflow + Int(entry.x &>> 32)
    var best = Bid(Int(list[0]), value: value, hot, open)
    for index in 1..<Int(entry.x & 0xFFFF) {
      best.raise(Bid(Int(list[index]), value: value, hot, open))
    }
    return best
  }

  /// Whether the value of one of the row's campaigns is drawn.
  private func mayDraw(_ entry: SIMD2<UInt64>) -> Bool {
    guard let drawn = tables.drawn else { return false }
    guard entry.x & 0xFFFF <= RowEntry.inline else { return true }
    let (a, b, c) = (Int(entry.x &>> 32), Int(entry.y & 0xFFFF_FFFF), Int(entry.y &>> 32))
    let bits =
      drawn[a >> 6] &>> UInt64(truncatingIfNeeded: a)
      | drawn[b >> 6] &>> UInt64(truncatingIfNeeded: b)
      | drawn[c >> 6] &>> UInt64(truncatingIfNeeded: c)
    return bits & 1 != 0
  }
}
