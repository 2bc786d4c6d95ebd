package import Core

/// An owner's promise, as the campaign file says it (`formats.md` §3), checked.
package struct Campaign: Sendable, Equatable {
  /// `[a-z0-9-]{1,64}`.
  package var id: String
  /// URIs or decimal ids, as written.
  package var items: [String]
  /// Milliseconds since 1970, half-open.
  package var flight: Range<Int64>
  /// Total over the flight, more than 0.
  package var budget: Micros
  /// Of one exposure, at least 0 and at most the budget.
  package var cost: Micros
  /// Of one goal, at least 0.
  package var worth: Micros
  /// ISO 3166-1 alpha-2; nil = all.
  package var markets: [String]?
  package var surfaces: [String]?
  package var tiers: [String]?
  /// The request's segments must share one.
  package var segments: [String]?
  package var caps: [CapRule]
  package var pacing: PacingMode
  /// Exposures that are promised, whatever they are worth.
  package var minimumExposures: Int64
  package var exploration: Exploration

  package init(
    id: String, items: [String], flight: Range<Int64>, budget: Micros, cost: Micros, worth: Micros,
    markets: [String]? = nil, surfaces: [String]? = nil, tiers: [String]? = nil,
    segments: [String]? = nil, caps: [CapRule] = [], pacing: PacingMode = .traffic,
    minimumExposures: Int64 = 0, exploration: Exploration = .none
  ) {
    self.id = id
    self.items = items
    self.flight = flight
    self.budget = budget
    self.cost = cost
    self.worth = worth
    self.markets = markets
    self.surfaces = surfaces
    self.tiers = tiers
    self.segments = segments
    self.caps = caps
    self.pacing = pacing
    self.minimumExposures = minimumExposures
    self.exploration = exploration
  }
}

/// What a user's exposures are counted by.
package enum CapScope: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case userCampaign = 0
  case userArtist = 1
  case userRelease = 2
}

/// At most `limit` exposures of a scope within any `windowSeconds`.
package struct CapRule: Sendable, Equatable, Hashable, BitwiseCopyable {
  package var scope: CapScope
  /// At least 1.
  package var limit: UInt32
  /// At least 1.
  package var windowSeconds: UInt32

  package init(scope: CapScope, limit: UInt32, windowSeconds: UInt32) {
    self.scope = scope
    self.limit = limit
    self.windowSeconds = windowSeconds
  }
}

/// How a budget is spread over its flight.
package enum PacingMode: String, Sendable, CaseIterable {
  /// As traffic goes: yesterday's shape.
  case traffic
  /// The same in every hour.
  case even
  /// As soon as possible.
  case asap
}

/// Whether a campaign's value is drawn by lot.
package enum Exploration: String, Sendable, CaseIterable {
  case none
  case thompson
}

/// What holds for all campaigns of a server.
package struct CampaignPolicy: Sendable, Equatable {
  /// ISO 4217.
  package var currency: String
  /// What a boost of 1 is worth before weights, in micros of gain; more than 0.
  package var scaleMicros: Int64
  /// Surfaces not named have weight 1, cap 1.
  package var surfaces: [String: SurfaceBoost]
  package var holdout: HoldoutRule?

  package init(
    currency: String, scaleMicros: Int64 = 1_000, surfaces: [String: SurfaceBoost] = [:],
    holdout: HoldoutRule? = nil
  ) {
    self.currency = currency
    self.scaleMicros = scaleMicros
    self.surfaces = surfaces
    self.holdout = holdout
  }
}

/// How strongly a surface takes boosts.
package struct SurfaceBoost: Sendable, Equatable, BitwiseCopyable {
  /// At least 0, finite.
  package var weight: Double
  /// The largest boost; at least 0, finite.
  package var cap: Double

  package init(weight: Double = 1, cap: Double = 1) {
    self.weight = weight
    self.cap = cap
  }
}

/// Users who never get a boost, so that lift can be measured.
package struct HoldoutRule: Sendable, Equatable {
  package var salt: String
  /// Of 10,000 buckets, those below this are `control`: `percent` × 100.
  package var controlBuckets: Int

  package init(salt: String, controlBuckets: Int) {
    self.salt = salt
    self.controlBuckets = controlBuckets
  }
}
