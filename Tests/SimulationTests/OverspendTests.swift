import Core
import Foundation
import Simulation
import Testing

/// Allocations, budgets, caps and reports in simulated worlds, one of each seed, against an account
/// that is kept apart.
///
/// `CRESCENDO_SEED`: that seed alone. `CRESCENDO_FUZZ_SEEDS`: the seeds from 1 to it.
@Suite struct OverspendTests {
  /// Paid in each world, so that a seed alone says everything.
  private static let exposures = 2_000
  private static let parts = 4
  private static let seeds: ClosedRange<UInt64> =
    if let seed = number("CRESCENDO_SEED") {
      seed...seed
    } else {
      1...max(number("CRESCENDO_FUZZ_SEEDS") ?? 24, 1)
    }

  private static func number(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
  }

  /// Hashing is seeded by the process unless it is told not to be.
  private static func reproduction(_ seed: UInt64) -> String {
    "SWIFT_DETERMINISTIC_HASHING=1 CRESCENDO_SEED=\(seed) swift test --filter OverspendTests"
  }

  @Test(arguments: 0..<parts) func nothingIsOverspentLostOrPaidTwice(part: Int) {
    var figures = SimulationFigures()
    let seeds = Self.seeds.filter { Int($0 % UInt64(Self.parts)) == part }
    for seed in seeds {
      let outcome = Simulation(seed: seed, exposures: Self.exposures).run()
      figures += outcome.figures
      #expect(outcome.violations == [], "\(Self.reproduction(seed))")
    }
    #expect(figures.exposures >= Self.exposures * seeds.count)
    guard seeds.count >= 6 else { return }
    // What the worlds are for has happened in them.
    for (path, name) in Self.counted {
      #expect(figures[keyPath: path] > 0, "\(name)")
    }
    for outcome in [
      ExposureOutcome.duplicate, .goalAdded, .settledLate, .expired, .unknownReservation,
    ] {
      #expect(figures.outcomes[Int(outcome.rawValue)] > 0, "\(outcome)")
    }
    for outcome in [ReleaseOutcome.released, .alreadyReleased, .settled] {
      #expect(figures.releases[Int(outcome.rawValue)] > 0, "\(outcome)")
    }
    if seeds.count >= 100 { print("part \(part): \(figures.exposures) exposures, \(figures)") }
  }

  private static var counted: [(KeyPath<SimulationFigures, Int>, String)] {
    [
      (\.crashes, "crashes"), (\.boots, "boots"), (\.diskFailures, "disk failures"),
      (\.changes, "changes"), (\.refusedChanges, "refused changes"), (\.repeated, "repeated"),
      (\.conflicts, "conflicts"), (\.waits, "waits"), (\.lapsed, "lapsed"),
      (\.capsChecked, "caps checked"), (\.compacted, "entries compacted"),
      (\.crashesInCompaction, "crashes in a compaction"),
    ]
  }

  /// The rig can see: each part that is broken on purpose is found out.
  @Test(arguments: SimulationFlaw.allCases) func aFlawIsFound(_ flaw: SimulationFlaw) {
    let found = (UInt64(1)...100).first { seed in
      !Simulation(seed: seed, exposures: Self.exposures, flaw: flaw).run().violations.isEmpty
    }
    #expect(found != nil)
    if Self.number("CRESCENDO_FUZZ_SEEDS") != nil { print("\(flaw): seed \(found ?? 0)") }
  }

  @Test func aSeedDoesTheSameAgain() {
    let first = Simulation(seed: 7, exposures: 500).run()
    let second = Simulation(seed: 7, exposures: 500).run()
    #expect(first.figures == second.figures)
    #expect(first.violations == second.violations)
  }
}
