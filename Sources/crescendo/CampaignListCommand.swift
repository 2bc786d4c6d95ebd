import ArgumentParser
import Client
import Core
import Wire

struct CampaignListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List all campaigns, by id.")

  @OptionGroup var target: TargetOptions

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    var campaigns: [CampaignStateMessage] = []
    try target.call { channel, timeout throws(ClientError) in
      try channel.listCampaigns(timeoutNanoseconds: timeout) { page in
        campaigns += page
        return true
      }
    }
    switch output {
    case .table: print(CampaignListCommand.table(campaigns, palette: .standardOutput))
    case .json:
      print(JSONText.object([("campaigns", JSONText.array(campaigns.map(\.json)))]))
    }
  }

  static func table(_ campaigns: [CampaignStateMessage], palette: Palette) -> String {
    var table = TextTable(columns: [
      .init(title: "campaign"), .init(title: "status"), .init(title: "budget", isNumber: true),
      .init(title: "settled", isNumber: true), .init(title: "reserved", isNumber: true),
      .init(title: "planned", isNumber: true), .init(title: "exposures", isNumber: true),
      .init(title: "price", isNumber: true),
    ])
    table.rows = campaigns.map { campaign in
      [
        printable(campaign.id), campaign.status.name, Micros(campaign.budgetMicros).description,
        Micros(campaign.settledMicros).description, Micros(campaign.reservedMicros).description,
        Micros(campaign.plannedMicros).description, "\(campaign.exposures)",
        decimal(campaign.price, shortest: "\(campaign.price)"),
      ]
    }
    return table.text(palette)
  }
}

extension CampaignStateMessage {
  var members: [(key: String, value: String)] {
    [
      ("campaign", JSONText.string(id)),
      ("key", JSONText.string(CampaignNames.name(of: key, [:]) ?? "")),
      ("status", JSONText.string(status.name)), ("currency", JSONText.string(currency)),
      ("budget_micros", "\(budgetMicros)"), ("settled_micros", "\(settledMicros)"),
      ("reserved_micros", "\(reservedMicros)"), ("leased_micros", "\(leasedMicros)"),
      ("planned_micros", "\(plannedMicros)"), ("unpaid_micros", "\(unpaidMicros)"),
      ("exposures", "\(exposures)"), ("goals", "\(goals)"), ("price", JSONText.number(price)),
      ("start_unix_ms", "\(startUnixMilliseconds)"), ("end_unix_ms", "\(endUnixMilliseconds)"),
      ("items", "\(items)"), ("items_known", "\(itemsKnown)"),
    ]
  }

  var json: String { JSONText.object(members) }

  /// A line per fact.
  var lines: [String] {
    let amount: (Int64) -> String = { "\(Micros($0)) \(printable(self.currency))" }
    let time: (Int64) -> String = { TimeArgument(unixMilliseconds: $0).text }
    let facts = [
      ("campaign", "\(printable(id)) (\(status.name))"),
      ("flight", "\(time(startUnixMilliseconds)) to \(time(endUnixMilliseconds))"),
      ("budget", amount(budgetMicros)), ("settled", amount(settledMicros)),
      ("reserved", amount(reservedMicros)), ("leased", amount(leasedMicros)),
      ("planned", amount(plannedMicros)), ("unpaid", amount(unpaidMicros)),
      ("exposures", "\(exposures), goals \(goals)"),
      ("price", decimal(price, shortest: "\(price)")),
      ("items", "\(items), \(itemsKnown) in the snapshot"),
    ]
    return facts.map { CampaignStateMessage.fact($0.0, $0.1) }
  }

  static func fact(_ name: String, _ value: String) -> String {
    name + String(repeating: " ", count: max(1, 12 - name.count)) + value
  }
}
