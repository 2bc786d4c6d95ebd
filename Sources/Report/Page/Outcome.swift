/// What a call came to, as the plots tell it apart: few enough kinds for their colours to differ.
enum Outcome: Int, CaseIterable {
  case inTime, late, refused, deadline, unavailable, other, never

  var name: String {
    switch self {
    case .inTime: "OK in time"
    case .late: "OK, late"
    case .refused: "RESOURCE_EXHAUSTED"
    case .deadline: "DEADLINE_EXCEEDED"
    case .unavailable: "UNAVAILABLE"
    case .other: "other statuses"
    case .never: "never sent"
    }
  }

  var tone: Chart.Tone {
    switch self {
    case .inTime: .ok
    case .late: .late
    case .refused: .refused
    case .deadline: .deadline
    case .unavailable: .unavailable
    case .other: .other
    case .never: .never
    }
  }

  static var kinds: [(name: String, tone: Chart.Tone)] { allCases.map { ($0.name, $0.tone) } }

  /// Of a status that is not OK.
  private init(failed status: String) {
    self =
      switch status {
      case "RESOURCE_EXHAUSTED": .refused
      case "DEADLINE_EXCEEDED": .deadline
      case "UNAVAILABLE": .unavailable
      default: .other
      }
  }

  /// Counts in the order of the cases.
  static func counts(statuses: [(name: String, count: Int)], inTime: Int, missing: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: allCases.count)
    for (name, count) in statuses {
      if name == "OK" {
        counts[Outcome.inTime.rawValue] += min(inTime, count)
        counts[Outcome.late.rawValue] += max(count - inTime, 0)
      } else {
        counts[Outcome(failed: name).rawValue] += count
      }
    }
    counts[Outcome.never.rawValue] += missing
    return counts
  }
}

/// How much of the model answers came from.
enum FidelityKind {
  static let kinds: [(name: String, tone: Chart.Tone)] = [
    ("FULL", .full), ("PARTIAL", .partial), ("PRIOR", .prior), ("NONE", .none),
    ("UNSPECIFIED", .other),
  ]
}

extension RunRecord {
  /// Of the whole run, in the order of `Outcome`'s cases.
  var outcomes: [Int] {
    Outcome.counts(
      statuses: statuses.map { ($0.name, $0.count) }, inTime: inTime ?? count("OK"),
      missing: missing)
  }

  /// In the order of `FidelityKind.kinds`.
  var fidelityCounts: [Int] { FidelityKind.kinds.map { count(fidelity: $0.name) } }

  /// Those of a latency: the share of calls that it is about.
  var latencyObjectives: [(share: Double, objective: Objective)] {
    objectives.compactMap { objective in
      guard objective.unit == "ms" else { return nil }
      if objective.name == "max" { return (1, objective) }
      guard objective.name.hasPrefix("p"), let percent = Double(objective.name.dropFirst()),
        percent > 0, percent <= 100
      else { return nil }
      return (percent / 100, objective)
    }
  }

  /// The whole curve, or the named percentiles of a file that has no more.
  func levels(_ levels: [Level], _ named: Percentiles) -> [Level] {
    guard levels.isEmpty, calls > 0 else { return levels }
    return zip([0.5, 0.9, 0.99, 0.999, 0.9999, 1], Percentiles.all)
      .map { Level(share: $0, milliseconds: named[keyPath: $1.value]) }
  }
}

extension RunRecord.Series {
  /// Seconds of an interval that belong to the run: its first and last may be cut.
  func covered(_ index: Int, _ setup: RunRecord.Setup) -> Double {
    let (from, to) = span(index)
    let start = max(from, -(setup.warmUpSeconds ?? .infinity))
    let end = min(to, setup.durationSeconds ?? .infinity)
    return max(end - start, 1e-9)
  }

  func span(_ index: Int) -> (from: Double, to: Double) {
    (seconds[index], seconds[index] + intervalSeconds)
  }

  /// From the first interval's start to the last one's end.
  var extent: (from: Double, to: Double) {
    guard let first = seconds.first, let last = seconds.last else { return (0, 1) }
    return (first, last + intervalSeconds)
  }

  /// In the order of `Outcome`'s cases.
  func outcomes(_ index: Int) -> [Int] {
    Outcome.counts(
      statuses: statuses.map { ($0.name, $0.counts[index]) }, inTime: inTime[index],
      missing: missing[index])
  }

  /// At most so many parts that can be pointed at: narrower ones cannot be hit.
  private static let readoutsMax = 600

  /// A readout for each interval, or of several for the one with the longest answer.
  func readouts(_ text: (Int) -> String) -> [Chart.Readout] {
    let every = max(1, (seconds.count + Self.readoutsMax - 1) / Self.readoutsMax)
    return stride(from: 0, to: seconds.count, by: every).map { first in
      let group = first..<min(first + every, seconds.count)
      let worst = group.max { (longest[$0] ?? 0) < (longest[$1] ?? 0) } ?? first
      return Chart.Readout(
        from: span(group.lowerBound).from, to: span(group.upperBound - 1).to,
        text: Units.seconds(seconds[worst]) + "\n" + text(worst))
    }
  }
}
