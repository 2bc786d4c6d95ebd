import Campaigns
import Core

/// A request as pacing sees it: when, and each campaign's value for it (0 = not eligible).
struct SimulatedRequest {
  var at: Int64
  var values: [Double]
}

/// A campaign of a simulation, and what became of it.
struct SimulatedCampaign {
  var flight: Range<Int64>
  var budget: Micros
  var cost: Micros
  var worth: Micros
  var mode = PacingMode.traffic
  var minimumExposures: Int64 = 0

  private(set) var spent: Int64 = 0
  private(set) var reward = 0.0
  /// Largest |reserved − plan| ÷ budget after the warm-up, and at days' ends.
  private(set) var paceError = 0.0
  private(set) var dayEndError = 0.0
  /// Largest spend of a quarter hour ÷ its plan, of those that plan 20 exposures or more.
  private(set) var burst = 0.0
  private var quarterStart: (spent: Int64, planned: Double) = (0, 0)

  init(
    flight: Range<Int64>, budget: Micros, cost: Micros = Micros(10_000),
    worth: Micros = Micros(1_000_000), mode: PacingMode = .traffic, minimumExposures: Int64 = 0
  ) {
    self.flight = flight
    self.budget = budget
    self.cost = cost
    self.worth = worth
    self.mode = mode
    self.minimumExposures = minimumExposures
  }

  func plan(_ shape: TrafficShape) -> SpendPlan {
    SpendPlan(flight: flight, budget: budget, mode: mode, shape: shape)
  }

  func pacer(_ shape: TrafficShape) -> DualPacer {
    DualPacer(
      plan: plan(shape), cost: cost, worth: worth, minimumExposures: minimumExposures,
      now: flight.lowerBound, shape: shape)
  }

  func gain(_ value: Double, price: Double) -> Double {
    value * Double(worth.value) - price * Double(cost.value)
  }

  func takes(at now: Int64) -> Bool {
    flight.contains(now) && spent + cost.value <= budget.value
  }

  mutating func take(_ value: Double) {
    spent += cost.value
    reward += value * Double(worth.value)
  }

  mutating func measure(at now: Int64, planned: Double, warmUp: Int64) {
    guard now > flight.lowerBound, now <= flight.upperBound else { return }
    let error = abs(Double(spent) - planned) / Double(budget.value)
    if now - flight.lowerBound >= warmUp { paceError = max(paceError, error) }
    if now % TrafficShape.dayMilliseconds == 0 { dayEndError = max(dayEndError, error) }
    if now % TrafficShape.slotMilliseconds == 0 {
      let due = planned - quarterStart.planned
      // Of 20 exposures and more, so that chance does not count.
      if due >= Double(20 * cost.value) {
        burst = max(burst, Double(spent - quarterStart.spent) / due)
      }
      quarterStart = (spent, planned)
    }
  }

  var underDelivery: Double { 1 - Double(spent) / Double(budget.value) }
}

/// The production pacing over simulated time: each request's slot goes to the campaign with the
/// largest gain at the last tick's price. Budgets are kept, and no reservation is released.
struct PacingSimulation {
  private(set) var campaigns: [SimulatedCampaign]
  private(set) var table: PacingTable
  var tickMilliseconds: Int64 = 1_000
  /// What the pace error leaves out: learning the first price.
  var warmUp: Int64 = 3_600_000
  private var reports: [PacingReport]
  private var now: Int64

  init(_ campaigns: [SimulatedCampaign], shape: TrafficShape) {
    self.campaigns = campaigns
    table = PacingTable(pacers: campaigns.map { $0.pacer(shape) }, shape: shape)
    reports = Array(repeating: PacingReport(), count: campaigns.count)
    now = campaigns.map(\.flight.lowerBound).min() ?? 0
    table.tick(now: now, reports: reports)
  }

  mutating func run(_ requests: [SimulatedRequest], until end: Int64) {
    for request in requests {
      while now + tickMilliseconds <= request.at { tick() }
      serve(request)
    }
    while now + tickMilliseconds <= end { tick() }
  }

  private mutating func tick() {
    now += tickMilliseconds
    table.tick(now: now, reports: reports)
    for index in campaigns.indices {
      reports[index] = PacingReport()
      let planned = table.pacers[index].plan.planned(at: now, shape: table.shape)
      campaigns[index].measure(at: now, planned: planned, warmUp: warmUp)
    }
  }

  private mutating func serve(_ request: SimulatedRequest) {
    var best = -1
    var bestGain = 0.0
    for index in campaigns.indices where request.values[index] > 0 {
      let gain = campaigns[index].gain(request.values[index], price: table.prices[index])
      if gain > bestGain, campaigns[index].takes(at: request.at) {
        best = index
        bestGain = gain
      }
    }
    guard best >= 0 else { return }
    campaigns[best].take(request.values[best])
    reports[best].reserved += campaigns[best].cost.value
    reports[best].worth += request.values[best] * Double(campaigns[best].worth.value)
  }
}
