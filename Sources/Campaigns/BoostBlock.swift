/// Room for the loop over candidates: blocks that fit into the first cache.
struct BoostBlock {
  /// Candidates of a block: enough for their cache misses to overlap.
  static var candidates: Int { 64 }
  /// Pairs of a block: at least those of one candidate, `Limits.campaignsPerItem`.
  static var pairs: Int { 320 }

  /// Of a candidate: its row's entry, where its pairs end, and the campaign that was chosen, or
  /// the number of campaigns for none.
  let entries: UnsafeMutablePointer<RowEntry>
  /// The entries, to be copied whole.
  let copies: UnsafeMutablePointer<SIMD2<UInt64>>
  let ends: UnsafeMutablePointer<Int32>
  let chosen: UnsafeMutablePointer<Int32>
  /// Of a pair.
  let campaigns: UnsafeMutablePointer<Int32>
  let hot: UnsafeMutablePointer<CampaignHot>
  let values: UnsafeMutablePointer<Double>
  let gains: UnsafeMutablePointer<Double>
  let checks: UnsafeMutablePointer<UInt16>

  static var bytes: Int { candidates * (16 + 4 + 4) + pairs * (32 + 8 + 8 + 4 + 2) }

  init(_ room: UnsafeMutableRawPointer) {
    hot = room.bindMemory(to: CampaignHot.self, capacity: BoostBlock.pairs)
    values = UnsafeMutableRawPointer(hot + BoostBlock.pairs)
      .bindMemory(to: Double.self, capacity: BoostBlock.pairs)
    gains = UnsafeMutableRawPointer(values + BoostBlock.pairs)
      .bindMemory(to: Double.self, capacity: BoostBlock.pairs)
    entries = UnsafeMutableRawPointer(gains + BoostBlock.pairs)
      .bindMemory(to: RowEntry.self, capacity: BoostBlock.candidates)
    copies = UnsafeMutableRawPointer(entries).assumingMemoryBound(to: SIMD2<UInt64>.self)
    ends = UnsafeMutableRawPointer(entries + BoostBlock.candidates)
      .bindMemory(to: Int32.self, capacity: BoostBlock.candidates)
    chosen = UnsafeMutableRawPointer(ends + BoostBlock.candidates)
      .bindMemory(to: Int32.self, capacity: BoostBlock.candidates)
    campaigns = UnsafeMutableRawPointer(chosen + BoostBlock.candidates)
      .bindMemory(to: Int32.self, capacity: BoostBlock.pairs)
    checks = UnsafeMutableRawPointer(campaigns + BoostBlock.pairs)
      .bindMemory(to: UInt16.self, capacity: BoostBlock.pairs)
  }
}

/// The best of a candidate's campaigns so far.
struct BoostLeader: BitwiseCopyable {
  var campaign = -1
  var stage = CheckStage.notInFlight
  var gain = -Double.infinity
  /// value · worth: the gain at a price of 0.
  var worth = 0.0
}
