import ArgumentParser
import Client
import Wire

struct CampaignDiagnoseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diagnose", abstract: "Say why a campaign does not spend as planned.")

  @OptionGroup var target: TargetOptions

  @Argument(help: "The campaign's id.")
  var id: String

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    let response = try target.call { channel, timeout throws(ClientError) in
      try channel.diagnoseCampaign(id: id, timeoutNanoseconds: timeout)
    }
    switch output {
    case .table: print(CampaignDiagnoseCommand.text(response, palette: .standardOutput))
    case .json: print(CampaignDiagnoseCommand.json(response))
    }
  }

  /// The cause first, then the numbers behind it, the most frequent reason on top.
  static func text(_ response: DiagnoseCampaignResponseMessage, palette: Palette) -> String {
    let colour: Palette.Colour = response.cause == .none ? .green : .yellow
    var lines = [
      palette.paint("\(response.cause.name): \(printable(response.summary))", colour), "",
    ]
    lines += response.state.lines
    lines.append(
      CampaignStateMessage.fact(
        "candidates",
        "about \(response.candidates), boosted \(response.boosted); placed \(response.placed)"))
    if response.sampledOneIn > 1 {
      lines.append(
        CampaignStateMessage.fact("counted", "one batch in \(response.sampledOneIn)"))
    }
    if !response.reasons.isEmpty {
      var table = TextTable(columns: [
        .init(title: "kept from a boost by"), .init(title: "about", isNumber: true),
      ])
      table.rows = response.reasons.sorted { $0.count > $1.count }
        .map { [ScoreVocabulary.reasonName($0.reason), "\($0.count)"] }
      lines += ["", table.text(palette)]
    }
    return lines.joined(separator: "\n")
  }

  static func json(_ response: DiagnoseCampaignResponseMessage) -> String {
    let reasons = response.reasons.map {
      (key: ScoreVocabulary.reasonName($0.reason), value: "\($0.count)")
    }
    return JSONText.object([
      ("cause", JSONText.string(response.cause.name)),
      ("summary", JSONText.string(response.summary)), ("state", response.state.json),
      ("reasons", JSONText.object(reasons)), ("candidates", "\(response.candidates)"),
      ("boosted", "\(response.boosted)"), ("placed", "\(response.placed)"),
      ("sampled_one_in", "\(response.sampledOneIn)"),
    ])
  }
}
