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
    /// As good as it gets.
    case ok
    /// The snapshot has no such item.
    case unknownItem
    /// There was no time for more.
    case deadline
    /// There was no room for more.
    case overload
    /// From here on: reasons of boosts. No campaign promotes the item.
    case noCampaign
    /// Its campaign has not begun, or has ended.
    case notInFlight
    /// Its campaign is not for this market.
    case market
    /// Its campaign is not for this surface.
    case surface
    /// Its campaign is for none of the request's segments.
    case segment
    /// No server sends it yet.
    case consent
    /// No server sends it yet.
    case recentlyPlayed
    /// The user has had as much of it as a cap allows.
    case capped
    /// The campaign's budget is used up.
    case budgetSpent
    /// It costs more than it is worth at the pacing price: kept for a better one.
    case paced
    /// The user is one of those who never get a boost.
    case holdout
    /// Its campaign is not for this tier.
    case tier
    /// Its campaign is paused.
    case paused
    /// Worth nothing, or what is gained is less than the smallest boost.
    case worthless
    /// The surface takes no boosts: its weight or its cap is 0.
    case surfaceOff
    /// Of `Allocate`: no candidate is left.
    case noCandidates
    /// A number that this client does not know, or 0, if the server does not say.
    case other(Int32)
  }

  /// What the scores were made from.
  public struct Provenance: Sendable, Equatable {
    /// Its version.
    public var snapshot = ""
    /// The model's name in the snapshot.
    public var model = ""
    /// Lower-case hexadecimal.
    public var modelSHA256 = ""
    /// The time that was scored for, milliseconds since 1970-01-01T00:00:00Z.
    public var timeUnixMilliseconds: Int64 = 0
    /// Of an experiment, or of the holdout: `holdout:treated` or `holdout:control`.
    public var arm = ""
    /// Trees that were summed, of `treesTotal`.
    public var treesUsed = 0
    /// Those of the model.
    public var treesTotal = 0
    /// Of the boosts, from the campaign file, for example `micros:1000`.
    public var boostScale = ""

    public init() {}
  }

  /// What a position's boost is made of.
  public struct Explanation: Sendable, Equatable {
    /// What one feature adds to a raw score. No server sends any yet.
    public struct Contribution: Sendable, Equatable {
      /// Its name in the model.
      public var feature: String
      /// The feature's; NaN = missing.
      public var value: Double
      /// In the unit of raw scores.
      public var contribution: Double
    }

    /// A term of the boost's formula.
    public struct Term: Sendable, Equatable {
      /// `raw`, `calibrated`, `value`, `worth`, `price`, `cost`, `gain`, `weight`, `scale`, `cap`.
      public var name: String
      /// In double: the formula evaluated on the terms, left to right, gives the boost exactly.
      public var value: Double
    }

    /// Of the candidate in the request.
    public var position: Int
    /// The raw score before any feature was looked at; 0, for no server sends it yet.
    public var expectedRaw: Double
    /// They and `expectedRaw` sum to the raw score; empty, for no server sends them yet.
    public var contributions: [Contribution]
    /// Those of the boost.
    public var terms: [Term]
  }

  /// As it was sent.
  public var requestID = ""
  /// Left empty by a fallback.
  public var provenance = Provenance()
  /// One per candidate; 0 where there is none (fidelity `none`).
  public var scores: [Float] = []
  /// Empty unless asked for.
  public var boosts: [Float] = []
  /// Empty unless asked for.
  public var rawScores: [Double] = []
  /// The first 8 bytes of SHA-256(campaign id), little-endian; 0 = none. Empty without boosts.
  public var campaignKeys: [UInt64] = []
  /// Empty unless asked for.
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
  /// Why the score is not of full fidelity. `position` as above.
  public func reason(at position: Int) -> Reason { Reason(number: reasons[position]) }
  /// Why the boost is what it is. `position` as above.
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
