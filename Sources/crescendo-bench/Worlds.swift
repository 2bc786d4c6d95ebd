import Simulation
import Synchronization
import Syscalls

/// Allocations, budgets, caps and reports in simulated worlds, one of each seed, against an account
/// that is kept apart.
struct Worlds {
  /// Paid in each world, so that a seed alone says everything.
  static let exposures = 2_000
  /// Worlds of which everything that they are for is seen.
  private static let many = 24
  private let seeds: ClosedRange<UInt64>

  init(_ seeds: ClosedRange<UInt64>) { self.seeds = seeds }

  /// Whether nothing was overspent, lost or paid twice in any of them. Tells what was found.
  func run() throws(SystemError) -> Bool {
    let tally = Tally(next: seeds.lowerBound)
    let last = seeds.upperBound
    let other = try OwnedThread(name: "worlds") { tally.run(upTo: last) }
    tally.run(upTo: last)
    other.join()
    return tally.found.withLock { report($0.figures, $0.failed) }
  }

  /// What two threads share.
  private final class Tally: Sendable {
    let found = Guarded<(figures: SimulationFigures, failed: Int)>((SimulationFigures(), 0))
    let next: Atomic<UInt64>

    init(next: UInt64) { self.next = Atomic(next) }

    func run(upTo last: UInt64) {
      while true {
        let seed = next.add(1, ordering: .relaxed).oldValue
        guard seed <= last else { return }
        let outcome = Simulation(seed: seed, exposures: Worlds.exposures).run()
        found.withLock { found in
          found.figures += outcome.figures
          guard !outcome.violations.isEmpty else { return }
          found.failed += 1
          print(
            "seed \(seed): \(outcome.violations.joined(separator: "; "))\n  again:",
            // Hashing is seeded by the process unless it is told not to be.
            "SWIFT_DETERMINISTIC_HASHING=1 .build/release/crescendo-bench worlds \(seed) \(seed)")
        }
      }
    }
  }

  private func report(_ figures: SimulationFigures, _ failed: Int) -> Bool {
    print("\(seeds.count) worlds, \(figures.exposures) exposures, \(failed) failed; \(figures)")
    let unseen = seeds.count >= Worlds.many ? figures.unseen : []
    if !unseen.isEmpty { print("never happened: \(unseen.joined(separator: ", "))") }
    return failed == 0 && unseen.isEmpty && figures.exposures >= Worlds.exposures * seeds.count
  }
}
