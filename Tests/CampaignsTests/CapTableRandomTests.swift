import Campaigns
import Core
import Foundation
import Testing

/// The table against `CapOracle`.
@Suite struct CapTableRandomTests {
  /// A million in all by default takes a minute without optimization: CRESCENDO_CAP_STEPS.
  private static let steps =
    ProcessInfo.processInfo.environment["CRESCENDO_CAP_STEPS"].flatMap(Int.init) ?? 100_000

  private struct Tally {
    var granted = 0
    var refused = 0
    var released = 0
    /// The table refused what the oracle would grant.
    var stricter = 0
    var violations = 0
  }

  /// Placements, releases, time steps and expiry of some users.
  private struct Run {
    let table: CapBox
    var oracle: CapOracle
    var random: SplitMix64
    var now: Int64
    var placements: [CapPlacement] = []
    /// What may be released: placement and time.
    var open: [(index: Int, at: Int64)] = []
    var tally = Tally()

    /// `ruledIn16`: of 16 placements, those that keep all rules.
    init(users: Int, pageBits: Int, ruledIn16: UInt64, seed: UInt64) {
      random = SplitMix64(seed: seed)
      now = 1_700_000_000_000
      table = CapBox(base: now, longest: CapPlacement.longest, seed: seed, pageBits: pageBits)
      oracle = CapOracle(users: users, base: now)
      for index in 0..<users * 24 {
        let isRuled = random.next() % 16 < ruledIn16
        placements.append(CapPlacement(user: index % users, isRuled: isRuled, using: &random))
      }
    }

    mutating func step(releases: Bool) {
      let dice = random.next()
      // Odd steps, and at times more than a whole window.
      now += Int64(dice % 1_000)
      if dice % 9_973 == 0 { now += Int64(dice >> 32) % 16_000_000 }
      if releases, dice >> 60 < 2, !open.isEmpty {
        release(Int(random.next() % UInt64(open.count)))
      } else {
        place(Int(random.next() % UInt64(placements.count)))
      }
      if dice >> 58 & 63 == 0 { _ = table.expire(now: now, budget: 8) }
    }

    private mutating func release(_ at: Int) {
      open.swapAt(at, open.count - 1)
      let one = open.removeLast()
      let placement = placements[one.index]
      table.release(user: placement.user, placement.uses, reservedAt: one.at)
      oracle.release(placement, reservedAt: one.at)
      tally.released += 1
    }

    private mutating func place(_ index: Int) {
      let placement = placements[index]
      let expected = oracle.allows(placement, now: now)
      let answer = table.checkAndReserve(
        user: placement.user, placement.requirements, placement.uses, now: now)
      if answer && !expected { tally.violations += 1 }
      if !answer && expected { tally.stricter += 1 }
      guard answer else {
        tally.refused += 1
        return
      }
      tally.granted += 1
      oracle.reserve(placement, now: now)
      if open.count < 1_000 {
        open.append((index, now))
      } else {
        open[Int(random.next() % 1_000)] = (index, now)
      }
    }
  }

  @Test func whereEveryPlacementKeepsTheRulesTheTableIsExact() {
    var run = Run(users: 300, pageBits: 4, ruledIn16: 16, seed: 1)
    for _ in 0..<CapTableRandomTests.steps { run.step(releases: true) }
    let tally = run.tally
    #expect(tally.violations == 0)
    #expect(tally.stricter == 0)
    #expect(tally.granted > 10_000 && tally.refused > 10_000 && tally.released > 5_000)
  }

  @Test func placementsWithoutRulesCountAndNeverLoosenOthers() {
    var run = Run(users: 150, pageBits: 0, ruledIn16: 12, seed: 2)
    for _ in 0..<CapTableRandomTests.steps / 4 { run.step(releases: true) }
    let tally = run.tally
    #expect(tally.violations == 0)
    // Only a release after timestamps were forgotten makes it stricter than it must be.
    #expect(tally.stricter * 20 < tally.granted)
    #expect(tally.granted > 5_000 && tally.refused > 5_000 && tally.released > 2_000)
  }

  @Test func withoutReleasesNothingIsStricterEither() {
    var run = Run(users: 60, pageBits: 1, ruledIn16: 12, seed: 3)
    for _ in 0..<CapTableRandomTests.steps / 4 { run.step(releases: false) }
    #expect(run.tally.violations == 0)
    #expect(run.tally.stricter == 0)
    #expect(run.tally.granted > 5_000 && run.tally.refused > 5_000)
  }
}
