import Campaigns
import Core
import Testing

@Suite struct DualPacerTests {
  private let epoch = SimulatedTraffic.epoch
  private let day = SimulatedTraffic.day

  private func plan(
    _ budget: Int64 = 86_400, mode: PacingMode = .even, days: Int64 = 1, from: Int64? = nil,
    spent: Double = 0
  ) -> SpendPlan {
    SpendPlan(
      flight: epoch..<epoch + days * day, budget: Micros(budget), mode: mode, shape: .even,
      from: from, spent: spent)
  }

  private func pacer(
    _ plan: SpendPlan, cost: Int64 = 1, worth: Int64 = 100, minimum: Int64 = 0,
    reserved: Int64 = 0, now: Int64? = nil, memory: PacerMemory = PacerMemory()
  ) -> DualPacer {
    DualPacer(
      plan: plan, cost: Micros(cost), worth: Micros(worth), minimumExposures: minimum,
      reserved: reserved, now: now ?? epoch, shape: .even, memory: memory)
  }

  /// A table of one that was ticked at its start.
  private func table(_ pacer: DualPacer) -> PacingTable {
    var table = PacingTable(pacers: [pacer])
    table.tick(now: epoch, reports: [PacingReport()])
    return table
  }

  @Test func aCampaignThatNothingIsKnownOfHasNoPrice() {
    var table = table(pacer(plan()))
    #expect(table.prices == [0])
    table.tick(now: epoch + 1_000, reports: [PacingReport()])
    #expect(table.prices == [0])
  }

  @Test func whatIsReservedAheadOfPlanRaisesThePriceAndWhatComesBackLowersIt() {
    var table = table(pacer(plan()))
    table.tick(now: epoch + 1_000, reports: [PacingReport(reserved: 40, worth: 80)])
    let high = table.prices[0]
    // By step × mean return × what was too much: 2 ÷ √56 × 2 × (40 − 1 − its part of the lead).
    #expect(high > 19 && high < 22)
    table.tick(now: epoch + 2_000, reports: [PacingReport(released: 20)])
    let lower = table.prices[0]
    #expect(lower > 0 && lower < high * 0.6)
    #expect(table.pacers[0].reserved == 20)
    for second in 3...200 {
      table.tick(now: epoch + Int64(second) * 1_000, reports: [PacingReport()])
    }
    #expect(table.prices == [0])
  }

  @Test func anOverdrawnBucketClosesAndFillsWithThePlan() {
    var table = table(pacer(plan()))
    // 60 s of plan and two exposures may come at once.
    table.tick(now: epoch + 1_000, reports: [PacingReport(reserved: 162, worth: 162)])
    #expect(table.pacers[0].isGated)
    #expect(table.prices[0] == table.pacers[0].closedPrice)
    // At value 1 an exposure is still not worth it.
    #expect(1.0 * 100 - table.prices[0] * 1 < 0)
    let opens = table.pacers[0].opens(after: epoch + 1_000, shape: .even)
    #expect(abs((opens ?? 0) - (epoch + 26_000)) < 1_000)
    var closed = 0
    while table.pacers[0].isGated && closed < 1_000 {
      closed += 1
      table.tick(now: epoch + Int64(1 + closed) * 1_000, reports: [PacingReport()])
    }
    // 100 too much at 4 a second.
    #expect((24...26).contains(closed))
    // It opens when it said.
    let now = epoch + Int64(1 + closed) * 1_000
    #expect((0..<1_000).contains(now - (opens ?? 0)))
    #expect(table.pacers[0].opens(after: now, shape: .even) == nil)
  }

  @Test func aGateStaysShutAtMostUntilTheFlightsEnd() {
    var table = table(pacer(plan()))
    table.tick(now: epoch + 1_000, reports: [PacingReport(reserved: 1_000_000, worth: 1)])
    #expect(table.pacers[0].opens(after: epoch + 1_000, shape: .even) == epoch + day)
  }

  @Test func aMinimumThatIsNotOnPlanMakesThePriceNegative() {
    var promised = table(pacer(plan(), worth: 0, minimum: 40_000))
    var plain = table(pacer(plan(), worth: 0))
    for second in 1...600 {
      let now = epoch + Int64(second) * 1_000
      promised.tick(now: now, reports: [PacingReport()])
      plain.tick(now: now, reports: [PacingReport()])
    }
    #expect(plain.prices == [0])
    #expect(promised.prices == [-DualPacer.guaranteeReturns])
    // As soon as it is on plan there is no more given than worth.
    promised.tick(now: epoch + 601_000, reports: [PacingReport(reserved: 300)])
    #expect(promised.prices[0] >= 0)
  }

  @Test func asSoonAsPossibleGivesItsMinimumFirst() {
    var table = table(pacer(plan(mode: .asap), cost: 2, worth: 0, minimum: 40))
    #expect(table.prices == [-DualPacer.guaranteeReturns])
    table.tick(now: epoch + 1_000, reports: [PacingReport(reserved: 78, worth: 780)])
    // In mean returns, which are 10 by now.
    #expect(table.prices == [-DualPacer.guaranteeReturns * 10])
    table.tick(now: epoch + 2_000, reports: [PacingReport(reserved: 2, worth: 20)])
    #expect(table.prices == [0])
    // What comes back is owed again.
    table.tick(now: epoch + 3_000, reports: [PacingReport(released: 2)])
    #expect(table.prices == [-DualPacer.guaranteeReturns * 10])
    #expect(!table.pacers[0].isGated)
    // After a restart, too: what was reserved counts.
    let plan = plan(mode: .asap)
    #expect(pacer(plan, cost: 2, minimum: 40, reserved: 80).price == 0)
    #expect(pacer(plan, cost: 2, minimum: 40, reserved: 79).price < 0)
  }

  @Test func outsideItsFlightNothingMoves() {
    var early = PacingTable(pacers: [pacer(plan())])
    for second in -100..<0 {
      early.tick(now: epoch + Int64(second) * 1_000, reports: [PacingReport()])
    }
    #expect(early.pacers[0].memory == PacerMemory())
    var late = table(pacer(plan()))
    late.tick(now: epoch + day, reports: [PacingReport(reserved: 1, worth: 2)])
    #expect(late.prices == [0])
    #expect(late.pacers[0].reserved == 1)
  }

  @Test func aWallClockThatGoesBackMovesNoPrice() {
    var table = table(pacer(plan()))
    table.tick(now: epoch + 1_000, reports: [PacingReport(reserved: 20, worth: 40)])
    let price = table.prices[0]
    table.tick(now: epoch - 3_600_000, reports: [PacingReport()])
    #expect(table.prices == [price])
    table.tick(now: epoch + 500, reports: [PacingReport()])
    #expect(abs(table.prices[0] - price) < 0.5)
  }

  @Test func aLargerBudgetAndAPauseAreReplannedAndKeepThePrice() {
    var table = table(pacer(plan()))
    for second in 1...3_600 {
      let report = PacingReport(reserved: 1, worth: 2)
      table.tick(now: epoch + Int64(second) * 1_000, reports: [report])
    }
    let old = table.pacers[0]
    let resumed = epoch + 6 * 3_600_000
    let replanned = plan(200_000, from: resumed, spent: old.reserved)
    // What was left after a pause is spread from its end; nothing is to catch up.
    #expect(replanned.planned(at: resumed, shape: .even) == old.reserved)
    #expect(replanned.planned(at: epoch, shape: .even) == old.reserved)
    #expect(replanned.planned(at: epoch + day, shape: .even) == 200_000)
    table.replace(
      at: 0,
      with: pacer(
        replanned, reserved: Int64(old.reserved), now: resumed, memory: old.memory))
    #expect(table.prices == [old.memory.price])
    #expect(abs(table.pacers[0].error(at: resumed, shape: .even)) < 1e-12)
    // A budget below what is spent plans nothing more.
    let smaller = plan(1_000, from: resumed, spent: 3_600)
    #expect(smaller.planned(at: resumed + 1, shape: .even) == 3_600)
    #expect(smaller.planned(at: epoch + day, shape: .even) == 3_600)
  }

  @Test func whatCostsNothingIsNotPaced() {
    var table = table(pacer(plan(), cost: 0))
    table.tick(now: epoch + 1_000, reports: [PacingReport(reserved: 0, worth: 50)])
    #expect(table.prices == [0])
    let later = epoch + day / 2
    #expect(table.pacers[0].planned(at: later, shape: .even) == 0)
    #expect(table.pacers[0].error(at: later, shape: .even) == 0)
    let paid = pacer(plan())
    #expect(paid.planned(at: later, shape: .even) == 43_200)
    #expect(paid.error(at: later, shape: .even) == 0.5)
  }

  /// 100,000 campaigns take a few milliseconds with optimization, and some hundreds without.
  @Test func oneTickOfManyCampaignsIsThatOfEach() {
    var pacers: [DualPacer] = []
    var reports: [PacingReport] = []
    for index in 1...1_000 {
      let mode: PacingMode = index % 2 == 0 ? .traffic : .even
      pacers.append(pacer(plan(Int64(index) * 1_000, mode: mode), cost: Int64(index % 7 + 1)))
      reports.append(PacingReport(reserved: Int64(index % 50), worth: Double(index)))
    }
    var all = PacingTable(pacers: pacers)
    all.tick(now: epoch, reports: pacers.map { _ in PacingReport() })
    all.tick(now: epoch + 1_000, reports: reports)
    for index in stride(from: 0, to: 1_000, by: 37) {
      var one = table(pacers[index])
      one.tick(now: epoch + 1_000, reports: [reports[index]])
      #expect(one.prices[0] == all.prices[index])
      #expect(one.pacers[0] == all.pacers[index])
    }
    let clock = ContinuousClock()
    var many = PacingTable(pacers: Array(repeating: pacers, count: 100).flatMap { $0 })
    let manyReports = Array(repeating: reports, count: 100).flatMap { $0 }
    many.tick(now: epoch, reports: manyReports)
    let took = clock.measure { many.tick(now: epoch + 1_000, reports: manyReports) }
    #expect(took < .seconds(5), "100,000 campaigns: \(took)")
  }
}
