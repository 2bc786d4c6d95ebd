import Ledger
import Testing

/// The ledger as a whole, driven by seeds over a disk that crashes at every point of a write.
@Suite struct DriveTests {
  @Test func nothingIsOverspentLostOrPaidTwice() throws {
    var (exposures, crashes) = (Int64(0), 0)
    var reports: [String: Int] = [:]
    for seed in UInt64(1)...120 {
      var world = try World(seed: seed)
      try world.run(exposures: 850)
      #expect(world.wrongs == [], "seed \(seed)")
      if !world.wrongs.isEmpty { return }
      exposures += world.plain.exposures
      crashes += world.crashes
      reports.merge(world.reports, uniquingKeysWith: +)
    }
    #expect(exposures >= 100_000 && crashes >= 500)
    for what in ["settled", "late", "duplicate", "expired", "compactions"] {
      #expect(reports[what, default: 0] >= 100, "\(what): \(reports)")
    }
  }

  /// The rig can see: a disk that does not sync is found out.
  @Test func lostSyncsAreSeen() throws {
    #expect(try firstSeed(.syncIgnored) != nil)
  }

  @Test func settlingTwiceIsSeen() throws {
    #expect(try firstSeed(.settledTwice) != nil)
  }

  private func firstSeed(_ flaw: World.Flaw) throws -> UInt64? {
    try (UInt64(1)...100).first { seed in
      var world = try World(seed: seed, flaw: flaw)
      do { try world.run(exposures: 200) } catch is LedgerFault {
        return true
      } catch is RecoveryError {
        return true
      }
      return !world.wrongs.isEmpty
    }
  }
}
