import Core
import Testing

@testable import Campaigns

@Suite struct PlacementTests {
  private func world(_ exploration: Exploration) -> BoostWorld {
    var world = BoostWorld()
    world.artists = Array(repeating: 5, count: world.rowCount)
    world.releases = (0..<world.rowCount).map { $0 % 2 == 0 ? nil : Int64($0) }
    for (number, id) in ["a", "b", "c"].enumerated() {
      world.campaigns.append(
        Campaign(
          id: id, items: (0..<6).map { String($0 + number) }, flight: 0..<1_000,
          budget: Micros(1_000), cost: Micros(10), worth: Micros(1_000),
          caps: id == "c" ? [CapRule(scope: .userRelease, limit: 1, windowSeconds: 60)] : [],
          exploration: id == "a" ? exploration : .none))
      world.keys[id] = UInt64(100 + number)
      world.posteriors[id] = BetaPosterior(priorSuccesses: 2, priorFailures: 8)
    }
    return world
  }

  private func options(
    _ view: BoostRequest, affordable: (Int32) -> Int32 = { _ in .max }
  ) -> [SlotOption] {
    let rows = (0..<10).map { Int32($0) } + [-1, 400]
    let scores = rows.map { 0.1 + Double($0) / 1_000 }
    return view.options(rows: rows, calibrated: scores, count: rows.count, affordable: affordable)
  }

  @Test func optionsAreTheEligiblePairs() throws {
    let world = world(.none)
    let board = try world.board
    try BoostWorld.Request().with(board) { view in
      let all = options(view)
      #expect(all.count == 18 && all.allSatisfy { !$0.isDrawn && $0.artist == nil })
      #expect(all.filter { $0.campaign == 2 }.map(\.release) == [nil, 3, nil, 5, nil, 7])
      #expect(options(view) { $0 == 0 ? 0 : 2 }.count == 12)
      let choice = view.place(all, slots: 4)
      #expect(choice.isOptimal && choice.placements.map(\.row) == [7, 6, 5, 4])
      #expect(choice.placements.map(\.key) == [102, 101, 100, 100])
      #expect(choice.placements.allSatisfy { $0.propensity == 1 })
    }
  }

  @Test func whoIsHeldOutGetsNothing() throws {
    var world = world(.none)
    world.policy.holdout = HoldoutRule(salt: "s", controlBuckets: 200)
    let board = try world.board
    var request = BoostWorld.Request()
    for (bucket, user, count) in [(199, 7, 0), (200, 7, 18), (9_999, 0, 0)] as [(Int, UInt64, Int)]
    {
      request.bucket = bucket
      request.user = user
      try request.with(board) { #expect(options($0).count == count) }
    }
  }

  /// Where the boost is 0 no slot is paid for; the reason says why.
  @Test(arguments: [(0, 1), (1, 0), (0, 0)] as [(Double, Double)])
  func aSurfaceThatTakesNoBoostsGetsNoPlacements(weight: Double, cap: Double) throws {
    var world = world(.thompson)
    world.policy.surfaces["radio"] = SurfaceBoost(weight: weight, cap: cap)
    let board = try world.board
    try BoostWorld.Request().with(board) { view in
      #expect(options(view).isEmpty)
      let served = ServedBoosts(view, rows: [0, 7, 9], scores: [0.1, 0.1, 0.1])
      #expect(served.boosts == [0, 0, 0])
      let off = BoostReason.surfaceOff.rawValue
      #expect(served.reasons == [off, off, BoostReason.noCampaign.rawValue])
    }
  }

  /// A gain that is too small for any boost is none.
  @Test func whatHasNoBoostIsNotPlaced() throws {
    var world = world(.none)
    world.policy.surfaces["radio"] = SurfaceBoost(weight: 1e-60, cap: 1)
    let board = try world.board
    try BoostWorld.Request().with(board) { view in
      #expect(view.place(options(view), slots: 4).placements.isEmpty)
      let served = ServedBoosts(view, rows: [0], scores: [0.1])
      #expect(served.reasons == [BoostReason.worthless.rawValue])
    }
  }

  /// Against the share of placements over many seeds: what the propensity stands for.
  @Test func propensitiesAreSharesOfDraws() throws {
    let board = try world(.thompson).board
    var placed: [Int32: Int] = [:]
    var sums: [Int32: Double] = [:]
    let seeds = 150
    for seed in 0..<seeds {
      var request = BoostWorld.Request()
      request.seed = UInt64(seed)
      try request.with(board) { view in
        let choice = view.place(options(view), slots: 3)
        #expect(choice == view.place(options(view), slots: 3))
        for placement in choice.placements where placement.campaign == 0 {
          placed[placement.row, default: 0] += 1
          sums[placement.row, default: 0] += placement.propensity
          #expect(placement.propensity > 0 && placement.propensity <= 1)
        }
      }
    }
    let share = Double(try #require(placed[5])) / Double(seeds)
    let mean = try #require(sums[5]) / Double(try #require(placed[5]))
    #expect(share > 0.1 && share < 0.9, "the draw decides")
    // 65 draws with the served one among them: 1/65 too much, and the error of 150 seeds: 4 %.
    #expect(abs(mean - share) < 0.15, "\(mean) against \(share)")
  }

  @Test func tallySaysWhatBecameOfEveryPair() throws {
    let world = world(.none)
    let board = try world.board
    var tally = CampaignTally(campaigns: board.set.count)
    let rows: [Int32] = [0, 1, 2, -1, 9]
    let scores = [0.1, 0, 0.3, 0.4, 0.5]
    try BoostWorld.Request().with(board) { view in
      var reasons = [UInt8](repeating: 0, count: 5)
      var campaigns = [Int32](repeating: 0, count: 5)
      let room = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 8)
      defer { room.deallocate() }
      reasons.withUnsafeMutableBufferPointer { reasons in
        campaigns.withUnsafeMutableBufferPointer { campaigns in
          guard let first = reasons.baseAddress else { return }
          let columns = BoostColumns(
            boosts: room, reasons: first, keys: room + 40, campaigns: campaigns.baseAddress)
          view.boost(rows: rows, calibrated: scores, count: 5, into: columns)
          guard let served = campaigns.baseAddress else { return }
          tally.add(view, rows: rows, calibrated: scores, count: 5, served: served)
        }
      }
    }
    let stride = UInt64(Limits.tallyStride)
    func counts(_ campaign: Int32) -> [TallyPlace: UInt64] {
      var counts: [TallyPlace: UInt64] = [:]
      for place in TallyPlace.allCases where tally.total(campaign, place) > 0 {
        counts[place] = tally.total(campaign, place) / stride
      }
      return counts
    }
    // Rows 0, 1, 2 are of a; 1, 2 of b; 2 of c; equal gains go to a.
    #expect(counts(0) == [.candidates: 3, .boosted: 2, .worthless: 1])
    #expect(counts(1) == [.candidates: 2, .outbid: 1, .worthless: 1])
    #expect(counts(2) == [.candidates: 1, .outbid: 1])
    var totals = [UInt64](repeating: 1, count: TallyPlace.allCases.count)
    tally.drain(0, into: &totals)
    #expect(totals[TallyPlace.candidates.rawValue] == 1 + 3 * stride)
    #expect(counts(0).isEmpty)
    for (campaigns, expected) in [(4_096, 800...1_200), (4_097, 180...320)] {
      let counted = (0..<16_000).filter {
        CampaignTally.isCounted(seed: UInt64($0), campaigns: campaigns)
      }.count
      #expect(expected.contains(counted))
    }
  }
}
