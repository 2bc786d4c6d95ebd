/// What new reservations of a campaign are expected to bring.
package struct Expectation: Sendable, Equatable, BitwiseCopyable {
  /// Micros: values as they were drawn, times the worth of a goal.
  package private(set) var worth = 0.0
  package private(set) var goals = ExpectedGoals()

  package init() {}

  /// One more; `goals`: its calibrated score.
  package mutating func add(worth: Double, goals: Double) {
    self.worth += worth
    self.goals.add(ExpectedGoals(goals: goals, placements: 1))
  }
}

/// How many goals the model expects of a campaign's placements.
package struct ExpectedGoals: Sendable, Equatable, BitwiseCopyable {
  /// The sum of their calibrated scores, without draws.
  package private(set) var goals: Double
  package private(set) var placements: Double

  package init(goals: Double = 0, placements: Double = 0) {
    self.goals = goals
    self.placements = placements
  }

  package mutating func add(_ more: ExpectedGoals) {
    goals += more.goals
    placements += more.placements
  }

  /// Of one placement; nil: there was none.
  package var rate: Double? { placements > 0 ? goals / placements : nil }
}
