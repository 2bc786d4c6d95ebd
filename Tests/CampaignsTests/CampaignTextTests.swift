import Campaigns
import Core
import Testing

@Suite struct CampaignTextTests {
  @Test func theExampleIsWrittenAgain() throws {
    let document = try FileFixture.parse(CampaignFileTests.example)
    let text = CampaignFile.text(policy: document.policy, campaigns: document.campaigns)
    #expect(
      text == """
        currency: USD
        boost: {scale_micros: 1000, surfaces: {"radio": {weight: 1.0, cap: 1.0}}}
        holdout: {salt: "2026q4", percent: 2.00}
        campaigns:
          - id: "summer-drop"
            items: ["spotify:track:…"]
            flight: {start: 2026-12-01T00:00:00Z, end: 2026-12-31T00:00:00Z}
            budget: {amount: "2500.00"}
            cost: {per: exposure, amount: "0.015"}
            worth: {per: goal, amount: "0.40"}
            markets: ["SE", "NO"]
            surfaces: ["radio", "home"]
            tiers: ["free", "premium"]
            segments: ["gym-goers"]
            caps: [{scope: user_campaign, limit: 3, window: 7d}, \
        {scope: user_artist, limit: 5, window: 1d}]

        """)
  }

  @Test func nothingIsWrittenForNothing() {
    #expect(CampaignFile.text(policy: DocumentPolicy(), campaigns: []) == "")
  }

  /// What may stand in a file comes back from the text that is written of it, to the bit.
  @Test(arguments: 0..<40)
  func randomDocumentsComeBack(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    for _ in 0..<25 {
      let ids = Set((0..<Int.random(in: 1...4, using: &random)).map { _ in random.id() })
      let policy = random.policy()
      let campaigns = ids.sorted().map { random.campaign($0) }
      let text = CampaignFile.text(policy: policy, campaigns: campaigns)
      let document = try CampaignFile.parse(text, catalog: .unknown, now: RFC3339.range.lowerBound)
      #expect(document.policy == policy)
      #expect(document.campaigns == campaigns)
    }
  }
}

/// Definitions that a file may hold.
extension SplitMix64 {
  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

  mutating func maybe<T>(_ value: (inout SplitMix64) -> T) -> T? {
    below(2) == 0 ? value(&self) : nil
  }

  mutating func id() -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789-")
    return String((0..<(1 + below(64))).map { _ in letters[below(letters.count)] })
  }

  /// Whatever a name may hold, YAML's own signs above all.
  mutating func name() -> String {
    let letters = Array("abzAZ09-_:/.?=&*!|>'\"\\%@`#,[]{}~ é音🎵\u{300}")
    let text = String((0..<(1 + below(12))).map { _ in letters[below(letters.count)] })
    return below(10) == 0 ? ["null", "~", "yes", "1e3", "- a", "a: b", "#"][below(7)] : text
  }

  mutating func names() -> [String] {
    var names: [String] = []
    for _ in 0...below(4) {
      let name = name()
      if !names.contains(name) { names.append(name) }
    }
    return names
  }

  mutating func items() -> [String] {
    var items: [String] = []
    for _ in 0...below(6) {
      let uri = "u:" + name().replacing(" ", with: "+")
      let item = below(2) == 0 ? "\(UInt64.random(in: 1...(.max), using: &self))" : uri
      if !items.contains(item) { items.append(item) }
    }
    return items
  }

  mutating func policy() -> DocumentPolicy {
    DocumentPolicy(
      currency: maybe { _ in "SEK" },
      boost: maybe { random in
        var surfaces: [String: SurfaceBoost] = [:]
        for name in random.names() {
          surfaces[name] = SurfaceBoost(weight: random.factor(), cap: random.factor())
        }
        return BoostRule(
          scaleMicros: .random(in: 1...(.max), using: &random),
          surfaces: random.below(2) == 0 ? [:] : surfaces)
      },
      holdout: maybe { HoldoutRule(salt: $0.name(), controlBuckets: $0.below(10_001)) })
  }

  mutating func factor() -> Double {
    let factor = Double(bitPattern: next() & (.max >> 1))
    return factor.isFinite ? factor : [0, 1, 0.1, 1e22, .leastNonzeroMagnitude][below(5)]
  }

  mutating func campaign(_ id: String) -> Campaign {
    let budget = Int64.random(in: 1...(.max), using: &self) >> below(60)
    let cost = Int64.random(in: 0...max(1, budget), using: &self) >> below(60)
    let length = Int64.random(in: 1...Limits.campaignFlightMilliseconds, using: &self)
    let last = RFC3339.range.upperBound - length
    let start = Int64.random(in: RFC3339.range.lowerBound...last, using: &self)
    let step: Int64 = below(2) == 0 ? 1 : 1_000
    var caps: [CapRule] = []
    for (scope, window) in [
      (CapScope.userCampaign, 7_776_000), (.userArtist, 1), (.userRelease, 90),
    ]
    where below(2) == 0 {
      let limit = UInt32.random(in: 1...(.max), using: &self)
      caps.append(CapRule(scope: scope, limit: limit, windowSeconds: UInt32(1 + below(window))))
    }
    let most = cost == 0 ? 0 : max(1, budget) / cost
    return Campaign(
      id: id, items: items(), flight: (start / step * step)..<(start / step * step + length),
      budget: Micros(max(1, budget)), cost: Micros(cost),
      worth: Micros(.random(in: 0...(.max), using: &self)),
      markets: maybe { _ in ["SE", "NO"] }, surfaces: maybe { $0.names() },
      tiers: maybe { $0.names() }, segments: maybe { $0.names() }, caps: caps,
      pacing: PacingMode.allCases[below(3)],
      minimumExposures: below(2) == 0 ? 0 : .random(in: 0...most, using: &self),
      exploration: Exploration.allCases[below(2)])
  }
}
