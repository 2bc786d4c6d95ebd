import Allocation
import Campaigns
import Core
import Ledger
import Testing

@testable import Server

@Suite struct ExplorationKeeperTests {
  private func totals(exposures: Int64, goals: Int64) -> CampaignTotals {
    var totals = CampaignTotals(campaign: 7)
    totals.exposures = exposures
    totals.goals = goals
    return totals
  }

  /// Evidence is held against what was expected, and says nothing before there is that.
  @Test func evidenceNeedsAnExpectation() {
    var keeper = ExplorationKeeper()
    let heard = totals(exposures: 800, goals: 0)
    #expect(keeper.posterior(7, heard) == .uniform)
    keeper.add(ExpectedGoals(goals: 30, placements: 300), to: 7)
    keeper.add(ExpectedGoals(goals: 10, placements: 100), to: 7)
    keeper.add(ExpectedGoals(), to: 8)
    let posterior = keeper.posterior(7, heard)
    #expect(abs(posterior.expected - 0.1) < 1e-12)
    #expect(abs(posterior.mean - 1.0 / 810) < 1e-12)
    #expect(keeper.posterior(8, heard) == .uniform)
  }

  @Test func itIsStoredAndReadAgain() {
    var keeper = ExplorationKeeper()
    #expect(!keeper.isDue(at: 0, withTraffic: true), "there is nothing")
    keeper.add(ExpectedGoals(goals: 0.5, placements: 4), to: .max)
    #expect(keeper.isDue(at: 0, withTraffic: false), "it is new")
    keeper.add(ExpectedGoals(goals: 1, placements: 3), to: .max)
    let interval = Limits.expectationNoteMilliseconds
    #expect(!keeper.isDue(at: interval, withTraffic: false), "it is not new any more")
    #expect(keeper.isDue(at: interval, withTraffic: true))
    keeper.add(ExpectedGoals(goals: 1, placements: 3), to: 3)
    #expect(!keeper.isDue(at: 2 * interval - 1, withTraffic: false))
    #expect(keeper.isDue(at: 2 * interval, withTraffic: false))
    let read = ExplorationKeeper(decoding: keeper.encoded)
    #expect(read.encoded == keeper.encoded && keeper.encoded.count == 48)
    for key in [UInt64.max, 3] {
      #expect(read.posterior(key, nil) == keeper.posterior(key, nil))
      #expect(read.posterior(key, nil) != .uniform)
    }
  }

  @Test func whatIsNoExpectationIsNotBelieved() {
    let infinite: [UInt64] = [1, Double.infinity.bitPattern, Double(1).bitPattern]
    let none: [UInt64] = [1, Double(1).bitPattern, Double(0).bitPattern]
    for words in [infinite, none, [1, 2, 3, 4]] {
      let bytes = words.flatMap { word in
        (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
      }
      #expect(ExplorationKeeper(decoding: bytes).encoded.isEmpty)
    }
  }
}
