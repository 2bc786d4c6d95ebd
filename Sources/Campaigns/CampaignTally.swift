package import Core

/// What became of a campaign's candidates; the places in a tally.
package enum TallyPlace: Int, Sendable, CaseIterable {
  case candidates = 0
  /// It won, with a gain over 0.
  case boosted = 1
  case notInFlight = 2
  case market = 3
  case surface = 4
  case tier = 5
  case segment = 6
  case budgetSpent = 7
  case capped = 8
  case paced = 9
  case holdout = 10
  /// Another campaign of the item had a larger gain.
  case outbid = 11
  /// It won with a gain of 0, and not for its price.
  case worthless = 12

  /// The reason that `Diagnose` reports it under; nil: none.
  package var reason: BoostReason? {
    switch self {
    case .candidates, .boosted, .outbid, .worthless: nil
    case .notInFlight: .notInFlight
    case .market: .market
    case .surface: .surface
    case .tier: .tier
    case .segment: .segment
    case .budgetSpent: .budgetSpent
    case .capped: .capped
    case .paced: .paced
    case .holdout: .holdout
    }
  }
}

/// How often each campaign was kept from a boost, by reason: of one loop, for one set.
///
/// One cache line for each campaign, and one batch in `Limits.tallyStride`, chosen by its seed, is
/// counted: counting all of them would cost as much as boosting. Every number counts for
/// `Limits.tallyStride` of its kind.
package struct CampaignTally: ~Copyable {
  private static var line: Int { 16 }
  private let counts: UnsafeMutablePointer<UInt32>
  package let count: Int

  package init(campaigns: Int) {
    count = campaigns
    let total = max(campaigns, 1) * CampaignTally.line
    let room = UnsafeMutableRawPointer.allocate(byteCount: total * 4, alignment: 64)
    counts = room.initializeMemory(as: UInt32.self, repeating: 0, count: total)
  }

  deinit { counts.deallocate() }

  /// Whether the batch of this seed is one of those that are counted.
  package static func isCounted(seed: UInt64) -> Bool {
    splitmix64(seed) & UInt64(Limits.tallyStride - 1) == 0
  }

  /// Counts every pair of a batch whose boosts were served to `campaigns` and `reasons`, as
  /// `BoostRequest.boost` wrote them.
  package mutating func add(
    _ request: BoostRequest, rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>,
    count: Int, served: BoostColumns
  ) {
    precondition(request.tables.count == self.count, "a tally of another set")
    for position in 0..<count where request.isKnown(rows[position]) {
      let row = rows[position]
      let score = calibrated[position].isFinite ? calibrated[position] : 0
      let winner = served.campaigns.map { $0[position] } ?? -1
      for campaign in request.tables.campaigns(ofRow: Int(row)) {
        bump(campaign, .candidates)
        if request.audience.arm == .control {
          bump(campaign, .holdout)
        } else {
          let verdict = request.verdict(Int(campaign), row: row, calibrated: score)
          bump(
            campaign, CampaignTally.place(verdict, isWinner: campaign == winner, request, campaign))
        }
      }
    }
  }

  private static func place(
    _ verdict: Verdict, isWinner: Bool, _ request: BoostRequest, _ campaign: Int32
  ) -> TallyPlace {
    switch verdict.stage {
    case .notInFlight: .notInFlight
    case .market: .market
    case .surface: .surface
    case .tier: .tier
    case .segment: .segment
    case .budgetSpent: .budgetSpent
    case .capped: .capped
    case .eligible:
      if verdict.gain > 0 {
        isWinner ? .boosted : .outbid
      } else if verdict.value * request.hot[Int(campaign)].worth > 0 {
        .paced
      } else {
        .worthless
      }
    }
  }

  private mutating func bump(_ campaign: Int32, _ place: TallyPlace) {
    let at = Int(campaign) * CampaignTally.line + place.rawValue
    // Stays at the end rather than to begin anew.
    if counts[at] < .max { counts[at] += 1 }
  }

  /// Scaled to all batches.
  package func total(_ campaign: Int32, _ place: TallyPlace) -> UInt64 {
    let at = Int(campaign) * CampaignTally.line + place.rawValue
    return UInt64(counts[at]) * UInt64(Limits.tallyStride)
  }

  /// Adds a campaign's numbers, scaled, to `totals`, in the order of `TallyPlace`, and forgets
  /// them.
  package mutating func drain(_ campaign: Int32, into totals: inout [UInt64]) {
    for place in TallyPlace.allCases {
      totals[place.rawValue] += total(campaign, place)
      counts[Int(campaign) * CampaignTally.line + place.rawValue] = 0
    }
  }
}
