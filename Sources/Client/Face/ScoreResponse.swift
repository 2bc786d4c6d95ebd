internal import Core
internal import Wire

/// The scores of one batch: columns, of which each is empty or has one value per candidate.
public struct ScoreResponse: Sendable, Equatable {
  /// How much of the model a score has seen. Open: a newer server may know more.
  public enum Fidelity: Sendable, Hashable {
    /// No score.
    case none
    /// What is known without the model's trees.
    case prior
    /// Some of the trees.
    case partial
    /// All of them.
    case full
    /// A number that this client does not know, or 0, if the server does not say.
    case other(Int32)
  }

  /// Why a position has the fidelity or the boost that it has. Open: a newer server may know more.
  public enum Reason: Sendable, Hashable {
    case ok
    case unknownItem
    case deadline
    case overload
    case noCampaign
    case notInFlight
    case market
    case surface
    case segment
    case consent
    case recentlyPlayed
    case capped
    case budgetSpent
    case paced
    case holdout
    case tier
    case paused
    case worthless
    case surfaceOff
    case noCandidates
    /// A number that this client does not know, or 0, if the server does not say.
    case other(Int32)
  }

  /// What the scores were made from.
  public struct Provenance: Sendable, Equatable {
    public var snapshot = ""
    public var model = ""
    /// Lower-case hexadecimal.
    public var modelSHA256 = ""
    /// The time that was scored for, milliseconds since 1970-01-01T00:00:00Z.
    public var timeUnixMilliseconds: Int64 = 0
    public var arm = ""
    public var treesUsed = 0
    public var treesTotal = 0
    public var boostScale = ""

    public init() {}
  }

  /// What a position's raw score is made of.
  public struct Explanation: Sendable, Equatable {
    public struct Contribution: Sendable, Equatable {
      public var feature: String
      public var value: Double
      public var contribution: Double
    }

    public struct Term: Sendable, Equatable {
      public var name: String
      public var value: Double
    }

    /// Of the candidate in the request.
    public var position: Int
    public var expectedRaw: Double
    public var contributions: [Contribution]
    public var terms: [Term]
  }

  public var requestID = ""
  public var provenance = Provenance()
  /// One per candidate; 0 where there is none (fidelity `none`).
  public var scores: [Float] = []
  /// Empty unless asked for.
  public var boosts: [Float] = []
  /// Empty unless asked for.
  public var rawScores: [Double] = []
  public var campaignKeys: [UInt64] = []
  public var explanations: [Explanation] = []
  /// Set when no server answered, and the caller's own fallback gave the scores: why.
  public internal(set) var fallbackCause: RPCError?

  var fidelities = Levels()
  var reasons = Levels()
  var boostReasons = Levels()

  /// One number of all positions, or one of each.
  struct Levels: Sendable, Equatable {
    var all: Int32 = 0
    var each: [Int32] = []

    subscript(position: Int) -> Int32 { each.isEmpty ? all : each[position] }
  }

  /// Whether the scores are the caller's fallback and not a server's.
  public var isFallback: Bool { fallbackCause != nil }

  /// Of one candidate. `position` counts from 0 and is below `count`.
  public func fidelity(at position: Int) -> Fidelity { Fidelity(number: fidelities[position]) }
  public func reason(at position: Int) -> Reason { Reason(number: reasons[position]) }
  public func boostReason(at position: Int) -> Reason { Reason(number: boostReasons[position]) }
}

extension ScoreResponse {
  init(_ message: ScoreResponseMessage) {
    requestID = message.requestID
    provenance.snapshot = message.provenance.snapshot
    provenance.model = message.provenance.model
    provenance.modelSHA256 = message.provenance.modelSHA256
    provenance.timeUnixMilliseconds = message.provenance.timeUnixMilliseconds
    provenance.arm = message.provenance.arm
    provenance.treesUsed = Int(message.provenance.treesUsed)
    provenance.treesTotal = Int(message.provenance.treesTotal)
    provenance.boostScale = message.provenance.boostScale
    scores = message.scores
    boosts = message.boosts
    rawScores = message.rawScores
    campaignKeys = message.campaignKeys
    explanations = message.explanations.map(Explanation.init)
    fidelities = Levels(all: message.allFidelity, each: message.fidelities)
    reasons = Levels(all: message.allReason, each: message.reasons)
    boostReasons = Levels(all: message.allBoostReason, each: message.boostReasons)
  }

  /// Decodes an answer to `candidateCount` candidates; INTERNAL when it is none.
  static func decoded(_ bytes: [UInt8], candidateCount: Int) throws(RPCError) -> ScoreResponse {
    do throws(CallFailure) {
      let message = try ScoreResponseMessage.decoded(bytes)
      if let mismatch = message.mismatch(candidateCount: candidateCount) {
        throw CallFailure(
          .internalError, "the answer to \(candidateCount) candidates has \(mismatch)")
      }
      return ScoreResponse(message)
    } catch {
      throw RPCError(RPCError.Code(error.code), error.message)
    }
  }

  /// What the caller's own scores are shown as.
  static func fallback(_ scores: [Float], for request: ScoreRequest, cause: RPCError)
    -> ScoreResponse
  {
    var response = ScoreResponse()
    response.requestID = request.requestID
    response.scores = scores
    response.fidelities.all = Fidelity.prior.number
    let reason: Reason = cause.code == .deadlineExceeded ? .deadline : .overload
    response.reasons.all = reason.number
    response.fallbackCause = cause
    return response
  }
}

extension ScoreResponse.Explanation {
  init(_ message: ScoreResponseMessage.Explanation) {
    position = Int(message.position)
    expectedRaw = message.expectedRaw
    contributions = message.contributions.map {
      Contribution(feature: $0.feature, value: $0.value, contribution: $0.contribution)
    }
    terms = message.terms.map { Term(name: $0.name, value: $0.value) }
  }
}
