internal import Core

/// A part that is broken on purpose: whoever looks for mistakes must find it.
package enum SimulationFlaw: String, Sendable, CaseIterable {
  /// The disk says that it has synced, and has not.
  case syncIgnored
  /// Answers go out before their group is written.
  case answersEarly
  /// After a restart nobody knows what users have had.
  case capsForgotten
  /// After a restart nobody knows which requests were answered.
  case requestsForgotten
  /// A report that comes again is paid again.
  case reportsForgotten
  /// A reservation's time is cut short.
  case releasedEarly
}

/// What a simulation has come to.
package struct SimulationOutcome: Sendable {
  /// What must never be, in words; empty: nothing of it was.
  package var violations: [String]
  package var figures: SimulationFigures
}

/// What has happened, so that a test can tell that it did.
package struct SimulationFigures: Sendable, Equatable {
  package var steps = 0
  package var crashes = 0
  package var crashesInRecovery = 0
  package var diskFailures = 0
  package var boots = 0
  package var compactions = 0
  package var changes = 0
  package var refusedChanges = 0
  package var allocations = 0
  package var placements = 0
  package var repeated = 0
  package var repeatedTooLate = 0
  package var conflicts = 0
  package var waits = 0
  /// By `ExposureOutcome`.
  package var outcomes = [Int](repeating: 0, count: ExposureOutcome.allCases.count + 1)
  /// By `ReleaseOutcome`.
  package var releases = [Int](repeating: 0, count: ReleaseOutcome.allCases.count + 1)
  package var lapsed = 0
  package var capsChecked = 0
  /// Paid: in time and late.
  package var exposures: Int {
    outcomes[Int(ExposureOutcome.settled.rawValue)]
      + outcomes[Int(ExposureOutcome.settledLate.rawValue)]
  }

  package init() {}

  package static func += (left: inout SimulationFigures, right: SimulationFigures) {
    for path in counts { left[keyPath: path] += right[keyPath: path] }
    for index in left.outcomes.indices { left.outcomes[index] += right.outcomes[index] }
    for index in left.releases.indices { left.releases[index] += right.releases[index] }
  }

  private static var counts: [WritableKeyPath<SimulationFigures, Int>] {
    [
      \.steps, \.crashes, \.crashesInRecovery, \.diskFailures, \.boots, \.compactions, \.changes,
      \.refusedChanges, \.allocations, \.placements, \.repeated, \.repeatedTooLate, \.conflicts,
      \.waits, \.lapsed,
      \.capsChecked,
    ]
  }
}
