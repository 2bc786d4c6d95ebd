import Campaigns
import Core
import Testing

/// Campaigns as a board has them, and a request of one user for it.
struct Asking {
  let board: CampaignBoard
  let request: BoostRequest
  /// The rules of each campaign, whose keys rise from 1.
  let rules: [(campaign: UInt64, rules: [CapRule])]

  /// - Parameter rows: items 0 ..< `rows`, all of artist 77.
  init(
    _ campaigns: [Campaign], rows: Int, user: UInt64, now: Int64, seed: UInt64 = 1
  ) throws {
    let entries = campaigns.enumerated().map {
      CampaignDefinition(
        campaign: $0.element, key: UInt64($0.offset) + 1, isPaused: false)
    }
    let set = try CampaignSet(
      entries, policy: CampaignPolicy(currency: "EUR"),
      catalog: CampaignCatalog(rowCount: rows, row: { Int32($0) }, artist: { _ in 77 }))
    board = CampaignBoard(
      set: set, standings: campaigns.map { _ in CampaignStanding(price: 0) },
      timeUnixMilliseconds: now)
    let audience = try #require(
      set.audience(
        market: .empty, surface: .empty, tier: .empty,
        segments: UnsafeBufferPointer(start: nil, count: 0), timeUnixMilliseconds: now,
        user: user, bucket: 0))
    request = board.request(audience: audience, scopes: .none, ledgerMilliseconds: 0, seed: seed)
    rules = entries.map { ($0.key, $0.campaign.caps) }
  }
}
