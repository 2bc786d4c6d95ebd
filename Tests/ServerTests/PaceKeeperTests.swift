import Campaigns
import Core
import Ledger
import Testing

@testable import Server

/// What a change costs the store's thread, on which all that is allocated waits.
@Suite struct PaceKeeperTests {
  private static let flight: Range<Int64> = 0..<86_400_000
  private let clock = Clock(monotonicNanoseconds: { 0 }, unixMilliseconds: { 1_000 })

  private func definition(_ number: Int, budget: Int64 = 1_000_000) -> CampaignDefinition {
    CampaignDefinition(
      campaign: Campaign(
        id: "c\(1_000 + number)", items: ["0"], flight: Self.flight, budget: Micros(budget),
        cost: Micros(10), worth: Micros(1_000)),
      key: UInt64(number) + 1, isPaused: false)
  }

  /// Which campaigns the store is asked for.
  private func use(_ keeper: PaceKeeper, _ definitions: [CampaignDefinition]) throws -> [UInt64] {
    var asked: [UInt64] = []
    let set = try CampaignSet(
      definitions, policy: CampaignPolicy(currency: "EUR"),
      catalog: CampaignCatalog(rowCount: 1) { _ in 0 })
    keeper.use(set, definitions) { key in
      asked.append(key)
      return CampaignTotals(campaign: key)
    }
    #expect(keeper.board().set === set)
    return asked
  }

  @Test func onlyWhatHasChangedIsPlannedAnew() throws {
    let keeper = PaceKeeper(clock: clock, notes: [:], kept: 86_400_000)
    var all = (0..<50).map { definition($0) }
    #expect(try use(keeper, all).count == 50)
    #expect(try use(keeper, all) == [])
    all[7] = all[7].paused(true)
    #expect(try use(keeper, all) == [8])
    // One goes, one comes, one is another.
    all.remove(at: 20)
    all.append(definition(60))
    all[30] = definition(31, budget: 2_000_000)
    #expect(try use(keeper, all) == [32, 61])
    // Of what is left from here on, nothing is due yet.
    #expect(keeper.figures(of: 32).planned == .zero && keeper.figures(of: 33).planned > .zero)
    #expect(keeper.figures(of: 21) == PaceFigures() && keeper.figures(of: 61).itemsKnown == 1)
  }
}
