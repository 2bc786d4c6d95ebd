import Campaigns
import Core

/// A campaign file whose lines tests replace one by one.
enum FileFixture {
  /// 2026-11-28T00:00:00Z.
  static let now: Int64 = 1_795_824_000_000
  static let start: Int64 = 1_796_083_200_000
  static let end: Int64 = 1_798_675_200_000

  static let catalog = CampaignCatalog(
    markets: ["SE", "NO", "US"], surfaces: ["radio", "home"], tiers: ["free", "premium"],
    hasArtists: true, hasReleases: false)

  static let lines = [
    "currency: USD",
    "boost: {scale_micros: 1000, surfaces: {radio: {weight: 1.5, cap: 0.5}}}",
    "holdout: {salt: \"2026q4\", percent: 2.0}",
    "campaigns:",
    "  - id: summer-drop",
    "    items: [\"spotify:track:1\", 77]",
    "    flight: {start: 2026-12-01T00:00:00Z, end: 2026-12-31T00:00:00Z}",
    "    budget: {amount: \"2500.00\"}",
    "    cost: {per: exposure, amount: \"0.0150\"}",
    "    worth: {per: goal, amount: \"0.4000\"}",
    "    markets: [SE, NO]",
    "    surfaces: [radio, home]",
    "    tiers: [free, premium]",
    "    segments: [gym-goers]",
    "    caps: [{scope: user_campaign, limit: 3, window: 7d}]",
    "    pacing: {mode: traffic}",
    "    minimum_exposures: 0",
    "    exploration: none",
    "  - id: winter",
    "    items:",
    "      - spotify:track:2",
    "      - spotify:track:3",
    "    flight:",
    "      start: 2026-12-01T00:00:00Z",
    "      end: 2026-12-31T00:00:00Z",
    "    budget: {amount: 10}",
    "    cost: {per: exposure, amount: 0}",
    "    worth: {per: goal, amount: 0.5}",
  ]

  static var text: String { text(lines) }

  static func text(_ lines: [String]) -> String { lines.joined(separator: "\n") + "\n" }

  /// With line `number`, from 1, replaced; nil leaves it out.
  static func text(_ number: Int, _ line: String?) -> String {
    var lines = lines
    if let line { lines[number - 1] = line } else { lines.remove(at: number - 1) }
    return text(lines)
  }

  static func parse(
    _ text: String, catalog: CampaignCatalog = catalog, now: Int64 = now,
    itemFile: CampaignFile.ItemFile? = nil
  ) throws(FileFaults) -> CampaignDocument {
    try CampaignFile.parse(text, catalog: catalog, now: now, itemFile: itemFile)
  }

  static func faults(
    _ text: String, catalog: CampaignCatalog = catalog, itemFile: CampaignFile.ItemFile? = nil
  ) -> [FileFault] {
    do throws(FileFaults) {
      _ = try parse(text, catalog: catalog, itemFile: itemFile)
      return []
    } catch {
      return error.kept
    }
  }
}
