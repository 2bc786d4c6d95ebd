internal import Core

/// One bit for each campaign, and a spare one after the last that is never set.
enum OpenBits {
  @inline(__always)
  static func words(campaigns: Int) -> Int { campaigns >> 6 + 1 }
}

/// The campaigns of a board that are in flight, on, and not spent, as bits: they hold for requests
/// of `from` ≤ time < `until`, milliseconds since 1970.
struct OpenCampaigns: BitwiseCopyable {
  let words: UnsafePointer<UInt64>
  private let from: Int64
  private let until: Int64

  /// Of the moment `time`, and as long before and after it as no flight begins or ends.
  init(
    _ campaigns: [CampaignHot], _ records: UnsafePointer<CampaignRecord>, at time: Int64,
    _ memory: FlatMemory
  ) {
    var bits = [UInt64](repeating: 0, count: OpenBits.words(campaigns: campaigns.count))
    var (from, until) = (Int64.min, Int64.max)
    for (index, campaign) in campaigns.enumerated() {
      let (start, end) = (records[index].flightStart, records[index].flightEnd)
      if start > time { until = min(until, start) } else { from = max(from, start) }
      if end > time { until = min(until, end) } else { from = max(from, end) }
      guard campaign.flags & CheckBits.failures == 0, start <= time, time < end
      else { continue }
      bits[index >> 6] |= 1 << UInt64(index & 63)
    }
    words = memory.copy(bits)
    (self.from, self.until) = (from, until)
  }

  func holds(at time: Int64) -> Bool { from <= time && time < until }
}

extension BoostRequest {
  /// Whether it pays to work out for the request which of all campaigns are open: a block of 64
  /// campaigns costs about as much as a 64th of a candidate.
  func hasOpenBits(candidates: Int) -> Bool {
    candidates << 6 >= tables.words && open.holds(at: audience.timeUnixMilliseconds)
  }

  /// The campaigns that the request may boost, and that no cap of user × campaign keeps out; those
  /// whose value is drawn are among them.
  func fillOpenBits(_ words: UnsafeMutablePointer<UInt64>, _ block: BoostBlock) {
    let count = tables.words
    words.update(from: audience.segmentBits[0], count: count)
    for index in 1..<audience.segmentCount {
      let segment = audience.segmentBits[index]
      for word in 0..<count { words[word] |= segment[word] }
    }
    let (markets, surfaces) = (audience.marketBits, audience.surfaceBits)
    let (tiers, open) = (audience.tierBits, open.words)
    for word in 0..<count {
      words[word] &= markets[word] & surfaces[word] & tiers[word] & open[word]
    }
    closeCapped(words, count, UnsafePointer(block.filter))
  }

  private func closeCapped(
    _ words: UnsafeMutablePointer<UInt64>, _ count: Int, _ filter: UnsafePointer<UInt64>
  ) {
    guard let capped = tables.capped else { return }
    guard audience.user != 0 else {
      for word in 0..<count { words[word] &= ~capped[word] }
      return
    }
    scopes.forEach(atLeast: tables.leastLimits) { scope, key in
      guard scope == .userCampaign else { return }
      set._withUnsafeGuaranteedRef { set in
        guard let campaign = set.index(ofKey: key).map({ Int($0) }),
          CapFilter.bit(filter, CapFilter.place(campaign: campaign)) & 1 != 0,
          CapFilter.isCapped(
            set.caps(Int32(campaign)), by: key, scopes, nowDeciseconds: nowDeciseconds)
        else { return }
        words[campaign >> 6] &= ~(1 << UInt64(truncatingIfNeeded: campaign & 63))
      }
    }
  }
}
