import Simulation
import Testing

/// Allocations, budgets, caps and reports in simulated worlds, one of each seed, against an account
/// that is kept apart. These are a few; `crescendo-bench worlds` has 10^6 exposures in `tools/test`
/// and any number by name.
@Suite struct OverspendTests {
  /// Paid in each world, so that a seed alone says everything.
  private static let exposures = 2_000

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func nothingIsOverspentLostOrPaidTwice(seed: UInt64) {
    let outcome = Simulation(seed: seed, exposures: Self.exposures).run()
    #expect(outcome.violations == [])
    #expect(outcome.figures.exposures >= Self.exposures)
  }

  /// The rig can see: each part that is broken on purpose is found out.
  @Test(arguments: SimulationFlaw.allCases) func aFlawIsFound(_ flaw: SimulationFlaw) {
    let found = (UInt64(1)...100).first { seed in
      !Simulation(seed: seed, exposures: Self.exposures, flaw: flaw).run().violations.isEmpty
    }
    #expect(found != nil)
  }

  @Test func aSeedDoesTheSameAgain() {
    let first = Simulation(seed: 7, exposures: 500).run()
    let second = Simulation(seed: 7, exposures: 500).run()
    #expect(first.figures == second.figures)
    #expect(first.violations == second.violations)
  }

  @Test func whatNeverHappenedIsNamed() {
    #expect(SimulationFigures().unseen.contains("crashes in a compaction"))
    #expect(SimulationFigures().unseen.count == 21)
    let outcome = Simulation(seed: 7, exposures: 500).run()
    #expect(!outcome.figures.unseen.contains("exposures settled"))
  }
}
