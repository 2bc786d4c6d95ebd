internal import Wire

extension ScoreResponse.Fidelity: CustomStringConvertible {
  private static let known: [(number: Int32, level: ScoreResponse.Fidelity)] = [
    (1, .none), (2, .prior), (3, .partial), (4, .full),
  ]

  init(number: Int32) {
    self = Self.known.first { $0.number == number }?.level ?? .other(number)
  }

  var number: Int32 {
    if case .other(let number) = self { return number }
    return Self.known.first { $0.level == self }?.number ?? 0
  }

  /// The contract's own name without its prefix, for example `FULL`; an unknown one's number.
  public var description: String { ScoreVocabulary.fidelityName(number) }
}

extension ScoreResponse.Reason: CustomStringConvertible {
  private static let known: [(number: Int32, reason: ScoreResponse.Reason)] = [
    (1, .ok), (2, .unknownItem), (3, .deadline), (4, .overload), (10, .noCampaign),
    (11, .notInFlight), (12, .market), (13, .surface), (14, .segment), (15, .consent),
    (16, .recentlyPlayed), (17, .capped), (18, .budgetSpent), (19, .paced), (20, .holdout),
    (21, .tier), (22, .paused), (23, .worthless), (24, .surfaceOff), (25, .noCandidates),
  ]

  init(number: Int32) {
    self = Self.known.first { $0.number == number }?.reason ?? .other(number)
  }

  var number: Int32 {
    if case .other(let number) = self { return number }
    return Self.known.first { $0.reason == self }?.number ?? 0
  }

  /// The contract's own name without its prefix, for example `UNKNOWN_ITEM`; an unknown one's
  /// number.
  public var description: String { ScoreVocabulary.reasonName(number) }
}
