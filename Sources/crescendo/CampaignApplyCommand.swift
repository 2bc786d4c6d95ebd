import ArgumentParser
import Client
import Core
import Wire

struct CampaignApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Replace campaigns by those of a file, all or none; exits with 1 when it has faults.")

  @OptionGroup var target: TargetOptions

  @Option(name: [.customShort("f"), .long], help: "The campaign file; - is standard input.")
  var file: String

  @Flag(help: "Say what would change, and change nothing.")
  var dryRun = false

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    let source = try CampaignSource(file)
    guard source.faults.isEmpty else {
      var response = ApplyCampaignsResponseMessage()
      response.faults = source.faults
      response.faultsLeftOut = source.faultsLeftOut
      return try show(response, source)
    }
    let response = try target.call { channel, timeout throws(ClientError) in
      try channel.applyCampaigns(
        document: source.document, dryRun: dryRun, timeoutNanoseconds: timeout)
    }
    try show(response, source)
  }

  private func show(_ response: ApplyCampaignsResponseMessage, _ source: CampaignSource) throws {
    let report = ApplyReport(response, source: source, dryRun: dryRun)
    switch output {
    case .table: print(report.table(palette: .standardOutput))
    case .json: print(report.json)
    }
    if !response.faults.isEmpty { throw ExitCode(ExitStatus.negative.rawValue) }
  }
}

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
    if !lines.isEmpty { lines.append("") }
    let summary = [
      CampaignChangeMessage.Kind.added, .changed, .unchanged,
    ].map { kind in
      "\(response.changes.count { $0.kind == kind }) \(kind.name.lowercased())"
    }.joined(separator: ", ")
    let end = response.applied ? "applied" : dryRun ? "dry run" : "nothing was applied"
    return (lines + ["\(end): \(summary)"]).joined(separator: "\n")
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
    let faults = response.faults.map {
      JSONText.object([
        ("file", JSONText.string(source.name)),
        ("line", source.line(of: $0) == 0 ? "null" : "\(source.line(of: $0))"),
        ("field", JSONText.string($0.field)), ("reason", JSONText.string($0.reason)),
      ])
    }
    return JSONText.object([
      ("applied", "\(response.applied)"), ("dry_run", "\(dryRun)"),
      ("changes", JSONText.array(changes)), ("faults", JSONText.array(faults)),
      ("faults_left_out", "\(response.faultsLeftOut)"),
    ])
  }
}
