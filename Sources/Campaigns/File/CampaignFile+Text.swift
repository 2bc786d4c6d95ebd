extension CampaignFile {
  /// What a text of campaigns begins with: behind it texts may be put together.
  package static let head = "campaigns:\n"

  /// A document that parses back to `policy` and `campaigns`; one campaign gives what `show` shows.
  package static func text(policy: DocumentPolicy, campaigns: [Campaign]) -> String {
    var text = grouped(CampaignNotation.fields(policy), indent: "")
    if campaigns.isEmpty { return text }
    text += head
    for campaign in campaigns {
      text += "  - id: \(CampaignNotation.quote(campaign.id))\n"
      if campaign.items.count <= 3 {
        text += "    items: \(CampaignNotation.list(campaign.items.map(CampaignNotation.quote)))\n"
      } else {
        text += "    items:\n"
        for item in campaign.items { text += "      - \(CampaignNotation.quote(item))\n" }
      }
      text += grouped(CampaignNotation.fields(campaign), indent: "    ")
    }
    return text
  }

  /// A line for each key; `flight.start` and `flight.end` become `flight: {start: …, end: …}`.
  private static func grouped(_ fields: [CampaignNotation.Field], indent: String) -> String {
    var text = ""
    var index = 0
    while index < fields.count {
      guard let group = parts(fields[index].name).inner.map({ _ in parts(fields[index].name).key })
      else {
        text += "\(indent)\(fields[index].name): \(fields[index].text)\n"
        index += 1
        continue
      }
      let members = fields[index...].prefix { parts($0.name).key == group }
      let inner = members.map { "\(parts($0.name).inner ?? ""): \($0.text)" }
      text += "\(indent)\(group): {\(inner.joined(separator: ", "))}\n"
      index += members.count
    }
    return text
  }

  private static func parts(_ name: String) -> (key: Substring, inner: Substring?) {
    guard let dot = name.firstIndex(of: ".") else { return (name[...], nil) }
    return (name[..<dot], name[name.index(after: dot)...])
  }
}
