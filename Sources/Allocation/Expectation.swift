/// What new reservations of a campaign are expected to bring.
package struct Expectation: Sendable, Equatable, BitwiseCopyable {
  /// Micros: values as they were drawn, times the worth of a goal.
  package private(set) var worth = 0.0
  /// The sum of their calibrated scores, without draws.
  package private(set) var goals = 0.0
  package private(set) var placements = 0.0

  package init() {}

  mutating func add(worth: Double, goals: Double) {
    self.worth += worth
    self.goals += goals
    placements += 1
  }
}

/// How many goals the model expects of a campaign's placements.
package struct ExpectedGoals: Sendable, Equatable, BitwiseCopyable {
  package private(set) var goals: Double
  package private(set) var placements: Double

  package init(goals: Double = 0, placements: Double = 0) {
    self.goals = goals
    self.placements = placements
  }

  package mutating func add(goals: Double, placements: Double) {
    self.goals += goals
    self.placements += placements
  }

  /// Of one placement; nil: there was none.
  package var rate: Double? { placements > 0 ? goals / placements : nil }
}
