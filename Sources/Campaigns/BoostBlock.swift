/// Room for the loop over candidates: blocks that fit into the first cache.
struct BoostBlock: BitwiseCopyable {
  /// Candidates of a block: enough for their cache misses to overlap.
  static var candidates: Int { 64 }
  /// Pairs of a block: at least those of one candidate, `Limits.campaignsPerItem`.
  static var pairs: Int { 320 }
  /// Pairs are written by threes.
  private static var pairRoom: Int { pairs + 4 }

  /// Of a candidate: its row's `RowEntry` as two words, where its pairs end, and the campaign that
  /// was chosen, or the number of campaigns for none.
  let copies: UnsafeMutablePointer<SIMD2<UInt64>>
  let ends: UnsafeMutablePointer<Int32>
  let chosen: UnsafeMutablePointer<Int32>
  /// The places of candidates that are still to be looked at.
  let left: UnsafeMutablePointer<Int32>
  /// Of a pair.
  let campaigns: UnsafeMutablePointer<Int32>
  let hot: UnsafeMutablePointer<CampaignHot>
  let values: UnsafeMutablePointer<Double>
  let gains: UnsafeMutablePointer<Double>
  let ranks: UnsafeMutablePointer<Int64>
  let checks: UnsafeMutablePointer<UInt16>
  /// Of the request.
  let segments: UnsafeMutablePointer<UnsafePointer<UInt64>>
  let filter: UnsafeMutablePointer<UInt64>

  static var bytes: Int {
    // Whole cache lines: what is behind it is aligned, too.
    let pairBytes = pairRoom * (32 + 8 + 8 + 8 + 4 + 2)
    let bytes = pairBytes + candidates * (16 + 4 + 4 + 4) + 64 * 8 + CapFilter.words * 8
    return (bytes + 63) & ~63
  }

  init(_ room: UnsafeMutableRawPointer) {
    var next = room
    func take<T>(_ count: Int) -> UnsafeMutablePointer<T> {
      defer { next += count * MemoryLayout<T>.stride }
      return next.bindMemory(to: T.self, capacity: count)
    }
    hot = take(BoostBlock.pairRoom)
    copies = take(BoostBlock.candidates)
    values = take(BoostBlock.pairRoom)
    gains = take(BoostBlock.pairRoom)
    ranks = take(BoostBlock.pairRoom)
    segments = take(64)
    filter = take(CapFilter.words)
    ends = take(BoostBlock.candidates)
    chosen = take(BoostBlock.candidates)
    left = take(BoostBlock.candidates)
    campaigns = take(BoostBlock.pairRoom)
    checks = take(BoostBlock.pairRoom)
  }

  /// Whether the user has had something of the row's artist or release.
  @inline(__always)
  func mayBind(_ entry: SIMD2<UInt64>) -> Bool {
    let artist = UInt8(truncatingIfNeeded: entry.x &>> 16)
    let release = UInt8(truncatingIfNeeded: entry.x &>> 24)
    return
      (CapFilter.bit(filter, CapFilter.place(artist: artist))
      | CapFilter.bit(filter, CapFilter.place(release: release))) & 1 != 0
  }
}

/// A pair's place in the choice as one number: below all gains the stages of those that are kept
/// out, then the eligible by gain.
enum PairRank {
  @inline(__always)
  static func rank(_ gain: Double, _ checks: UInt16) -> Int64 {
    let failures = checks & CheckBits.failures
    // The order of doubles as that of integers; adding 0 makes −0 the same as 0.
    let bits = Int64(bitPattern: (gain + 0).bitPattern)
    let byGain = bits ^ Int64(bitPattern: UInt64(bitPattern: bits >> 63) >> 1)
    let byStage = Int64.min &+ Int64(truncatingIfNeeded: failures.trailingZeroBitCount) &+ 1
    return failures == 0 ? byGain : byStage
  }

  static func rank(_ stage: CheckStage) -> Int64 { .min &+ Int64(stage.rawValue) &+ 1 }

  @inline(__always)
  static func stage(_ rank: Int64) -> CheckStage {
    let number = rank &- .min &- 1
    guard number >= 0, number < Int64(CheckStage.eligible.rawValue) else { return .eligible }
    return CheckStage(rawValue: UInt8(truncatingIfNeeded: number)) ?? .eligible
  }
}

/// What `checks` looks up, hoisted out of the loop.
struct CheckLookups: BitwiseCopyable {
  private let time: Int64
  private let records: UnsafePointer<CampaignRecord>
  private let markets: UnsafePointer<UInt64>
  private let surfaces: UnsafePointer<UInt64>
  private let tiers: UnsafePointer<UInt64>
  private let segments: UnsafePointer<UnsafePointer<UInt64>>
  private let segmentCount: Int
  private let filter: UnsafePointer<UInt64>
  private let isAnonymous: UInt64

  @inline(__always)
  init(_ request: BoostRequest, _ block: BoostBlock) {
    time = request.audience.timeUnixMilliseconds
    records = request.tables.records
    markets = request.audience.marketBits
    surfaces = request.audience.surfaceBits
    tiers = request.audience.tierBits
    segments = UnsafePointer(block.segments)
    segmentCount = request.audience.segmentCount
    filter = UnsafePointer(block.filter)
    isAnonymous = request.audience.user == 0 ? 1 : 0
  }

  /// The checks of anything but draws and caps, as `CheckBits`.
  @inline(__always)
  func checks(_ campaign: Int, _ hot: CampaignHot) -> UInt16 {
    let word = campaign >> 6
    let bit = UInt64(truncatingIfNeeded: campaign & 63)
    var shared = segments[0][word]
    for index in 1..<segmentCount { shared |= segments[index][word] }
    let isFor =
      (markets[word] >> bit & 1) << 2 | (surfaces[word] >> bit & 1) << 3
      | (tiers[word] >> bit & 1) << 4 | (shared >> bit & 1) << 5
    let flight: UInt16 =
      (time < records[campaign].flightStart ? CheckBits.flight : 0)
      | (time >= records[campaign].flightEnd ? CheckBits.flight : 0)
    let flags = hot.flags
    let mayBind =
      (isAnonymous | CapFilter.bit(filter, CapFilter.place(campaign: campaign))) & 1
    // The flag of caps, moved to the place of `bind`.
    let bind = flags << 2 & UInt16(truncatingIfNeeded: mayBind << 9)
    return flight | flags | (UInt16(truncatingIfNeeded: isFor) ^ 0x3C) | bind
  }
}
