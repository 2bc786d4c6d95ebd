internal import Core

/// Values as a file writes them: what serializer and diff share.
enum CampaignNotation {
  /// A key, or a key within one, for example `budget.amount`, and its value.
  typealias Field = (name: String, text: String)

  /// Keys whose value is the default are left out, but for `items`, which come by themselves.
  static func fields(_ campaign: Campaign) -> [Field] {
    var fields: [Field] = [
      ("flight.start", RFC3339.text(campaign.flight.lowerBound)),
      ("flight.end", RFC3339.text(campaign.flight.upperBound)),
      ("budget.amount", quote("\(campaign.budget)")),
      ("cost.per", "exposure"), ("cost.amount", quote("\(campaign.cost)")),
      ("worth.per", "goal"), ("worth.amount", quote("\(campaign.worth)")),
    ]
    if let markets = campaign.markets { fields.append(("markets", list(markets.map(quote)))) }
    if let surfaces = campaign.surfaces { fields.append(("surfaces", list(surfaces.map(quote)))) }
    if let tiers = campaign.tiers { fields.append(("tiers", list(tiers.map(quote)))) }
    if let segments = campaign.segments { fields.append(("segments", list(segments.map(quote)))) }
    if !campaign.caps.isEmpty { fields.append(("caps", list(campaign.caps.map(cap)))) }
    if campaign.pacing != .traffic { fields.append(("pacing.mode", campaign.pacing.rawValue)) }
    if campaign.minimumExposures != 0 {
      fields.append(("minimum_exposures", "\(campaign.minimumExposures)"))
    }
    if campaign.exploration != .none {
      fields.append(("exploration", campaign.exploration.rawValue))
    }
    return fields
  }

  static func fields(_ policy: DocumentPolicy) -> [Field] {
    var fields: [Field] = []
    if let currency = policy.currency { fields.append(("currency", currency)) }
    if let boost = policy.boost {
      fields.append(("boost.scale_micros", "\(boost.scaleMicros)"))
      if !boost.surfaces.isEmpty {
        let surfaces = boost.surfaces.sorted { $0.key < $1.key }.map { surface, boost in
          "\(quote(surface)): {weight: \(boost.weight), cap: \(boost.cap)}"
        }
        fields.append(("boost.surfaces", "{\(surfaces.joined(separator: ", "))}"))
      }
    }
    if let holdout = policy.holdout {
      let cents = holdout.controlBuckets % 100
      fields.append(("holdout.salt", quote(holdout.salt)))
      fields.append(
        ("holdout.percent", "\(holdout.controlBuckets / 100).\(cents < 10 ? "0" : "")\(cents)"))
    }
    return fields
  }

  static func list(_ texts: [String]) -> String { "[\(texts.joined(separator: ", "))]" }

  /// In double quotes, which JSON and YAML read alike.
  static func quote(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" {
        quoted += "\\"
        quoted.unicodeScalars.append(scalar)
      } else if TextRules.isPlain(scalar) {
        quoted.unicodeScalars.append(scalar)
      } else {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        quoted += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      }
    }
    return quoted + "\""
  }

  private static func cap(_ rule: CapRule) -> String {
    let window = DurationText.text(seconds: UInt64(rule.windowSeconds))
    return "{scope: \(rule.scope.name), limit: \(rule.limit), window: \(window)}"
  }
}
