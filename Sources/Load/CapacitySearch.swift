/// Looks for the highest rate that still passes: doubles (or halves) from a first guess until one
/// rate passes and a higher one does not, then bisects. Pure: it is told what each probe came to.
package struct CapacitySearch: Sendable {
  package enum Outcome: Sendable, Equatable {
    case passed
    case failed
    /// The generator could not hold the rate, so that nothing was shown about the server.
    case generatorFellBehind
  }

  package struct Probe: Sendable, Equatable {
    package var ratePerSecond: Double
    package var outcome: Outcome
  }

  package private(set) var probes: [Probe] = []
  /// The highest that passed, calls a second; nil = none yet.
  package private(set) var highestPassed: Double?
  private var lowestFailed: Double?
  private var rate: Double

  /// The search ends when the rates that passed and failed are this close.
  private static let closeness = 1.05
  /// Of probes: 2¹² between first guess and answer, and 5 % by five bisections, with room.
  private static let probesMax = 24
  /// Calls a second, below which there is nothing to look for.
  private static let lowestRate = 1.0

  package init(firstRatePerSecond: Double) {
    rate = firstRatePerSecond
  }

  /// The rate to try next, calls a second; nil when the search is over.
  package var next: Double? {
    guard probes.count < CapacitySearch.probesMax else { return nil }
    if let highestPassed, let lowestFailed, lowestFailed <= highestPassed * Self.closeness {
      return nil
    }
    return highestPassed == nil && rate < CapacitySearch.lowestRate ? nil : rate
  }

  /// What the probe at `next` came to.
  package mutating func record(_ outcome: Outcome) {
    probes.append(Probe(ratePerSecond: rate, outcome: outcome))
    if outcome == .passed {
      highestPassed = max(highestPassed ?? 0, rate)
    } else {
      lowestFailed = min(lowestFailed ?? .infinity, rate)
    }
    switch (highestPassed, lowestFailed) {
    case (let passed?, let failed?): rate = (passed + failed) / 2
    case (nil, let failed?): rate = failed / 2
    case (let passed?, nil): rate = passed * 2
    case (nil, nil): break
    }
  }

  /// Whether it was the generator that kept higher rates from being shown.
  package var isLimitedByGenerator: Bool {
    guard let lowestFailed else { return false }
    return probes.contains {
      $0.ratePerSecond == lowestFailed && $0.outcome == .generatorFellBehind
    }
  }
}
