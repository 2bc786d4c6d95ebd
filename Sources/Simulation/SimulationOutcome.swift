internal import Core
internal import Ledger

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
  /// A compaction keeps less than what caps look back.
  case windowForgotten
  /// A compaction drops the `reserve` of what is open.
  case openDropped
  /// A compaction drops an entry too many.
  case entryTooMany
  /// A compaction does not write what was spent.
  case openingForgotten
}

extension SimulationFlaw {
  /// What it does to each compaction; nil: nothing.
  var spoiling: ((inout Compaction) -> Void)? {
    switch self {
    case .openDropped: { if $0.through > 0 { $0.dropped = [1...$0.through] } }
    case .entryTooMany:
      { if $0.through > 0 { $0.dropped.append(($0.through + 1)...($0.through + 1)) } }
    case .openingForgotten:
      { $0.openings.removeAll { $0.kind == .opening && $0.reservation == Self.spent } }
    default: nil
    }
  }

  private static let spent = OpeningSubject.spent.rawValue
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
  /// Slices of compactions that dropped something, and what they dropped.
  package var compactions = 0
  package var compacted = 0
  package var crashesInCompaction = 0
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

  /// What worlds are for, and has not happened; of some dozens of worlds nothing.
  package var unseen: [String] {
    let counts: [(String, Int)] = [
      ("crashes", crashes), ("boots", boots), ("disk failures", diskFailures),
      ("changes", changes), ("refused changes", refusedChanges), ("repeated", repeated),
      ("conflicts", conflicts), ("waits", waits), ("lapsed", lapsed),
      ("caps checked", capsChecked), ("entries compacted", compacted),
      ("crashes in a compaction", crashesInCompaction),
    ]
    let reported: [ExposureOutcome] = [
      .settled, .duplicate, .goalAdded, .settledLate, .expired, .unknownReservation,
    ]
    let released: [Core.ReleaseOutcome] = [.released, .alreadyReleased, .settled]
    var unseen = counts.filter { $0.1 == 0 }.map(\.0)
    for outcome in reported where outcomes[Int(outcome.rawValue)] == 0 {
      unseen.append("exposures \(outcome)")
    }
    for outcome in released where releases[Int(outcome.rawValue)] == 0 {
      unseen.append("releases \(outcome)")
    }
    return unseen
  }

  package static func += (left: inout SimulationFigures, right: SimulationFigures) {
    for path in counts { left[keyPath: path] += right[keyPath: path] }
    for index in left.outcomes.indices { left.outcomes[index] += right.outcomes[index] }
    for index in left.releases.indices { left.releases[index] += right.releases[index] }
  }

  private static var counts: [WritableKeyPath<SimulationFigures, Int>] {
    [
      \.steps, \.crashes, \.crashesInRecovery, \.diskFailures, \.boots, \.compactions, \.changes,
      \.refusedChanges, \.allocations, \.placements, \.repeated, \.repeatedTooLate, \.conflicts,
      \.waits, \.lapsed, \.capsChecked, \.compacted, \.crashesInCompaction,
    ]
  }
}
