internal import Allocation
internal import Campaigns
internal import Core
internal import Ledger
internal import Synchronization

/// What pacing says of one campaign.
struct PaceFigures: Sendable, Equatable {
  var price = 0.0
  /// What would have been spent by now; 0 of what costs nothing.
  var planned = Micros.zero
  /// While its pacer's gate is shut: until when, wall time.
  var shutUntil: Int64?
  /// Items that the snapshot has.
  var itemsKnown = 0
}

/// Prices and standings of the campaigns in use. On the store's thread; before the ledger has
/// started, on whatever thread starts it.
// Unchecked: one thread at a time, as said; `demand` is made for many.
final class PaceKeeper: @unchecked Sendable {
  private let clock: Clock
  private(set) var set: CampaignSet?
  private(set) var hasCaps = false
  /// By index in the set.
  private var definitions: [CampaignDefinition] = []
  private var isSpent: [Bool] = []
  private var posteriors: [BetaPosterior] = []
  private var exploration: ExplorationKeeper
  private var table = PacingTable()
  private var recorder: TrafficRecorder
  private var prices: PartedNotes
  /// From before a restart, until the first set.
  private var stored: [UInt64: PacerRecord]
  private var spend: SpendKeeper
  private var lastTick: Int64?
  private var latest: CampaignBoard?
  private var lastNote: Int64 = 0
  /// Nothing can be spent: whatever asks is told so, of every campaign.
  var isHalted = false
  /// Batches with boosts and allocations, since the last tick; from any loop.
  let demand = Counter()

  final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    func add() { value.add(1, ordering: .relaxed) }
    func take() -> Int { value.exchange(0, ordering: .relaxed) }
  }

  static let trafficNote = "pacing.traffic"
  static let pricePrefix = "pacing.prices."

  /// - Parameters:
  ///   - notes: what was stored.
  ///   - kept: how long the journal is kept at least, milliseconds.
  init(clock: Clock, notes: [String: [UInt8]], kept: Int64) {
    self.clock = clock
    prices = PartedNotes(prefix: PaceKeeper.pricePrefix, period: Limits.priceNoteMilliseconds)
    spend = SpendKeeper(notes, period: min(Limits.spendNoteMilliseconds, kept / 4))
    exploration =
      notes[ExplorationKeeper.note].map { ExplorationKeeper(decoding: $0) } ?? ExplorationKeeper()
    recorder =
      notes[PaceKeeper.trafficNote].flatMap { TrafficRecorder(decoding: $0) } ?? TrafficRecorder()
    stored = [:]
    for value in PartedNotes.read(PaceKeeper.pricePrefix, notes) {
      // A part that is damaged begins anew.
      for record in PacerRecord.decode(value) ?? [] { stored[record.key] = record }
    }
  }

  /// A new set, with the definitions that it was compiled from, by id. Campaigns that did not
  /// change keep their pace, and cost next to nothing; what is left of others is planned anew.
  /// `totals`: of campaigns that are new or changed.
  func use(
    _ set: CampaignSet, _ definitions: [CampaignDefinition],
    totals: (UInt64) -> CampaignTotals?
  ) {
    precondition(set.count == definitions.count, "definitions of another set")
    let now = clock.unixMilliseconds()
    var next = Paces(count: definitions.count)
    var old = 0
    for definition in definitions {
      while old < self.definitions.count, self.definitions[old] !== definition,
        self.definitions[old].campaign.id < definition.campaign.id
      {
        old += 1
      }
      let isKnown = old < self.definitions.count && self.definitions[old].key == definition.key
      if isKnown, self.definitions[old] === definition {
        next.append(table.pacers[old], isSpent[old], posteriors[old])
        continue
      }
      let totals = totals(definition.key)
      let known = isKnown ? (self.definitions[old], table.pacers[old]) : nil
      next.append(
        pacer(definition, known, totals, now),
        totals.map { PaceKeeper.isSpent(definition, $0) } ?? false,
        exploration.posterior(definition.key, totals))
    }
    self.set = set
    self.definitions = definitions
    (isSpent, posteriors) = (next.isSpent, next.posteriors)
    hasCaps = definitions.contains { !$0.campaign.caps.isEmpty }
    table = PacingTable(pacers: next.pacers, shape: recorder.shape)
    stored = [:]
    let keys = definitions.map(\.key)
    prices.use(keys)
    spend.use(keys)
  }

  /// Of all campaigns, by index.
  private struct Paces {
    var pacers: [DualPacer] = []
    var isSpent: [Bool] = []
    var posteriors: [BetaPosterior] = []

    init(count: Int) {
      pacers.reserveCapacity(count)
      isSpent.reserveCapacity(count)
      posteriors.reserveCapacity(count)
    }

    mutating func append(_ pacer: DualPacer, _ isSpent: Bool, _ posterior: BetaPosterior) {
      pacers.append(pacer)
      self.isSpent.append(isSpent)
      posteriors.append(posterior)
    }
  }

  private func pacer(
    _ definition: CampaignDefinition, _ known: (CampaignDefinition, DualPacer)?,
    _ totals: CampaignTotals?, _ now: Int64
  ) -> DualPacer {
    let campaign = definition.campaign
    if let (before, pacer) = known, before.campaign == campaign,
      before.isPaused == definition.isPaused
    {
      return pacer
    }
    let reserved = totals.map { ($0.spent + $0.reserved).value } ?? 0
    let stored = known == nil ? stored[definition.key] : nil
    // What is new begins with its flight; what was changed, from here on; what was stored, as it
    // had.
    let anchor = known == nil ? stored?.anchor : max(now, campaign.flight.lowerBound)
    let spent = known == nil ? stored?.anchorSpent ?? 0 : Double(reserved)
    let plan = SpendPlan(
      flight: campaign.flight, budget: campaign.budget, mode: campaign.pacing,
      shape: recorder.shape, from: anchor, spent: spent)
    var pacer = DualPacer(
      plan: plan, cost: campaign.cost, worth: campaign.worth,
      minimumExposures: campaign.minimumExposures, reserved: reserved, now: now,
      shape: recorder.shape, memory: known?.1.memory ?? stored?.memory ?? PacerMemory())
    pacer.isPaused = definition.isPaused
    return pacer
  }

  private static func isSpent(
    _ definition: CampaignDefinition, _ totals: CampaignTotals
  ) -> Bool {
    totals.budget + totals.leased < definition.campaign.cost
  }

  /// What requests read from now on.
  func board() -> CampaignBoard {
    guard let set else { preconditionFailure("a board of no campaigns") }
    let board = CampaignBoard(
      set: set,
      standings: definitions.indices.map {
        CampaignStanding(price: table.prices[$0], isSpent: isSpent[$0] || isHalted)
      }, posteriors: set.hasExploration ? posteriors : [],
      timeUnixMilliseconds: clock.unixMilliseconds())
    latest = board
    return board
  }

  /// Reckons prices anew; whether anything that requests read has changed.
  func tick(_ store: AllocationStore) throws(StoreFailure) -> Bool {
    let now = clock.unixMilliseconds()
    let elapsed = max(now - (lastTick ?? now), 0)
    lastTick = now
    if recorder.record(requests: demand.take(), now: now, elapsedMilliseconds: elapsed) {
      table.reshape(recorder.shape, now: now)
      lastNote = 0
    }
    let isTrafficDue = now - lastNote >= Limits.trafficNoteMilliseconds
    if isTrafficDue {
      lastNote = now
      try store.note(PaceKeeper.trafficNote, recorder.encoded)
    }
    if exploration.isDue(at: now, withTraffic: isTrafficDue) {
      try store.note(ExplorationKeeper.note, exploration.encoded)
    }
    let (before, movements) = (table.prices, store.takeMovements())
    var reports = [PacingReport](repeating: PacingReport(), count: definitions.count)
    let moved = movements.compactMap { key, movement in
      set?.index(ofKey: key).map { (index: Int($0), movement: movement) }
    }
    for (index, movement) in moved { reports[index] = movement.pacing }
    table.tick(now: now, reports: reports)
    var hasChanged = before != table.prices || latest?.isCurrent(at: now) == false
    for (index, movement) in moved {
      if movement.settled > 0 {
        spend.add(
          movement.settled, to: definitions[index].key, at: now,
          in: definitions[index].campaign.flight)
      }
      guard let totals = store.totals(of: definitions[index].key) else { continue }
      let spent = PaceKeeper.isSpent(definitions[index], totals)
      hasChanged = hasChanged || spent != isSpent[index]
      isSpent[index] = spent
      guard definitions[index].campaign.exploration == .thompson else { continue }
      exploration.add(movement.goals, to: definitions[index].key)
      posteriors[index] = exploration.posterior(definitions[index].key, totals)
      hasChanged = true
    }
    for (key, value) in notes(now) { try store.note(key, value) }
    return hasChanged
  }

  /// Prices, and what was spent when, that are due to be stored.
  private func notes(_ now: Int64) -> [(key: String, [UInt8])] {
    let prices = prices.take(at: now) { members in
      PacerRecord.encode(
        members.map { PacerRecord(key: definitions[$0].key, table.pacers[$0]) })
    }
    return prices + spend.take(at: now) { definitions[$0].key }
  }

  // MARK: Figures

  func figures(of key: UInt64) -> PaceFigures {
    guard let set, let index = set.index(ofKey: key).map({ Int($0) }) else { return PaceFigures() }
    let (pacer, now) = (table.pacers[index], clock.unixMilliseconds())
    return PaceFigures(
      price: table.prices[index],
      planned: Micros(Int64(pacer.planned(at: now, shape: table.shape))),
      shutUntil: pacer.opens(after: now, shape: table.shape),
      itemsKnown: Int(set.itemsKnown[index]))
  }

  /// The largest and the mean pace error of the campaigns that run, as parts of their budgets.
  var paceError: (largest: Double, mean: Double) {
    let now = clock.unixMilliseconds()
    var (largest, sum, count) = (0.0, 0.0, 0)
    for pacer in table.pacers
    where pacer.isPaced && pacer.plan.start <= now && now < pacer.plan.end && !pacer.isPaused {
      let error = abs(pacer.error(at: now, shape: table.shape))
      largest = max(largest, error)
      sum += error
      count += 1
    }
    return (largest, count > 0 ? sum / Double(count) : 0)
  }

  /// What was settled, from before a restart; `at` is ledger time.
  func restore(_ key: UInt64, _ amount: Micros, at time: Int64, in flight: Range<Int64>) {
    spend.restore(key, amount.value, at: time, in: flight)
  }

  /// Spend and plan by equal parts of the flight.
  func series(of key: UInt64) -> (spent: [Int64], planned: [Int64]) {
    guard let set, let index = set.index(ofKey: key).map({ Int($0) }) else { return ([], []) }
    let flight = definitions[index].campaign.flight
    let spent = spend[key, flight]
    let pacer = table.pacers[index]
    let ends = spent.ends.map { Int64(pacer.planned(at: $0, shape: table.shape)) }
    return (spent.parts, ends.indices.map { ends[$0] - ($0 > 0 ? ends[$0 - 1] : 0) })
  }
}
