import ArgumentParser
import Core
import Load

/// `64` or `16-256`: candidates of a batch.
struct BatchArgument: Equatable {
  var sizes: ClosedRange<Int>

  init(parsing text: String) throws(UsageError) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(parts.count), let low = parts[0], let high = parts[parts.count - 1],
      low >= 1, low <= high, high <= BatchArgument.candidatesMax
    else {
      throw UsageError(
        "a batch is a number of candidates or a range of them, 64 or 16-256, "
          + "at most \(BatchArgument.candidatesMax)")
    }
    sizes = low...high
  }

  /// Ten times what our own server takes, so that its refusal can be seen too.
  private static let candidatesMax = 10 * Limits.serving.candidates
}

/// Numbers of the command line with their bounds.
enum LoadNumber {
  /// Calls a second.
  static func rate(_ text: String) throws(UsageError) -> Double {
    guard let value = Double(text), value >= 0.01, value <= 10_000_000 else {
      throw UsageError("a rate is from 0.01 to 10000000 calls a second")
    }
    return value
  }

  /// Descriptors stay below the usual soft limit of 1,024.
  static func connections(_ text: String) throws(UsageError) -> Int {
    try count(text, atMost: 1_000, "connections")
  }

  /// A slot of some hundred bytes each.
  static func inFlight(_ text: String) throws(UsageError) -> Int {
    try count(text, atMost: 1_000_000, "calls in flight")
  }

  static func users(_ text: String) throws(UsageError) -> Int {
    try count(text, atMost: Limits.tableRows, "users")
  }

  static func exponent(_ text: String) throws(UsageError) -> Double {
    guard let value = Double(text), value >= 0, value <= 10 else {
      throw UsageError("Zipf's exponent is from 0 (all alike) to 10")
    }
    return value
  }

  static func duration(_ text: String) throws(UsageError) -> DurationArgument {
    let duration = try DurationArgument(parsing: text)
    guard duration.nanoseconds <= LoadPlan.longestNanoseconds else {
      throw UsageError("at most 7d")
    }
    return duration
  }

  /// As `duration`, and `0` for none.
  static func warmUp(_ text: String) throws(UsageError) -> DurationArgument {
    if ["0", "0s", "0ms"].contains(text) { return DurationArgument(nanoseconds: 0) }
    return try duration(text)
  }

  static func objectives(_ text: String) throws(UsageError) -> [ServiceObjective] {
    do throws(ObjectiveError) {
      return try ServiceObjective.parse(text) { (try? DurationArgument(parsing: $0))?.nanoseconds }
    } catch {
      throw UsageError(error.description)
    }
  }

  private static func count(_ text: String, atMost limit: Int, _ noun: String)
    throws(UsageError) -> Int
  {
    guard let value = Int(text), value >= 1, value <= limit else {
      throw UsageError("from 1 to \(limit) \(noun)")
    }
    return value
  }
}

extension ArrivalSchedule.Kind: ExpressibleByArgument {}

/// `crescendo-priority`.
enum CallPriority: String, ExpressibleByArgument, CaseIterable {
  case interactive
  case batch
}

extension LoadFraming: ExpressibleByArgument {}
