import ArgumentParser
import Client
import Core
import Wire

struct CampaignShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show one campaign: its money, and its spend against its plan.")

  @OptionGroup var target: TargetOptions

  @Argument(help: "The campaign's id.")
  var id: String

  @Flag(help: "Show the campaign as a file holds it, too; JSON always has it.")
  var document = false

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    let response = try target.call { channel, timeout throws(ClientError) in
      try channel.campaign(id: id, timeoutNanoseconds: timeout)
    }
    switch output {
    case .table: print(CampaignShowCommand.text(response, document: document, .standardOutput))
    case .json: print(CampaignShowCommand.json(response))
    }
  }

  static func text(_ response: GetCampaignResponseMessage, document: Bool, _ style: Sparkline.Style)
    -> String
  {
    var lines = response.state.lines
    let most = max(
      response.spentSeriesMicros.max() ?? 0, response.plannedSeriesMicros.max() ?? 0)
    if most > 0 {
      let line: ([Int64]) -> String = { Sparkline.text($0, most: most, style) }
      lines.append(CampaignStateMessage.fact("spent", line(response.spentSeriesMicros)))
      lines.append(CampaignStateMessage.fact("plan", line(response.plannedSeriesMicros)))
      lines.append(
        CampaignStateMessage.fact(
          "", "highest \(Micros(most)) \(printable(response.state.currency))"))
    }
    // Line by line: a document may hold anything, and its line ends are wanted.
    if document {
      let text = response.document.split(separator: "\n", omittingEmptySubsequences: false)
      lines += [""] + text.map { printable(String($0)) }
    }
    return lines.joined(separator: "\n")
  }

  static func json(_ response: GetCampaignResponseMessage) -> String {
    let list: ([Int64]) -> String = { JSONText.array($0.map { "\($0)" }) }
    return JSONText.object(
      response.state.members + [
        ("spent_series_micros", list(response.spentSeriesMicros)),
        ("planned_series_micros", list(response.plannedSeriesMicros)),
        ("document", JSONText.string(response.document)),
      ])
  }
}

/// Numbers as a line of bars.
enum Sparkline {
  /// Bars need a terminal that shows them; elsewhere it is plain ASCII.
  enum Style {
    case blocks
    case ascii

    static var standardOutput: Style {
      style(isTerminal: Terminal.isStandardOutput, environment: Environment.value)
    }

    /// The locale by POSIX's order: LC_ALL, LC_CTYPE, LANG, of which the first that is set counts.
    static func style(isTerminal: Bool, environment: (String) -> String?) -> Style {
      let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(environment)
        .first { !$0.isEmpty }
      let name = (locale ?? "").lowercased()
      let isUTF8 = name.hasSuffix("utf-8") || name.hasSuffix("utf8")
      return isTerminal && isUTF8 ? .blocks : .ascii
    }

    var levels: [Character] {
      switch self {
      case .blocks: Array("▁▂▃▄▅▆▇█")
      case .ascii: Array("_.:-=+*#")
      }
    }
  }

  /// A character per value, by its share of `most`, which is more than 0.
  static func text(_ values: [Int64], most: Int64, _ style: Style) -> String {
    let levels = style.levels
    return String(
      values.map { value in
        let share = Double(max(value, 0)) / Double(most)
        return levels[min(Int(share * Double(levels.count - 1) + 0.5), levels.count - 1)]
      })
  }
}
