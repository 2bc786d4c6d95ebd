import Campaigns
import Core

/// `allocation.md` §1 and §4 written down plainly, over the campaigns as they were given.
struct BoostOracle {
  var world: BoostWorld
  var campaignsOfRow: [Int32: [Campaign]] = [:]
  /// The factor of a campaign's draw, which the oracle does not compute itself.
  var factor: (String) -> Double

  struct Answer: Equatable {
    var boost: UInt32
    var reason: BoostReason
    var key: UInt64
  }

  init(_ world: BoostWorld, factor: @escaping (String) -> Double) {
    self.world = world
    self.factor = factor
    for campaign in world.campaigns.sorted(by: { $0.id < $1.id }) {
      for row in Set(campaign.items.compactMap { world.row(of: $0) }) {
        campaignsOfRow[row, default: []].append(campaign)
      }
    }
  }

  func answer(_ row: Int32, _ score: Double, _ request: BoostWorld.Request) -> Answer {
    guard row >= 0, row < world.rowCount else {
      return Answer(boost: Float(0).bitPattern, reason: .unknownItem, key: 0)
    }
    guard let campaigns = campaignsOfRow[row] else {
      return Answer(boost: Float(0).bitPattern, reason: .noCampaign, key: 0)
    }
    if let holdout = world.policy.holdout,
      request.user == 0 || request.bucket < holdout.controlBuckets
    {
      return Answer(boost: Float(0).bitPattern, reason: .holdout, key: 0)
    }
    let hindrances = campaigns.map { hindrance($0, row, request) }
    var winner: (campaign: Campaign, gain: Double)?
    for (campaign, hindrance) in zip(campaigns, hindrances) where hindrance == nil {
      let gain = gain(campaign, score)
      if let before = winner, before.gain >= gain { continue }
      winner = (campaign, gain)
    }
    if let (campaign, gain) = winner { return boosted(campaign, gain, score, request) }
    let order: [BoostReason] = [
      .notInFlight, .paused, .market, .surface, .tier, .segment, .budgetSpent, .capped,
    ]
    for reason in order.reversed() {
      guard let first = hindrances.firstIndex(of: reason) else { continue }
      return Answer(
        boost: Float(0).bitPattern, reason: reason, key: world.keys[campaigns[first].id] ?? 0)
    }
    preconditionFailure("a campaign is eligible or hindered")
  }

  private func gain(_ campaign: Campaign, _ score: Double) -> Double {
    let price = world.flags[campaign.id]?.price ?? 0
    return value(campaign, score) * Double(campaign.worth.value) - price
      * Double(campaign.cost.value)
  }

  /// A probability, drawn or not.
  private func value(_ campaign: Campaign, _ score: Double) -> Double {
    min(score * factor(campaign.id), 1)
  }

  private func boosted(
    _ campaign: Campaign, _ gain: Double, _ score: Double, _ request: BoostWorld.Request
  ) -> Answer {
    let surface = world.policy.surfaces[request.surface] ?? SurfaceBoost()
    let boost = surface.weight * max(0, gain) / Double(world.policy.scaleMicros)
    let clipped = Float(min(max(boost, 0), surface.cap))
    let free = value(campaign, score) * Double(campaign.worth.value)
    let reason: BoostReason =
      if clipped > 0 {
        .ok
      } else if surface.weight == 0 || Float(surface.cap) == 0 {
        .surfaceOff
      } else {
        gain <= 0 && free > 0 ? .paced : .worthless
      }
    return Answer(
      boost: clipped.bitPattern, reason: reason, key: world.keys[campaign.id] ?? 0)
  }

  /// The first check that fails.
  private func hindrance(
    _ campaign: Campaign, _ row: Int32, _ request: BoostWorld.Request
  ) -> BoostReason? {
    let flags = world.flags[campaign.id] ?? (0, false, false)
    if flags.isOff || !campaign.flight.contains(request.time) { return .notInFlight }
    if world.paused.contains(campaign.id) { return .paused }
    if let markets = campaign.markets, !markets.contains(request.market) { return .market }
    if let surfaces = campaign.surfaces, !surfaces.contains(request.surface) { return .surface }
    if let tiers = campaign.tiers, !tiers.contains(request.tier) { return .tier }
    if let segments = campaign.segments, Set(segments).isDisjoint(with: request.segments) {
      return .segment
    }
    if flags.isSpent { return .budgetSpent }
    return campaign.caps.contains { isReached($0, campaign, row, request) } ? .capped : nil
  }

  private func isReached(
    _ rule: CapRule, _ campaign: Campaign, _ row: Int32, _ request: BoostWorld.Request
  ) -> Bool {
    if request.user == 0 { return true }
    let key: UInt64?
    switch rule.scope {
    case .userCampaign: key = world.keys[campaign.id]
    case .userArtist: key = world.artists[Int(row)].map { UInt64(bitPattern: $0) }
    case .userRelease: key = world.releases[Int(row)].map { UInt64(bitPattern: $0) }
    }
    guard let key else { return false }
    let times = request.scopes[BoostWorld.Scope(kind: rule.scope, key: key)] ?? []
    let recent = times.filter { request.now / 100 - Int64($0) <= Int64(rule.windowSeconds) * 10 }
    return recent.count >= Int(rule.limit)
  }
}
