internal import Core
internal import Allocation
internal import Campaigns
internal import Ledger

/// One seed's world: shards, a store and their storage as they run in the server, over clocks and a
/// disk that are ours, clients that allocate, report and give back, an owner who changes campaigns;
/// and an account of it all that is kept apart. What is concurrent in the server is an order of
/// steps here, drawn from the seed: the same seed does the same again.
package final class Simulation {
  static let times = LedgerTimes(reservation: 60_000, lease: 120_000, report: 600_000)
  /// Violations after which nothing more is looked for.
  private static let violationsMost = 5

  let flaw: SimulationFlaw?
  var random: SplitMix64
  let disk: SimulatedDisk
  let oracle: Oracle
  let presence = UserPresence()
  let signer: TokenSigner
  var clocks: SimulatedClocks
  var figures = SimulationFigures()
  /// Every definition that was ever applied; what is stored of one is its place here.
  var definitions: [Campaign] = []
  /// Of the order in which shards decide.
  var shardCount: Int
  let crashesOneIn: Int
  private let exposures: Int
  private(set) var server: SimulatedServer?
  private let trafficSeed: UInt64
  private lazy var traffic = SimulatedTraffic(self, seed: trafficSeed)
  /// Decided in the last group, of which nobody knows yet whether it is durable.
  var undecided: [Fact] = []
  /// The last group that was acknowledged.
  var acknowledged: UInt64 = 0

  /// - Parameter exposures: how many are paid before it ends.
  package init(seed: UInt64, exposures: Int, flaw: SimulationFlaw? = nil) {
    var random = SplitMix64(seed: splitmix64(seed))
    self.flaw = flaw
    self.exposures = exposures
    disk = SimulatedDisk(seed: random.next(), ignoresSync: flaw == .syncIgnored)
    signer = .simulated(key: random.next())
    clocks = SimulatedClocks(random.next())
    shardCount = 1 + random.below(4)
    crashesOneIn = [400, 2_000, 8_000][random.below(3)]
    oracle = Oracle(times: Simulation.times)
    trafficSeed = random.next()
    self.random = random
  }

  package func run() -> SimulationOutcome {
    start(afterPowerLoss: false)
    // A world that stands still is a mistake, too.
    let stepsMost = 200_000 + 400 * exposures
    while figures.exposures < exposures, !isOver {
      step()
      if figures.steps > stepsMost {
        violate("stands still: \(figures.exposures) exposures after \(figures.steps) steps")
      }
    }
    if !isOver { finish() }
    figures.capsChecked = oracle.capsChecked
    figures.repeatedTooLate = oracle.repeatedTooLate
    return SimulationOutcome(violations: oracle.violations, figures: figures)
  }

  var isOver: Bool { !oracle.violations.isEmpty }

  func violate(_ what: String) {
    if oracle.violations.count < Simulation.violationsMost { oracle.violations.append(what) }
  }

  // MARK: Steps

  private func step() {
    guard let server else { return }
    figures.steps += 1
    clocks.advance(&random)
    switch random.below(16) {
    case 0..<5: traffic.step(server)
    case 5..<11: server.shardStep(random.below(shardCount))
    case 11..<13: server.loopStep()
    case 13: server.deskStep()
    default: server.storeStep(atMost: 1 + random.below(64))
    }
    strike(server)
    if disk.isDown || server.isToEnd { restart() }
  }

  private func strike(_ server: SimulatedServer) {
    guard random.isOne(in: crashesOneIn) else { return }
    switch random.below(8) {
    case 0: disk.stopNow()
    case 1: disk.failsNext = true
    case 2: server.crashesBetweenAnswers = true
    default: disk.crash = SimulatedDisk.CrashPoint.allCases[random.below(4)]
    }
  }

  // MARK: Restarts

  private func restart() {
    figures.crashes += 1
    if server?.store.commits == 0 { figures.crashesInRecovery += 1 }
    server = nil
    traffic.forget()
    let isPowerLoss = random.below(3) > 0
    let isNewBoot = clocks.restart(afterPowerLoss: isPowerLoss, &random)
    if isNewBoot { figures.boots += 1 }
    if random.isOne(in: 4) { shardCount = 1 + random.below(4) }
    start(afterPowerLoss: isPowerLoss)
  }

  private func start(afterPowerLoss: Bool) {
    let storage = SimulatedStorage(
      disk, afterPowerLoss: afterPowerLoss, refusesTwice: flaw != .reportsForgotten)
    storage.spoil = flaw?.spoiling
    // The last group is there whole or not at all; those before it were acknowledged.
    if storage.group == acknowledged + 1 {
      confirm(undecided)
      acknowledged = storage.group
    }
    undecided = []
    do throws(RecoveryError) {
      let started = try SimulatedServer(self, storage)
      oracle.restarted(at: started.now(), isSameBoot: started.isSameBoot)
      oracle.compare(started.store.totals, "after restart \(figures.crashes)")
      oracle.checkJournal(storage.entries.map(\.entry), "after restart \(figures.crashes)")
      server = started
    } catch {
      violate("cannot start: \(error)")
    }
  }

  func confirm(_ facts: [Fact]) {
    for fact in facts {
      oracle.confirm(fact)
      count(fact)
    }
  }

  private func count(_ fact: Fact) {
    switch fact {
    case .allocated(let answer):
      figures.allocations += 1
      figures.placements += answer.placements.count
    case .exposed(_, let outcome, _, _): figures.outcomes[Int(outcome.rawValue)] += 1
    case .released(_, let outcome, _): figures.releases[Int(outcome.rawValue)] += 1
    case .lapsed: figures.lapsed += 1
    case .defined, .funded: break
    }
  }

  // MARK: The end

  /// Everything that is under way comes to its end; then all accounts agree, and after all times
  /// are over nothing is reserved or leased.
  private func finish() {
    (disk.crash, disk.failsNext) = (nil, false)
    guard let server else { return }
    server.crashesBetweenAnswers = false
    // It may have failed before: begin anew.
    disk.stopNow()
    restart()
    for span in [0, Simulation.times.reservation, Simulation.times.lease] {
      guard !isOver, let server = self.server else { return }
      clocks.pass(span)
      server.drain()
      oracle.compare(server.store.totals, "at the end, \(span) ms on")
      oracle.checkOpen(server.openReservations, "at the end, \(span) ms on")
    }
    guard !isOver, let server = self.server else { return }
    for total in server.store.totals where total.leased != .zero || total.reserved != .zero {
      violate("campaign \(total.campaign) has \(total.leased) leased, \(total.reserved) reserved")
    }
    audit(server.storage)
  }

  private func audit(_ storage: SimulatedStorage) {
    var audit = Audit()
    for entry in storage.openings { audit.add(entry, sequence: 0) }
    for (sequence, entry) in storage.entries { audit.add(entry, sequence: sequence) }
    if let finding = audit.finding { violate("audit: \(finding)") }
    oracle.compare(audit.totals, "audit")
  }
}
