import Wire

/// An answer as it is shown: rows joined from the columns of a response.
///
/// The response has passed `mismatch(candidateCount:)` for these items.
struct ScoreReport {
  struct Row: Equatable {
    var position: Int
    var item: String
    var score: Float
    var boost: Float?
    var raw: Double?
    /// The contract's names without their prefix.
    var fidelity: String
    var reason: String
    /// With boosts: why, and the campaign's id, or its key where no id is known.
    var boostReason: String?
    var campaign: String?
    var terms: [Term] = []
  }

  /// A term of a boost's formula.
  typealias Term = ScoreResponseMessage.Explanation.Term

  var requestID: String
  var provenance: ScoreResponseMessage.Provenance
  /// In position order.
  var rows: [Row]

  /// `campaigns`: the ids of campaigns by key.
  init(_ response: ScoreResponseMessage, items: ItemList, campaigns: [UInt64: String] = [:]) {
    requestID = response.requestID
    provenance = response.provenance
    rows = response.scores.indices.map { position in
      Row(
        position: position, item: items.name(at: position), score: response.scores[position],
        boost: response.boosts.isEmpty ? nil : response.boosts[position],
        raw: response.rawScores.isEmpty ? nil : response.rawScores[position],
        fidelity: ScoreVocabulary.fidelityName(response.fidelity(at: position)),
        reason: ScoreVocabulary.reasonName(response.reason(at: position)),
        boostReason: response.boosts.isEmpty
          ? nil : ScoreVocabulary.reasonName(response.boostReason(at: position)),
        campaign: response.campaignKeys.isEmpty
          ? nil : CampaignNames.name(of: response.campaignKeys[position], campaigns))
    }
    for explanation in response.explanations {
      guard rows.indices.contains(Int(explanation.position)) else { continue }
      rows[Int(explanation.position)].terms += explanation.terms
    }
  }

  var hasBoosts: Bool { rows.contains { $0.boost != nil } }

  /// The best first, by score, or score + boost where boosts are there; ties by position. A candidate without a score (fidelity NONE) answers 0,
  /// which is no score: it comes after those that have one, whatever their scale.
  func ranked(top: Int?) -> [Row] {
    let ordered = rows.sorted { left, right in
      let (leftHas, rightHas) = (left.hasScore, right.hasScore)
      if leftHas != rightHas { return leftHas }
      if leftHas, left.value != right.value { return left.value > right.value }
      return left.position < right.position
    }
    return top.map { Array(ordered.prefix($0)) } ?? ordered
  }

  /// The rows that somebody asked for: the best `top`, ranked, or all by position.
  private func selected(top: Int?) -> [Row] {
    top == nil ? rows : ranked(top: top)
  }

  /// One object, keys as the project's format page says.
  func json(top: Int?) -> String {
    var members: [(key: String, value: String)] = [
      ("request_id", JSONText.string(requestID)),
      ("snapshot", JSONText.string(provenance.snapshot)),
      ("model", JSONText.string(provenance.model)),
      ("model_sha256", JSONText.string(provenance.modelSHA256)),
      ("trees_used", "\(provenance.treesUsed)"), ("trees_total", "\(provenance.treesTotal)"),
      ("time_unix_ms", "\(provenance.timeUnixMilliseconds)"),
    ]
    if hasBoosts {
      members += [
        ("boost_scale", JSONText.string(provenance.boostScale)),
        ("arm", JSONText.string(provenance.arm)),
      ]
    }
    members.append(("results", JSONText.array(selected(top: top).map(\.json))))
    return JSONText.object(members)
  }
}

extension ScoreReport.Row {
  /// What the row is ranked by.
  fileprivate var value: Float { score + (boost ?? 0) }

  fileprivate var hasScore: Bool { fidelity != "NONE" && !score.isNaN }

  fileprivate var json: String {
    var members: [(key: String, value: String)] = [
      ("position", "\(position)"), ("item", JSONText.string(item)),
      ("score", JSONText.number(score)), ("boost", boost.map(JSONText.number) ?? "null"),
    ]
    if let raw { members.append(("raw", JSONText.number(raw))) }
    members += [
      ("fidelity", JSONText.string(fidelity)), ("reason", JSONText.string(reason)),
      ("campaign", campaign.map(JSONText.string) ?? "null"),
    ]
    if let boostReason { members.append(("boost_reason", JSONText.string(boostReason))) }
    if !terms.isEmpty {
      let values = terms.map { (key: $0.name, value: JSONText.number($0.value)) }
      members.append(("terms", JSONText.object(values)))
    }
    return JSONText.object(members)
  }
}
