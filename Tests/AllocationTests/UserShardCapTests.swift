import Allocation
import Campaigns
import Core
import Ledger
import Testing

/// Caps are checked where they are reserved: what an answer has placed counts for the rest of it.
@Suite struct UserShardCapTests {
  private static let now: Int64 = 1_775_000_000_000

  private func campaign(_ id: String, item: String, worth: Int64, caps: [CapRule]) -> Campaign {
    Campaign(
      id: id, items: [item], flight: 0..<(Self.now * 2), budget: Micros(1_000), cost: Micros(10),
      worth: Micros(worth), caps: caps)
  }

  private func shard(_ board: CampaignBoard, _ rules: [(campaign: UInt64, rules: [CapRule])])
    -> UserShard
  {
    let shard = UserShard(
      index: 0, shards: 1, capClock: .server, seed: 1,
      signer: TokenSigner(sign: { _, _ in }, isValid: { _, _ in true }), presence: UserPresence())
    shard.keep(CapRules(rules))
    for index in 0..<Int32(board.set.count) {
      shard.grant(
        Lease(
          id: UInt64(index) + 1, campaign: board.set.key(index), holder: 0, amount: Micros(100),
          at: Self.now, expires: Self.now + Limits.serving.leaseMilliseconds), at: Self.now)
    }
    return shard
  }

  /// The campaigns of what two slots get, for a user who has had `before` exposures of the artist.
  /// `others`: rules of campaigns that are not asked.
  private func placed(
    _ campaigns: [Campaign], before: Int = 0, others: [CapRule] = []
  ) throws -> [UInt64] {
    let asking = try Asking(campaigns, rows: 2, user: 5, now: Self.now)
    let (board, request) = (asking.board, asking.request)
    var granted: [UInt64] = []
    var work = AllocationRequest(
      user: 5, requestID: RequestID(high: 1, low: 2), digest: RequestID(high: 3, low: 4), slots: 2,
      board: board, request: request,
      options: request.options(
        rows: [0, 1], calibrated: [0.5, 0.5], count: 2, affordable: { _ in .max }),
      reasons: [:], item: { UInt64($0) + 1 },
      encode: { placements, _ in
        granted = placements.map(\.choice.key)
        return []
      })
    let shard = shard(
      board, asking.rules + others.map { (campaign: 100, rules: [$0]) })
    for item in 0..<before {
      let placement = Placement(
        user: 5, campaign: 100, amount: Micros(1), item: UInt64(item), artist: 77)
      shard.restore(.reserved(placement, at: Self.now))
    }
    guard case .placed = shard.allocate(&work, at: Self.now) else {
      Issue.record("nothing was placed")
      return []
    }
    return granted
  }

  private let once = [CapRule(scope: .userArtist, limit: 1, windowSeconds: 60)]

  @Test func whatIsPlacedFirstCountsForTheRulesOfTheRest() throws {
    let free = campaign("a", item: "0", worth: 2_000, caps: [])
    let capped = campaign("b", item: "1", worth: 1_000, caps: once)
    #expect(try placed([free, capped]) == [1])
  }

  /// The other way round its rule was kept when it was placed, and the other has none.
  @Test func aRuleBindsItsOwnCampaignAlone() throws {
    let capped = campaign("a", item: "0", worth: 2_000, caps: once)
    let free = campaign("b", item: "1", worth: 1_000, caps: [])
    #expect(try placed([capped, free]) == [1, 2])
  }

  /// More windows are asked for than are kept: a rule holds by the next longer one.
  @Test func aRuleOfAWindowThatIsNotKeptHolds() throws {
    let many = (1...12).map {
      CapRule(scope: .userArtist, limit: 9, windowSeconds: UInt32(60 * $0))
    }
    let keeping = CapKeeping(rules: many)
    let merged = try #require(many.first { keeping.counted($0) != $0 })
    let capped = campaign("a", item: "0", worth: 2_000, caps: [merged])
    #expect(try placed([capped], before: 8, others: many) == [1])
    #expect(try placed([capped], before: 9, others: many) == [])
  }
}
