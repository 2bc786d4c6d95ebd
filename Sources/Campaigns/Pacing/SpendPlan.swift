package import Core

/// What a campaign would have spent at each moment if all went to plan: its budget, or what is
/// left of it, spread over its flight, or what is left of that, as progress goes
/// (`TrafficShape.progress`).
package struct SpendPlan: Sendable, Equatable {
  package let mode: PacingMode
  /// Wall time, milliseconds, half-open.
  package let start: Int64
  package let end: Int64
  /// Micros.
  package let budget: Double
  /// Where this plan begins: moment, progress, and what was spent, micros.
  package let anchor: Int64
  private let anchorProgress: Double
  package let anchorSpent: Double
  /// Micros by progress.
  private let slope: Double

  /// The plan from `start` of the flight, or from `anchor` on with `spent` of the budget gone:
  /// after a change of the budget or flight, and after a pause, what is left is planned anew.
  package init(
    flight: Range<Int64>, budget: Micros, mode: PacingMode, shape: TrafficShape,
    from anchor: Int64? = nil, spent: Double = 0
  ) {
    self.mode = mode
    start = flight.lowerBound
    end = flight.upperBound
    self.budget = Double(budget.value)
    self.anchor = min(max(anchor ?? start, start), end)
    anchorSpent = spent
    anchorProgress = SpendPlan.progress(at: self.anchor, mode, shape)
    let whole = SpendPlan.progress(at: end, mode, shape) - anchorProgress
    slope = whole > 0 ? max(self.budget - spent, 0) / whole : 0
  }

  /// Another day's shape from `now` on; what was planned until now stays planned.
  package func reshaped(_ shape: TrafficShape, previous: TrafficShape, now: Int64) -> SpendPlan {
    guard mode == .traffic, now < end else { return self }
    let spent = planned(at: now, shape: previous)
    return SpendPlan(
      flight: start..<end, budget: Micros(Int64(budget)), mode: mode, shape: shape, from: now,
      spent: spent)
  }

  /// Micros, from what was spent at the anchor up to the budget. `asap`: all at once.
  package func planned(at now: Int64, shape: TrafficShape) -> Double {
    planned(at: now, progress: SpendPlan.progress(at: min(max(now, anchor), end), mode, shape))
  }

  /// The same, for those who know the mode's progress at `now`.
  @inline(__always)
  func planned(at now: Int64, progress: Double) -> Double {
    if now < anchor { return anchorSpent }
    if now >= end || mode == .asap { return max(budget, anchorSpent) }
    return anchorSpent + slope * max(progress - anchorProgress, 0)
  }

  /// Milliseconds of the plan.
  var length: Double { Double(end - anchor) }
  /// Micros that it plans.
  var remaining: Double { max(budget - anchorSpent, 0) }

  static func progress(at now: Int64, _ mode: PacingMode, _ shape: TrafficShape) -> Double {
    mode == .traffic
      ? shape.progress(at: now) : Double(now) / Double(TrafficShape.dayMilliseconds)
  }
}
