import Core
import Wire

/// What applying came to, or would.
struct ApplyReport {
  private let response: ApplyCampaignsResponseMessage
  private let source: CampaignSource
  private let dryRun: Bool

  init(_ response: ApplyCampaignsResponseMessage, source: CampaignSource, dryRun: Bool) {
    self.response = response
    self.source = source
    self.dryRun = dryRun
  }

  func table(palette: Palette) -> String {
    guard response.faults.isEmpty else {
      var lines = response.faults.map { palette.paint(line($0), .red) }
      if response.faultsLeftOut > 0 { lines.append("and \(response.faultsLeftOut) more") }
      return (lines + ["", "nothing was applied"]).joined(separator: "\n")
    }
    var lines: [String] = []
    for change in response.changes where change.kind != .unchanged {
      lines.append(palette.paint(ApplyReport.title(change), ApplyReport.colour(change.kind)))
      for field in change.fields {
        let before = field.before.isEmpty ? "-" : printable(field.before)
        let after = field.after.isEmpty ? "-" : printable(field.after)
        lines.append("    \(printable(field.field)): \(before) -> \(after)")
      }
    }
    if response.changesLeftOut > 0 {
      lines.append("and \(response.changesLeftOut) campaigns that are not shown")
    }
    if !lines.isEmpty { lines.append("") }
    let warnings = response.warnings.prefix(ApplyReport.warningsShown).map {
      palette.paint("warning: \(line($0))", .yellow)
    }
    lines += warnings
    let hidden = response.warnings.count - warnings.count + Int(response.warningsLeftOut)
    if hidden > 0 { lines.append("and \(hidden) more warnings; --output json has up to 100") }
    if !warnings.isEmpty { lines.append("") }
    let summary = counts.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    let end = response.applied ? "applied" : dryRun ? "dry run" : "nothing was applied"
    return (lines + ["\(end): \(summary)"]).joined(separator: "\n")
  }

  /// A screen has room for these beside the changes.
  private static let warningsShown = 10

  /// A server that does not count leaves nothing out.
  private var counts: [(key: String, value: String)] {
    [
      ("added", max(response.added, response.count(.added))),
      ("changed", max(response.changed, response.count(.changed))),
      ("unchanged", max(response.unchanged, response.count(.unchanged))),
    ].map { (key: $0.0, value: "\($0.1)") }
  }

  /// `FILE:LINE: FIELD: REASON`, of which line and field may not be known.
  private func line(_ fault: CampaignFaultMessage) -> String {
    let line = source.line(of: fault)
    let place = line == 0 ? source.name : "\(source.name):\(line)"
    let field = fault.field.isEmpty ? "" : "\(printable(fault.field)): "
    return "\(place): \(field)\(printable(fault.reason))"
  }

  private static func title(_ change: CampaignChangeMessage) -> String {
    switch change.kind {
    case .added: "+ \(printable(change.campaignID))"
    case .changed: "~ \(printable(change.campaignID))"
    case .policy: "~ for all campaigns"
    default: "? \(printable(change.campaignID)) (\(change.kind.name))"
    }
  }

  private static func colour(_ kind: CampaignChangeMessage.Kind) -> Palette.Colour {
    kind == .added ? .green : .yellow
  }

  var json: String {
    let changes = response.changes.map { change in
      let fields = change.fields.map {
        JSONText.object([
          ("field", JSONText.string($0.field)), ("before", JSONText.string($0.before)),
          ("after", JSONText.string($0.after)),
        ])
      }
      return JSONText.object([
        ("campaign", change.campaignID.isEmpty ? "null" : JSONText.string(change.campaignID)),
        ("kind", JSONText.string(change.kind.name)), ("fields", JSONText.array(fields)),
      ])
    }
    return JSONText.object(
      [
        ("applied", "\(response.applied)"), ("dry_run", "\(dryRun)"),
        ("changes", JSONText.array(changes)), ("faults", json(response.faults)),
        ("faults_left_out", "\(response.faultsLeftOut)"),
      ] + counts + [
        ("changes_left_out", "\(response.changesLeftOut)"),
        ("warnings", json(response.warnings)),
        ("warnings_left_out", "\(response.warningsLeftOut)"),
      ])
  }

  private func json(_ faults: [CampaignFaultMessage]) -> String {
    JSONText.array(
      faults.map {
        let line = source.line(of: $0)
        return JSONText.object([
          ("file", JSONText.string(source.name)), ("line", line == 0 ? "null" : "\(line)"),
          ("field", JSONText.string($0.field)), ("reason", JSONText.string($0.reason)),
        ])
      })
  }
}
