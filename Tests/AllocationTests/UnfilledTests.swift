import Campaigns
import Core
import Ledger
import Testing

@testable import Allocation

/// Why slots stay empty, and whom that is counted for.
@Suite struct UnfilledTests {
  private static let now: Int64 = 1_775_000_000_000
  private static let user: UInt64 = 5

  private struct Ask {
    var slots = 3
    var rows: [Int32] = [0, 1, 2]
    /// Of each campaign's lease, micros; exposures cost 10.
    var money: Int64 = 1_000
    /// Exposures of campaign 1 that the user has had.
    var before = 0
    var reasons: [BoostReason: Int] = [:]
    var seed: UInt64 = 1
  }

  private struct Outcome {
    var placed: Int
    var reason: BoostReason
    var kept: KeptAway
  }

  private func campaign(_ id: String, items: [Int] = [0, 1, 2], caps: [CapRule] = []) -> Campaign {
    Campaign(
      id: id, items: items.map { String($0) }, flight: 0..<(Self.now * 2), budget: Micros(1_000),
      cost: Micros(10), worth: Micros(1_000), caps: caps)
  }

  private func allocate(_ campaigns: [Campaign], _ ask: Ask = Ask()) throws -> Outcome {
    let asking = try Asking(campaigns, rows: 3, user: Self.user, now: Self.now, seed: ask.seed)
    let (board, request) = (asking.board, asking.request)
    let shard = shard(asking.rules, ask)
    var outcome: Outcome?
    var work = AllocationRequest(
      user: Self.user, requestID: RequestID(high: 1, low: 2), digest: RequestID(high: 3, low: 4),
      slots: ask.slots, board: board, request: request,
      options: request.options(
        rows: ask.rows, calibrated: ask.rows.map { _ in 0.5 }, count: ask.rows.count,
        affordable: { _ in .max }),
      reasons: ask.reasons, item: { UInt64($0) + 1 },
      encode: { placements, reason in
        outcome = Outcome(placed: placements.count, reason: reason, kept: KeptAway())
        return []
      })
    // Once more without leases that it asks for in vain.
    for _ in 0..<4 where outcome == nil {
      _ = shard.allocate(&work, at: Self.now)
      for wish in shard.takeWishes() {
        shard.refuse(wish.campaign, isSpent: true, until: Self.now + 1_000)
      }
    }
    var found = try #require(outcome)
    found.kept = shard.takeKept(of: 1)
    return found
  }

  private func shard(_ rules: [(campaign: UInt64, rules: [CapRule])], _ ask: Ask) -> UserShard {
    let shard = UserShard(
      index: 0, shards: 1, capClock: .server, seed: 1,
      signer: TokenSigner(sign: { _, _ in }, isValid: { _, _ in true }), presence: UserPresence())
    shard.keep(CapRules(rules))
    for (campaign, _) in rules {
      shard.grant(
        Lease(
          id: campaign, campaign: campaign, holder: 0, amount: Micros(ask.money), at: Self.now,
          expires: Self.now + Limits.serving.leaseMilliseconds), at: Self.now)
    }
    for item in 0..<ask.before {
      let placement = Placement(
        user: Self.user, campaign: 1, amount: Micros(10), item: UInt64(item), artist: 77)
      shard.restore(.reserved(placement, at: Self.now))
    }
    return shard
  }

  private func rule(_ scope: CapScope, _ limit: UInt32) -> CapRule {
    CapRule(scope: scope, limit: limit, windowSeconds: 60)
  }

  @Test func allSlotsAreFilled() throws {
    let outcome = try allocate([campaign("a")])
    #expect(outcome.placed == 3 && outcome.reason == .ok)
  }

  /// Each item once, and none is left; also where there was none.
  @Test func noCandidateIsLeft() throws {
    var ask = Ask(slots: 5, rows: [0, 1, 1, 0])
    var outcome = try allocate([campaign("a")], ask)
    #expect(outcome.placed == 2 && outcome.reason == .noCandidates)
    ask.rows = []
    outcome = try allocate([campaign("a")], ask)
    #expect(outcome.placed == 0 && outcome.reason == .noCandidates)
  }

  @Test func theBudgetIsWhatIsShort() throws {
    var ask = Ask(money: 25)
    var outcome = try allocate([campaign("a")], ask)
    #expect(outcome.placed == 2 && outcome.reason == .budgetSpent)
    ask.money = 5
    outcome = try allocate([campaign("a")], ask)
    #expect(outcome.placed == 0 && outcome.reason == .budgetSpent)
  }

  @Test func capsAreWhatIsShort() throws {
    // By what the user has had, and by what this answer has.
    let had = try allocate([campaign("a", caps: [rule(.userCampaign, 2)])], Ask(before: 2))
    #expect(had.placed == 0 && had.reason == .capped)
    let now = try allocate([campaign("a", caps: [rule(.userArtist, 1)])])
    #expect(now.placed == 1 && now.reason == .capped)
  }

  /// What is promoted says more than that the rest is not.
  @Test func whatIsPromotedIsToldBeforeWhatIsNot() throws {
    let capped = campaign("a", items: [0], caps: [rule(.userCampaign, 1)])
    var ask = Ask(before: 1, reasons: [.noCampaign: 500, .unknownItem: 2])
    #expect(try allocate([capped], ask).reason == .capped)
    ask.reasons[.market] = 7
    #expect(try allocate([capped], ask).reason == .market)
    ask.before = 0
    ask.reasons[.market] = nil
    #expect(try allocate([capped], ask).reason == .noCampaign)
  }

  /// In the batches that tallies count, each for all that it stands for.
  @Test func whatIsKeptFromASlotIsCounted() throws {
    let isCounted = { (seed: UInt64) in CampaignTally.isCounted(seed: seed, campaigns: 1) }
    let counted = try #require((UInt64(0)..<1_000).first(where: isCounted))
    let other = try #require((UInt64(0)..<1_000).first { !isCounted($0) })
    let capped = campaign("a", caps: [rule(.userCampaign, 1)])
    let stride = UInt64(CampaignTally.stride(campaigns: 1))
    var kept = KeptAway()
    kept.capped = 3 * stride
    #expect(try allocate([capped], Ask(before: 1, seed: counted)).kept == kept)
    #expect(try allocate([capped], Ask(before: 1, seed: other)).kept == KeptAway())
    kept.capped = 0
    kept.spent = stride
    #expect(try allocate([campaign("a")], Ask(money: 20, seed: counted)).kept == kept)
    // What finds every slot full was not kept away.
    #expect(try allocate([campaign("a")], Ask(slots: 1, seed: counted)).kept == KeptAway())
  }

  @Test func keptCandidatesWereBoostedBefore() {
    var totals = [UInt64](repeating: 0, count: TallyPlace.allCases.count)
    totals[TallyPlace.boosted.rawValue] = 5
    totals[TallyPlace.outbid.rawValue] = 3
    CampaignTally.move(6, to: .capped, &totals)
    #expect(totals[TallyPlace.boosted.rawValue] == 0 && totals[TallyPlace.outbid.rawValue] == 2)
    CampaignTally.move(6, to: .budgetSpent, &totals)
    #expect(totals[TallyPlace.capped.rawValue] == 6)
    #expect(totals[TallyPlace.budgetSpent.rawValue] == 2, "no more than there were")
  }

  // MARK: When an exposure was

  @Test func timesThatCannotBeAreFound() {
    let times = LedgerTimes()
    let (placed, ahead): (Int64, Int64) = (1_000_000, 5_000_000_000)
    let claims = PlacementClaims(
      reservation: 1, lease: 1, userHash: 1, item: 1, campaign: 1, amount: Micros(1),
      expires: placed + times.reservation)
    let (now, skew) = (placed + 60_000 + ahead, Limits.exposureSkewMilliseconds)
    func mayBe(_ time: Int64) -> Bool {
      claims.mayBeHeard(at: time, now: now, ledgerToUnix: ahead, times: times)
    }
    for time in [0, placed + ahead, now, placed + ahead - skew, now + skew] {
      #expect(mayBe(time), "\(time)")
    }
    for time in [-1, 1, .min, .max, placed, placed + ahead - skew - 1, now + skew + 1] {
      #expect(!mayBe(time), "\(time)")
    }
  }
}
