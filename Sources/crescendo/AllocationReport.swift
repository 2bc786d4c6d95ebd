import Core
import Wire

/// An allocation as it is shown.
struct AllocationReport {
  private let response: AllocateResponseMessage
  private let items: ItemList
  private let slots: Int

  /// Every placement's position is one of the items'.
  init(_ response: AllocateResponseMessage, items: ItemList, slots: Int) {
    self.response = response
    self.items = items
    self.slots = slots
  }

  private func name(_ placement: AllocateResponseMessage.Placement) -> String {
    items.name(at: Int(placement.position))
  }

  private static func token(_ placement: AllocateResponseMessage.Placement) -> String {
    Base64.padded(placement.token)
  }

  /// The placements, why slots are empty if some are, and where the answer comes from.
  func table(palette: Palette) -> String {
    var table = TextTable(columns: [
      .init(title: "slot", isNumber: true), .init(title: "item"), .init(title: "campaign"),
      .init(title: "score", isNumber: true), .init(title: "boost", isNumber: true),
      .init(title: "cost", isNumber: true), .init(title: "propensity", isNumber: true),
      .init(title: "expires"), .init(title: "token"),
    ])
    for placement in response.placements {
      table.rows.append([
        "\(placement.slot)", printable(name(placement)), printable(placement.campaignID),
        decimal(Double(placement.score), shortest: "\(placement.score)"),
        decimal(Double(placement.boost), shortest: "\(placement.boost)"),
        Micros(placement.costMicros).description, "\(placement.propensity)",
        TimeArgument(unixMilliseconds: placement.expiresUnixMilliseconds).text,
        AllocationReport.token(placement),
      ])
    }
    var lines = [table.text(palette), ""]
    let reason = ScoreVocabulary.reasonName(response.unfilledReason)
    let filled = "\(response.placements.count) of \(slots) slots"
    lines.append(response.placements.count < slots ? "\(filled): \(reason)" : filled)
    lines.append("request id \(AllocationID.text(response.requestID))")
    lines.append(response.provenance.line)
    return lines.joined(separator: "\n")
  }

  var json: String {
    let provenance = response.provenance
    return JSONText.object([
      ("request_id", JSONText.string(AllocationID.text(response.requestID))),
      ("snapshot", JSONText.string(provenance.snapshot)),
      ("model", JSONText.string(provenance.model)),
      ("model_sha256", JSONText.string(provenance.modelSHA256)),
      ("trees_used", "\(provenance.treesUsed)"), ("trees_total", "\(provenance.treesTotal)"),
      ("time_unix_ms", "\(provenance.timeUnixMilliseconds)"),
      ("boost_scale", JSONText.string(provenance.boostScale)),
      ("arm", JSONText.string(provenance.arm)),
      (
        "unfilled_reason",
        JSONText.string(ScoreVocabulary.reasonName(response.unfilledReason))
      ),
      ("placements", JSONText.array(response.placements.map(json))),
    ])
  }

  private func json(_ placement: AllocateResponseMessage.Placement) -> String {
    JSONText.object([
      ("slot", "\(placement.slot)"), ("position", "\(placement.position)"),
      ("item", JSONText.string(name(placement))),
      ("campaign", JSONText.string(placement.campaignID)),
      ("score", JSONText.number(placement.score)), ("boost", JSONText.number(placement.boost)),
      ("propensity", JSONText.number(placement.propensity)),
      ("cost_micros", "\(placement.costMicros)"),
      ("expires_unix_ms", "\(placement.expiresUnixMilliseconds)"),
      ("token", JSONText.string(AllocationReport.token(placement))),
    ])
  }
}
