/// A campaign file, checked.
package struct CampaignDocument: Sendable, Equatable {
  /// Where a campaign stands, lines from 1.
  package struct Place: Sendable, Equatable {
    package var line: Int
    package var idLine: Int
    package var budgetLine: Int
  }

  package var policy: DocumentPolicy
  package var campaigns: [Campaign]
  /// One for each campaign.
  package var places: [Place]
  /// nil if the file says none.
  package var currencyLine: Int?
}

/// What a file says for all campaigns; what is nil is not in it, and stays as it is on the server.
package struct DocumentPolicy: Sendable, Equatable {
  package var currency: String?
  package var boost: BoostRule?
  package var holdout: HoldoutRule?

  package init(currency: String? = nil, boost: BoostRule? = nil, holdout: HoldoutRule? = nil) {
    self.currency = currency
    self.boost = boost
    self.holdout = holdout
  }

  /// All of a server's policy.
  package init(_ policy: CampaignPolicy) {
    self.init(
      currency: policy.currency,
      boost: BoostRule(scaleMicros: policy.scaleMicros, surfaces: policy.surfaces),
      holdout: policy.holdout)
  }

  /// `stored` with what the file says; nil if neither names a currency.
  package func applied(to stored: CampaignPolicy?) -> CampaignPolicy? {
    guard let currency = currency ?? stored?.currency else { return nil }
    var policy = stored ?? CampaignPolicy(currency: currency)
    policy.currency = currency
    if let boost { (policy.scaleMicros, policy.surfaces) = (boost.scaleMicros, boost.surfaces) }
    if let holdout { policy.holdout = holdout }
    return policy
  }
}

/// `boost:` of a file, which is replaced as a whole.
package struct BoostRule: Sendable, Equatable {
  /// At least 1.
  package var scaleMicros: Int64
  package var surfaces: [String: SurfaceBoost]

  package init(scaleMicros: Int64, surfaces: [String: SurfaceBoost] = [:]) {
    self.scaleMicros = scaleMicros
    self.surfaces = surfaces
  }
}

/// The names that a snapshot knows, which campaigns may speak of.
package struct CampaignCatalog: Sendable, Equatable {
  /// nil = whatever is written.
  package var markets: Set<String>?
  package var surfaces: Set<String>?
  package var tiers: Set<String>?
  /// The items have the column `artist`, which caps may count.
  package var hasArtists: Bool
  package var hasReleases: Bool

  package init(
    markets: Set<String>?, surfaces: Set<String>?, tiers: Set<String>?, hasArtists: Bool,
    hasReleases: Bool
  ) {
    self.markets = markets
    self.surfaces = surfaces
    self.tiers = tiers
    self.hasArtists = hasArtists
    self.hasReleases = hasReleases
  }

  /// For those who do not know the snapshot.
  package static let unknown = CampaignCatalog(
    markets: nil, surfaces: nil, tiers: nil, hasArtists: true, hasReleases: true)
}
