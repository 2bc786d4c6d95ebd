import Core
import Wire

/// What became of reservations that were given back.
struct ReleaseReport: OutcomeReport {
  /// A reservation that stays.
  struct Exception: Equatable {
    var place: String
    var outcome: String
  }

  private var tokenCount = 0
  private var counts: [Int32: Int] = [:]
  /// The first, for people.
  private(set) var exceptions: [Exception] = []

  /// Exceptions that are kept: a screen full, several times over.
  static let exceptionsKept = 100

  private static let givenBack = [ReleaseOutcome.released, .alreadyReleased]
    .map { Int32($0.rawValue) }

  /// `outcomes`: the wire's numbers, one per token.
  mutating func add(_ tokens: [PlacedToken], _ outcomes: [Int32]) {
    tokenCount += tokens.count
    for (token, outcome) in zip(tokens, outcomes) {
      counts[outcome, default: 0] += 1
      if exceptions.count < ReleaseReport.exceptionsKept,
        !ReleaseReport.givenBack.contains(outcome)
      {
        exceptions.append(
          Exception(place: token.place, outcome: ScoreVocabulary.releaseOutcomeName(outcome)))
      }
    }
  }

  func count(_ outcome: ReleaseOutcome) -> Int { counts[Int32(outcome.rawValue)] ?? 0 }

  /// Nothing is kept for any of them any more.
  var isGivenBack: Bool { counts.keys.allSatisfy { ReleaseReport.givenBack.contains($0) } }

  var numbers: [(key: String, value: String)] {
    let outcomes = [ReleaseOutcome.released, .alreadyReleased, .settled, .forged, .unknown]
    return [(key: "tokens", value: "\(tokenCount)")]
      + outcomes.map {
        let name = ScoreVocabulary.releaseOutcomeName(Int32($0.rawValue)).lowercased()
        return (key: name, value: "\(count($0))")
      }
  }

  var exceptionLines: [(text: String, object: String)] {
    exceptions.map {
      let fields = [("place", JSONText.string($0.place)), ("outcome", JSONText.string($0.outcome))]
      return ("\($0.place): \($0.outcome)", JSONText.object(fields))
    }
  }
}
