import Core
import Testing

@testable import Campaigns

/// Values that are drawn: what is heard moves them.
@Suite struct ExplorationTests {
  /// The mean value over many draws of a candidate with `score`, whose campaign was expected to
  /// bring a goal in every tenth exposure.
  private func mean(_ score: Double, goals: Double, of exposures: Double) throws -> Double {
    var world = BoostWorld()
    world.artists = Array(repeating: nil, count: world.rowCount)
    world.releases = world.artists
    world.campaigns = [
      Campaign(
        id: "a", items: ["1"], flight: 0..<1_000, budget: Micros(1), cost: .zero,
        worth: Micros(1_000), exploration: .thompson)
    ]
    world.keys["a"] = 1
    world.policy.surfaces["radio"] = SurfaceBoost(weight: 1, cap: 1e9)
    world.posteriors["a"] = BetaPosterior(
      expected: 0.1, successes: goals, failures: exposures - goals)
    let board = try world.board
    var (sum, draws) = (0.0, 2_000)
    for seed in 0..<draws {
      var request = BoostWorld.Request()
      request.seed = UInt64(seed)
      try request.with(board) { view in
        let explained = view.explain(row: 1, raw: 0, calibrated: score)
        try #require((0...1).contains(explained.terms.value))
        // A goal is worth 1,000, and so is a boost of 1.
        try #require(abs(Double(explained.boost) - explained.terms.value) < 1e-6)
        sum += explained.terms.value
      }
    }
    return sum / Double(draws)
  }

  @Test func beforeAnythingIsHeardTheMeanIsTheScore() throws {
    #expect(abs(try mean(0.02, goals: 0, of: 0) / 0.02 - 1) < 0.1)
  }

  /// Eighty goals were expected.
  @Test func exposuresWithoutAGoalTakeTheBoostAway() throws {
    #expect(try mean(0.02, goals: 0, of: 800) < 0.02 * 0.03)
    #expect(try mean(0.02, goals: 0, of: 10) < 0.02 * 0.7)
  }

  @Test func whatIsHeardIsWhatTheBoostGoesTo() throws {
    #expect(abs(try mean(0.02, goals: 80, of: 800) / 0.02 - 1) < 0.03)
    #expect(abs(try mean(0.02, goals: 160, of: 800) / 0.02 - 2) < 0.05)
    #expect(abs(try mean(0.02, goals: 20_000, of: 800_000) / 0.02 - 0.25) < 0.01)
  }

  /// Twice a score of 0.9 is no probability.
  @Test func aValueIsAtMostOne() throws {
    let mean = try mean(0.9, goals: 1_600, of: 8_000)
    #expect(mean > 0.999 && mean <= 1)
  }

  @Test(arguments: [0, 1e-9, 0.02, 0.5, 0.9, 1])
  func priorsAreAsStrongAsOneGoalOrFailure(rate: Double) {
    let prior = BetaPosterior(expected: rate, successes: 0, failures: 0)
    #expect(min(prior.alpha, prior.beta) == 1)
    #expect(abs(prior.mean - rate) <= 1.1e-6 && prior.mean == prior.expected)
  }
}
