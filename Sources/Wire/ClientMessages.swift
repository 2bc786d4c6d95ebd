/// A `crescendo.v1.ScoreRequest` as a client builds it: names and rules are the contract's
/// (`proto/crescendo/v1/score.proto`).
package struct ScoreRequestMessage: Sendable, Equatable {
  package struct Context: Sendable, Equatable {
    package var market = ""
    package var surface = ""
    package var tier = ""
    /// Milliseconds since 1970; 0 = the server's clock.
    package var timeUnixMilliseconds: Int64 = 0
    package var utcOffsetMinutes: Int32 = 0
    package var segments: [String] = []

    package init() {}
  }

  /// A named column of floats: one per candidate, or of the user.
  package struct Column: Sendable, Equatable {
    package var name: String
    /// NaN = missing.
    package var values: [Float]

    package init(name: String, values: [Float]) {
      self.name = name
      self.values = values
    }
  }

  package var requestID = ""
  package var userID: UInt64 = 0
  package var userURI = ""
  package var context = Context()
  /// At most one of `itemIDs` and `itemURIs` is filled.
  package var itemIDs: [UInt64] = []
  package var itemURIs: [String] = []
  package var candidateColumns: [Column] = []
  package var userColumns: [Column] = []
  /// The wire's number of a `Fidelity`; 0 = the server's choice.
  package var minFidelity: Int32 = 0
  package var model = ""
  package var wantRaw = false
  package var wantBoosts = false
  package var wantExplanations = false

  package init() {}

  package var candidateCount: Int { max(itemIDs.count, itemURIs.count) }
}

/// A `crescendo.v1.ScoreResponse` as it came. Enums are open: numbers, which `ScoreVocabulary`
/// names.
package struct ScoreResponseMessage: Sendable, Equatable {
  package struct Provenance: Sendable, Equatable {
    package var snapshot = ""
    package var model = ""
    /// Lower-case hexadecimal.
    package var modelSHA256 = ""
    package var timeUnixMilliseconds: Int64 = 0
    package var arm = ""
    package var treesUsed: UInt32 = 0
    package var treesTotal: UInt32 = 0
    package var boostScale = ""

    package init() {}
  }

  package struct Explanation: Sendable, Equatable {
    package struct Contribution: Sendable, Equatable {
      package var feature: String
      package var value: Double
      package var contribution: Double
    }

    package struct Term: Sendable, Equatable {
      package var name: String
      package var value: Double

      package init(name: String, value: Double) {
        self.name = name
        self.value = value
      }
    }

    package var position: UInt32
    package var expectedRaw: Double
    package var contributions: [Contribution]
    package var terms: [Term]

    package init(
      position: UInt32, expectedRaw: Double, contributions: [Contribution], terms: [Term]
    ) {
      self.position = position
      self.expectedRaw = expectedRaw
      self.contributions = contributions
      self.terms = terms
    }
  }

  package var requestID = ""
  package var provenance = Provenance()
  /// One per candidate.
  package var scores: [Float] = []
  package var boosts: [Float] = []
  /// Of every position when `fidelities` is empty; the same holds for the pairs below.
  package var allFidelity: Int32 = 0
  package var fidelities: [Int32] = []
  package var allReason: Int32 = 0
  package var reasons: [Int32] = []
  package var campaignKeys: [UInt64] = []
  package var rawScores: [Double] = []
  package var explanations: [Explanation] = []
  package var allBoostReason: Int32 = 0
  package var boostReasons: [Int32] = []

  package init() {}

  package func fidelity(at position: Int) -> Int32 {
    fidelities.isEmpty ? allFidelity : fidelities[position]
  }

  package func reason(at position: Int) -> Int32 {
    reasons.isEmpty ? allReason : reasons[position]
  }

  package func boostReason(at position: Int) -> Int32 {
    boostReasons.isEmpty ? allBoostReason : boostReasons[position]
  }

  /// Why this cannot be the answer to a batch of `candidateCount`, or nil: after nil every column
  /// is empty or has one value per candidate.
  package func mismatch(candidateCount: Int) -> String? {
    if scores.count != candidateCount { return "\(scores.count) scores" }
    let optional = [
      ("boosts", boosts.count), ("fidelities", fidelities.count), ("reasons", reasons.count),
      ("campaign_keys", campaignKeys.count), ("raw_scores", rawScores.count),
      ("boost_reasons", boostReasons.count),
    ]
    for (name, count) in optional where count != 0 && count != candidateCount {
      return "\(count) \(name)"
    }
    return nil
  }
}

/// What `grpc.health.v1.Health/Check` answers.
package enum HealthStatus: Sendable, Equatable {
  case unknown
  case serving
  case notServing
  case serviceUnknown
  /// A number that this client does not know.
  case other(Int32)

  init(number: Int32) {
    switch number {
    case 0: self = .unknown
    case 1: self = .serving
    case 2: self = .notServing
    case 3: self = .serviceUnknown
    default: self = .other(number)
    }
  }

  /// The contract's own name, for example `NOT_SERVING`.
  package var name: String {
    switch self {
    case .unknown: "UNKNOWN"
    case .serving: "SERVING"
    case .notServing: "NOT_SERVING"
    case .serviceUnknown: "SERVICE_UNKNOWN"
    case .other(let number): "\(number)"
    }
  }
}
