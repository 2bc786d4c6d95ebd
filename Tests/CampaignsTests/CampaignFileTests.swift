import Campaigns
import Core
import Testing

@Suite struct CampaignFileTests {
  /// The example of the format's page, its items written out.
  static let example = """
    currency: USD                      # one per server
    boost: {scale_micros: 1000, surfaces: {radio: {weight: 1.0, cap: 1.0}}}    # other surfaces: …
    holdout: {salt: "2026q4", percent: 2.0}        # users who never get a boost; bucket = …
    campaigns:
      - id: summer-drop                # [a-z0-9-]{1,64}
        items: ["spotify:track:…"]     # or items_file
        flight: {start: 2026-12-01T00:00:00Z, end: 2026-12-31T00:00:00Z}   # half-open
        budget: {amount: "2500.00"}    # total over the flight
        cost: {per: exposure, amount: "0.0150"}        # decimal strings, exact to the micro
        worth: {per: goal, amount: "0.4000"}         # what one goal is worth, same currency, ≥ 0
        markets: [SE, NO]              # absent = all
        surfaces: [radio, home]
        tiers: [free, premium]
        segments: [gym-goers]          # the request's segments must share one; absent = all
        caps: [{scope: user_campaign, limit: 3, window: 7d}, {scope: user_artist, limit: 5, window: 1d}]
        pacing: {mode: traffic}        # traffic | even | asap
        minimum_exposures: 0
        exploration: none              # none | thompson
    """

  static let exampleCampaign = Campaign(
    id: "summer-drop", items: ["spotify:track:…"], flight: FileFixture.start..<FileFixture.end,
    budget: Micros(2_500_000_000), cost: Micros(15_000), worth: Micros(400_000),
    markets: ["SE", "NO"], surfaces: ["radio", "home"], tiers: ["free", "premium"],
    segments: ["gym-goers"],
    caps: [
      CapRule(scope: .userCampaign, limit: 3, windowSeconds: 604_800),
      CapRule(scope: .userArtist, limit: 5, windowSeconds: 86_400),
    ], pacing: .traffic, minimumExposures: 0, exploration: .none)

  @Test func theExampleGivesItsValues() throws {
    let document = try FileFixture.parse(CampaignFileTests.example)
    #expect(
      document.policy
        == DocumentPolicy(
          currency: "USD",
          boost: BoostRule(
            scaleMicros: 1_000, surfaces: ["radio": SurfaceBoost(weight: 1, cap: 1)]),
          holdout: HoldoutRule(salt: "2026q4", controlBuckets: 200)))
    #expect(document.campaigns == [CampaignFileTests.exampleCampaign])
    #expect(document.places.map(\.line) == [5])
    #expect(document.places.map(\.budgetLine) == [8])
    #expect(document.currencyLine == 1)
  }

  @Test func jsonIsYAML() throws {
    let json = """
      {"currency": "USD",
       "campaigns": [
        {"id": "summer-drop", "items": ["spotify:track:…"],
         "flight": {"start": "2026-12-01T01:00:00+01:00", "end": "2026-12-31T00:00:00.000Z"},
         "budget": {"amount": "2500"}, "cost": {"per": "exposure", "amount": "0.015"},
         "worth": {"per": "goal", "amount": "0.4"}, "markets": ["SE", "NO"],
         "surfaces": ["radio", "home"], "tiers": ["free", "premium"], "segments": ["gym-goers"],
         "caps": [{"scope": "user_campaign", "limit": 3, "window": "168h"},
                  {"scope": "user_artist", "limit": 5, "window": "1440m"}]}]}
      """
    let document = try FileFixture.parse(json)
    #expect(document.campaigns == [CampaignFileTests.exampleCampaign])
    #expect(document.places.map(\.line) == [3])
    #expect(document.policy == DocumentPolicy(currency: "USD"))
  }

  @Test func whatIsAbsentIsNil() throws {
    let document = try FileFixture.parse(FileFixture.text(Array(FileFixture.lines[3...])))
    #expect(document.policy == DocumentPolicy())
    #expect(document.currencyLine == nil)
    let winter = document.campaigns[1]
    #expect(winter.markets == nil)
    #expect(winter.caps == [])
    #expect(winter.budget == Micros(10_000_000))
    #expect(document.places.map(\.line) == [2, 16])
  }

  @Test func aPolicyMayStandAlone() throws {
    let document = try FileFixture.parse("holdout: {salt: a, percent: 0}\n")
    #expect(document.campaigns.isEmpty)
    #expect(document.policy.holdout == HoldoutRule(salt: "a", controlBuckets: 0))
  }

  /// In parts or in one piece: the same.
  @Test(arguments: [
    ["campaigns:", "\"campaigns\":"],
    ["  - id: winter", "  -\n    id: winter"], ["campaigns:", "campaigns:  # all of them"],
    ["  - id: winter", "# a comment\n\n  - id: winter"],
    ["currency: USD", "--- # one\ncurrency: USD"],
    ["currency: USD", "\u{FEFF}currency: USD"], ["campaigns:", "campaigns:\r"],
  ])
  func waysToWriteIt(_ replacement: [String]) throws {
    let text = FileFixture.text.replacing(replacement[0] + "\n", with: replacement[1] + "\n")
    #expect(text.utf8.count != FileFixture.text.utf8.count)
    let expected = try FileFixture.parse(FileFixture.text)
    let document = try FileFixture.parse(text)
    #expect(document.campaigns == expected.campaigns)
    #expect(document.policy == expected.policy)
  }

  @Test func dashesInTheFirstColumnAndKeysBehind() throws {
    let moved = FileFixture.lines[4...].map { String($0.dropFirst(2)) }
    let text = FileFixture.text(["campaigns:"] + moved + FileFixture.lines[..<3])
    let document = try FileFixture.parse(text)
    let expected = try FileFixture.parse(FileFixture.text)
    #expect(document.campaigns == expected.campaigns)
    #expect(document.policy == expected.policy)
    #expect(document.currencyLine == 26)
    #expect(document.places.map(\.line) == [2, 16])
  }

  @Test func manyCampaignsAreReadInParts() throws {
    let count = 2_000
    var lines = Array(FileFixture.lines[..<4])
    for index in 0..<count {
      lines.append("  - id: c\(index)")
      lines += FileFixture.lines[5..<10]
    }
    let document = try FileFixture.parse(FileFixture.text(lines))
    #expect(document.campaigns.map(\.id) == (0..<count).map { "c\($0)" })
    #expect(document.places.map(\.line) == (0..<count).map { 5 + 6 * $0 })
    #expect(FileFixture.text(lines).utf8.count > 2 * Limits.campaignPartBytes)
    lines[4 + 6 * 1_500 + 3] = "    budget: {amount: \"-1\"}"
    let faults = FileFixture.faults(FileFixture.text(lines))
    #expect(faults.map(\.line) == [5 + 6 * 1_500 + 3])
    #expect(faults.map(\.field) == ["campaigns[1500].budget.amount"])
  }
}
