import ArgumentParser
import Client
import Core
import Wire

struct CampaignListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List campaigns, by id.")

  enum Status: String, ExpressibleByArgument, CaseIterable {
    case scheduled, running, paused, spent, reserved, ended
  }

  @OptionGroup var target: TargetOptions

  @Option(help: "Only those of this status; may be given several times.")
  var status: [Status] = []

  @Option(help: "How the answer is shown.")
  var output = OutputFormat.table

  func run() throws {
    var campaigns: [CampaignStateMessage] = []
    try target.call { channel, timeout throws(ClientError) in
      try channel.listCampaigns(timeoutNanoseconds: timeout) { page in
        campaigns += page.filter(isWanted)
        return true
      }
    }
    switch output {
    case .table: print(CampaignListCommand.table(campaigns, palette: .standardOutput))
    case .json:
      print(JSONText.object([("campaigns", JSONText.array(campaigns.map(\.json)))]))
    }
  }

  func isWanted(_ campaign: CampaignStateMessage) -> Bool {
    status.isEmpty || status.contains { $0.rawValue.uppercased() == campaign.status.name }
  }

  static func table(_ campaigns: [CampaignStateMessage], palette: Palette) -> String {
    var table = TextTable(columns: [
      .init(title: "campaign"), .init(title: "status"), .init(title: "budget", isNumber: true),
      .init(title: "settled", isNumber: true), .init(title: "reserved", isNumber: true),
      .init(title: "left", isNumber: true),
      .init(title: "planned", isNumber: true), .init(title: "exposures", isNumber: true),
      .init(title: "price", isNumber: true),
    ])
    table.rows = campaigns.map { campaign in
      [
        printable(campaign.id), campaign.status.name, Micros(campaign.budgetMicros).description,
        Micros(campaign.settledMicros).description, Micros(campaign.reservedMicros).description,
        Micros(campaign.leftMicros).description, Micros(campaign.plannedMicros).description,
        "\(campaign.exposures)",
        priceText(campaign.price),
      ]
    }
    return table.text(palette)
  }
}

/// Six places for every price, so that they compare at a glance; JSON has all digits.
func priceText(_ price: Double) -> String {
  if price > 0, price < 0.000_000_5 { return "<0.000001" }
  guard price >= 0, price < 1e-4 else { return decimal(price, shortest: "\(price)") }
  let places = "\(Int((price * 1e6).rounded()))"
  return "0." + String(repeating: "0", count: 6 - places.count) + places
}

extension CampaignStateMessage {
  /// Of the budget, what is neither settled nor reserved.
  var leftMicros: Int64 {
    let (rest, overflow) = budgetMicros.subtractingReportingOverflow(settledMicros)
    let (left, again) = rest.subtractingReportingOverflow(reservedMicros)
    return overflow || again ? 0 : left
  }

  var members: [(key: String, value: String)] {
    [
      ("campaign", JSONText.string(id)),
      ("key", JSONText.string(CampaignNames.name(of: key, [:]) ?? "")),
      ("status", JSONText.string(status.name)), ("currency", JSONText.string(currency)),
      ("budget_micros", "\(budgetMicros)"), ("settled_micros", "\(settledMicros)"),
      ("reserved_micros", "\(reservedMicros)"), ("leased_micros", "\(leasedMicros)"),
      ("left_micros", "\(leftMicros)"),
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
      ("reserved", amount(reservedMicros)), ("left", amount(leftMicros)),
      ("leased", amount(leasedMicros)),
      ("planned", amount(plannedMicros)), ("unpaid", amount(unpaidMicros)),
      ("exposures", "\(exposures), goals \(goals)"),
      ("price", priceText(price)),
      ("items", "\(items), \(itemsKnown) in the snapshot"),
    ]
    return facts.map { CampaignStateMessage.fact($0.0, $0.1) }
  }

  static func fact(_ name: String, _ value: String) -> String {
    name + String(repeating: " ", count: max(1, 12 - name.count)) + value
  }
}
