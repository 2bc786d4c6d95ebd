/// An answer position by position.
extension ScoreResponse {
  /// One candidate of the answer.
  public struct ScoredCandidate: Sendable, Equatable {
    /// Of the candidate in the request.
    public var position: Int
    /// 0 where there is none (fidelity `none`).
    public var score: Float
    /// How fine the score is.
    public var fidelity: Fidelity
    /// Why it is not finer.
    public var reason: Reason
    /// Nil unless asked for.
    public var rawScore: Double?
    /// Nil unless asked for.
    public var boost: Float?
    /// Why the boost is what it is; `other(0)` unless asked for.
    public var boostReason: Reason
  }

  /// How many candidates the answer has.
  public var count: Int { scores.count }

  /// The candidate at `position`, which counts from 0 and is below `count`.
  public subscript(position: Int) -> ScoredCandidate {
    ScoredCandidate(
      position: position, score: scores[position], fidelity: fidelity(at: position),
      reason: reason(at: position), rawScore: rawScores.isEmpty ? nil : rawScores[position],
      boost: boosts.isEmpty ? nil : boosts[position], boostReason: boostReason(at: position))
  }

  /// All candidates in the order of the request.
  public var candidates: some RandomAccessCollection<ScoredCandidate> {
    (0..<count).lazy.map { self[$0] }
  }
}

/// One part of a streamed answer: scores of some of the candidates.
public struct ScorePart: Sendable, Equatable {
  /// Positions in the request that this part answers, each once in all parts.
  public var positions: [Int]
  /// One score per position of `positions`, in that order.
  public var response: ScoreResponse
}

/// What a server says of itself or of one of its services.
public enum ServiceHealth: Sendable, Equatable {
  case unknown
  case serving
  case notServing
  case serviceUnknown
  /// A number that this client does not know.
  case other(Int32)
}
