package import Core

/// What shards reserved of a campaign since the last tick.
package struct PacingReport: Sendable, Equatable, BitwiseCopyable {
  /// Micros newly reserved.
  package var reserved: Int64 = 0
  /// Micros that came back: reservations that expired or were released.
  package var released: Int64 = 0
  /// The expected worth of what was newly reserved: Σ value · worth, micros.
  package var worth: Double = 0

  package init(reserved: Int64 = 0, released: Int64 = 0, worth: Double = 0) {
    self.reserved = reserved
    self.released = released
    self.worth = worth
  }
}

/// What a pacer has learned, to be kept over a restart or a change of its campaign.
package struct PacerMemory: Sendable, Equatable, BitwiseCopyable {
  /// μ, before the gate.
  package var price: Double = 0
  /// Mean of value · worth ÷ cost over what was reserved; 0 = not known.
  package var meanReturn: Double = 0
  /// Exposures that it has learned from.
  package var exposures: Double = 0

  package init() {}
}

/// The price of a campaign's budget, by dual mirror descent: Balseiro, Lu, Mirrokni, *The Best of
/// Many Worlds: Dual Mirror Descent for Online Allocation Problems*, arXiv 2011.10124.
///
/// The price μ is in micros of worth for a micro of budget, so that the gain of an exposure is
/// value · worth − μ · cost. At each tick
/// ```
/// g = (target − net reserved) / cost        μ ← clip(μ − η · g, μ_min, μ_max)
/// η = c · (mean return) / √(min(T, 16 + exposures seen))
/// ```
/// One of the paper's requests is an exposure here: g counts exposures, and T is how many a day
/// (or the flight, if it is shorter) needs. So ticks may be of any length, and many may pass
/// between two exposures. c is one number for all campaigns, because a price is measured by the
/// campaign's own mean return.
///
/// Beyond the paper, all for the pace within a day:
/// - The **target** of a tick is the plan's part of it and a part of what the plan is ahead or
///   behind, so that a campaign comes back to its plan. The plan's error is the integral of g, so
///   this is a proportional-integral controller, as in Zhang et al., *Feedback Control of
///   Real-Time Display Advertising*, WSDM 2016.
/// - The **first steps** are longer, c ÷ √(exposures seen), as online gradient descent takes them
///   (Zinkevich, ICML 2003), so that the first price does not cost a small campaign its pace.
/// - The **lead**: it aims √T ÷ 2 exposures ahead of its plan, at most a hundredth of the budget:
///   half a day's deviation of a Poisson supply. Where supply is short, what is behind cannot be
///   made good, and what is ahead can.
/// - The **gate**: a token bucket filled at `catchUp` times the plan. While it is overdrawn the
///   published price is `closedPrice`, so that no outage or new campaign ends in a burst.
package struct DualPacer: Sendable, Equatable {
  package private(set) var plan: SpendPlan
  /// Of one exposure, micros.
  private let cost: Double
  /// Exposures that are promised, whatever they are worth.
  private let minimumExposures: Double
  /// A price at which no exposure is worth taking: value is at most 1.
  package let closedPrice: Double
  package private(set) var memory: PacerMemory
  /// Reserved and not released since the flight's start, micros.
  package private(set) var reserved: Double
  /// T.
  private let dayExposures: Double
  /// Over how long an error of the plan is made good, milliseconds.
  private let horizon: Double
  /// Micros.
  private let lead: Double
  private let bucketDepth: Double
  private var bucket: Double
  private var lastPlanned: Double
  package var isPaused = false

  /// c. A day's pace error is about (swing of μ in mean returns) ÷ (c · √T).
  package static let stepScale = 2.0
  /// How many times the planned rate may be spent, at most, to catch up.
  package static let catchUp = 4.0
  /// Beyond it: so long a time of the mean plan may come at once, and two exposures.
  package static let burstMilliseconds = 60_000.0
  /// μ_min under a minimum that is not on plan, in mean returns, or in costs if these are more.
  package static let guaranteeReturns = 8.0
  /// The damping of what returns to plan: 4 is critical where demand falls in proportion to price.
  private static let damping = 4.0
  /// Exposures that the first step is taken as if they had been seen.
  private static let firstExposures = 16.0
  /// The lead, in √T exposures, and at most so much of the budget.
  private static let leadScale = 0.5
  private static let leadShare = 0.01
  /// Exposures over which the mean return is taken.
  private static let memoryExposures = 200.0

  /// `reserved`: micros, since the flight's start, net. `cost` ≥ 0; without a cost there is
  /// nothing to pace.
  package init(
    plan: SpendPlan, cost: Micros, worth: Micros, minimumExposures: Int64 = 0,
    reserved: Int64 = 0, now: Int64, shape: TrafficShape, memory: PacerMemory = PacerMemory()
  ) {
    self.plan = plan
    self.cost = Double(max(cost.value, 0))
    self.minimumExposures = Double(max(minimumExposures, 0))
    self.memory = memory
    self.reserved = Double(reserved)
    let unit = max(self.cost, 1)
    // Above worth ÷ cost by more than rounding takes, and above 0.
    closedPrice = (Double(max(worth.value, 0)) + 1) / unit * (1 + 0x1p-30)
    let length = max(plan.length, 1)
    let day = min(length, Double(TrafficShape.dayMilliseconds))
    let exposures = max(plan.remaining / unit * day / length, 1)
    dayExposures = exposures
    lead = min(
      DualPacer.leadScale * exposures.squareRoot() * unit, DualPacer.leadShare * plan.budget)
    horizon = min(DualPacer.damping * day / (DualPacer.stepScale * exposures.squareRoot()), day)
    bucketDepth = 2 * unit + plan.remaining / length * DualPacer.burstMilliseconds
    bucket = bucketDepth
    lastPlanned = plan.planned(at: now, shape: shape)
  }

  /// μ as it is served. 0 where nothing is paid. `asap` plans everything at once, so that it is
  /// at μ_min at once: below 0 until its minimum is reserved, then 0, and only its budget holds it.
  package var price: Double {
    if cost == 0 { return 0 }
    if plan.mode == .asap { return isPromised(of: plan.budget) ? promisedPrice : 0 }
    return bucket < 0 ? closedPrice : memory.price
  }

  /// Of a minimum as much is due as of the budget is planned; less than that is reserved.
  private func isPromised(of planned: Double) -> Bool {
    reserved < minimumExposures / max(plan.budget, 1) * planned * cost
  }

  /// μ_min where a minimum is not on plan.
  private var promisedPrice: Double { -DualPacer.guaranteeReturns * max(memory.meanReturn, 1) }

  /// The bucket is overdrawn: nothing is taken until it fills.
  package var isGated: Bool { plan.mode != .asap && isPaced && bucket < 0 }

  /// When the gate opens if nothing more is taken and nothing comes back, wall time; the flight's
  /// end at the latest. Nil: it is open.
  package func opens(after now: Int64, shape: TrafficShape) -> Int64? {
    guard isGated else { return nil }
    let needed = lastPlanned - bucket / DualPacer.catchUp
    var (low, high) = (now, max(plan.end, now))
    while low < high {
      let middle = low + (high - low) / 2
      if plan.planned(at: middle, shape: shape) >= needed {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }

  /// What costs nothing has no plan: its budget cannot be spent.
  package var isPaced: Bool { cost > 0 }

  /// What would have been spent by then, micros.
  package func planned(at now: Int64, shape: TrafficShape) -> Double {
    isPaced ? plan.planned(at: now, shape: shape) : 0
  }

  /// Planned and not reserved, as part of the budget; negative = ahead of the plan.
  package func error(at now: Int64, shape: TrafficShape) -> Double {
    guard isPaced, plan.budget > 0 else { return 0 }
    return (plan.planned(at: now, shape: shape) - reserved) / plan.budget
  }

  /// A tick. `now`: wall time. `progress`: of the plan's mode at `now`.
  mutating func tick(now: Int64, elapsed: Double, progress: Double, report: PacingReport) {
    let net = Double(report.reserved) - Double(report.released)
    reserved += net
    learn(report)
    let planned = plan.planned(at: now, progress: progress)
    let due = max(planned - lastPlanned, 0)
    lastPlanned = planned
    bucket = min(bucket + DualPacer.catchUp * due - net, bucketDepth)
    guard cost > 0, plan.mode != .asap, !isPaused, now >= plan.start, now < plan.end else { return }
    let behind = min(planned + lead, plan.budget) - reserved
    let left = max(min(horizon, Double(plan.end - now)), elapsed)
    let target = min(max(due + behind * elapsed / left, 0), DualPacer.catchUp * due)
    let isPromised = isPromised(of: planned)
    let scale = isPromised ? max(memory.meanReturn, 1) : memory.meanReturn
    let least = isPromised ? promisedPrice : 0
    let gradient = (target - net) / cost
    let seen = DualPacer.firstExposures + memory.exposures
    let step = DualPacer.stepScale / min(seen, dayExposures).squareRoot()
    memory.price = min(max(memory.price - step * scale * gradient, least), closedPrice)
  }

  private mutating func learn(_ report: PacingReport) {
    guard report.reserved > 0, cost > 0, report.worth.isFinite else { return }
    let exposures = Double(report.reserved) / cost
    memory.exposures += exposures
    let weight = min(exposures / min(memory.exposures, DualPacer.memoryExposures), 1)
    memory.meanReturn += weight * (report.worth / Double(report.reserved) - memory.meanReturn)
  }

  /// Yesterday has ended: its shape is the plan's from `now` on.
  mutating func reshape(_ shape: TrafficShape, previous: TrafficShape, now: Int64) {
    plan = plan.reshaped(shape, previous: previous, now: now)
  }
}
