/// Every key that a campaign file may have, mapping by mapping.
enum CampaignKeys {
  static let document = ["currency", "boost", "holdout", "campaigns"]
  static let boost = ["scale_micros", "surfaces"]
  static let surface = ["weight", "cap"]
  static let holdout = ["salt", "percent"]
  static let campaign = [
    "id", "items", "items_file", "flight", "budget", "cost", "worth", "markets", "surfaces",
    "tiers", "segments", "caps", "pacing", "minimum_exposures", "exploration",
  ]
  static let flight = ["start", "end"]
  static let budget = ["amount"]
  static let money = ["per", "amount"]
  static let cap = ["scope", "limit", "window"]
  static let pacing = ["mode"]

  /// What stands within a key, by the key's place: the reference in proto/CAMPAIGNS.md is held to
  /// it.
  static let within = [
    "": document, "boost": boost, "boost.surfaces": ["SURFACE"], "boost.surfaces.SURFACE": surface,
    "holdout": holdout, "campaigns": campaign, "campaigns.flight": flight,
    "campaigns.budget": budget, "campaigns.cost": money, "campaigns.worth": money,
    "campaigns.caps": cap, "campaigns.pacing": pacing,
  ]
}
