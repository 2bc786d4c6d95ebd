internal import Core

/// What a `--slo` says is wrong with it.
package struct ObjectiveError: Error, Sendable, Equatable, CustomStringConvertible {
  package var description: String
}

/// One line of a service level objective: `p99=10ms`, `errors=0.1%`, `full=99%`.
package struct ServiceObjective: Sendable, Equatable {
  package enum Measure: Sendable, Equatable {
    /// Latency from the intended start over all intended calls, at most.
    case latency(Quantile)
    /// Intended calls that came to anything but OK, at most.
    case errors
    /// Intended calls whose answer came after their deadline, at most.
    case late
    /// Intended calls that were answered OK from the whole model, at least.
    case full
    /// Intended calls that were answered OK by their deadline, at least.
    case inTime
  }

  package var name: String
  package var measure: Measure
  /// Nanoseconds of a latency, else a share of the intended calls (0 … 1).
  package var limit: Double

  /// What one run says to an objective.
  package struct Verdict: Sendable, Equatable {
    package var objective: ServiceObjective
    /// In the limit's unit; nil = infinite, or no call was made.
    package var value: Double?
    package var isMet: Bool
  }

  /// `list` is separated by commas; `duration` reads a length of time as nanoseconds, nil = none.
  package static func parse(_ list: String, duration: (String) -> UInt64?)
    throws(ObjectiveError) -> [ServiceObjective]
  {
    var objectives: [ServiceObjective] = []
    for part in list.split(separator: ",", omittingEmptySubsequences: false) {
      let objective = try one(part, duration)
      guard !objectives.contains(where: { $0.name == objective.name }) else {
        throw ObjectiveError(description: "\(objective.name) is given twice")
      }
      objectives.append(objective)
    }
    return objectives
  }

  private static func one(_ text: Substring, _ duration: (String) -> UInt64?)
    throws(ObjectiveError) -> ServiceObjective
  {
    guard let equals = text.firstIndex(of: "=") else {
      throw ObjectiveError(description: "\"\(text)\" is not NAME=LIMIT, for example p99=10ms")
    }
    let name = String(text[..<equals])
    let value = String(text[text.index(after: equals)...])
    guard let measure = measure(named: name) else {
      throw ObjectiveError(
        description: "\"\(name)\" is no objective; there are p50, p99.9 and their like, max, "
          + "errors, late, full, in_time")
    }
    if case .latency = measure {
      guard let nanoseconds = duration(value) else {
        throw ObjectiveError(description: "\(name)=\(value): a length of time, for example 10ms")
      }
      return ServiceObjective(name: name, measure: measure, limit: Double(nanoseconds))
    }
    guard value.hasSuffix("%"), let percent = plainNumber(value.dropLast()), percent <= 100 else {
      throw ObjectiveError(description: "\(name)=\(value): a percentage, for example 0.1%")
    }
    return ServiceObjective(name: name, measure: measure, limit: percent / 100)
  }

  private static func measure(named name: String) -> Measure? {
    switch name {
    case "errors": return .errors
    case "late": return .late
    case "full": return .full
    case "in_time": return .inTime
    case "max": return .latency(Quantile(millionths: 1_000_000))
    default:
      guard name.hasPrefix("p") else { return nil }
      // Four places at most: ranks are counted in millionths.
      let digits = name.dropFirst()
      let places = digits.split(separator: ".", omittingEmptySubsequences: false)
      guard let percent = plainNumber(digits), percent > 0, percent <= 100,
        places.count == 1 || places[1].count <= 4
      else { return nil }
      return .latency(Quantile(millionths: Int((percent * 10_000).rounded())))
    }
  }

  /// Digits with at most one point between them.
  private static func plainNumber(_ text: Substring) -> Double? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let isPlain = parts.allSatisfy { part in
      !part.isEmpty && part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }
    return isPlain && (1...2).contains(parts.count) ? Double(text) : nil
  }

  package func verdict(_ tally: LoadTally) -> Verdict {
    let total = Double(tally.intended)
    let share: (Int) -> Double? = { tally.intended > 0 ? Double($0) / total : nil }
    switch measure {
    case .latency(let quantile):
      let value = tally.latency.value(quantile).map { Double($0) }
      return Verdict(objective: self, value: value, isMet: value.map { $0 <= limit } ?? false)
    case .errors: return atMost(share(tally.intended - tally.count(.ok)))
    case .late: return atMost(share(tally.late))
    case .full: return atLeast(share(tally.count(fidelity: .full)))
    case .inTime: return atLeast(share(tally.inTime))
    }
  }

  private func atMost(_ value: Double?) -> Verdict {
    Verdict(objective: self, value: value, isMet: value.map { $0 <= limit } ?? false)
  }

  private func atLeast(_ value: Double?) -> Verdict {
    Verdict(objective: self, value: value, isMet: value.map { $0 >= limit } ?? false)
  }
}
