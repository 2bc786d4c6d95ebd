import Core
import Glibc
import Testing

@testable import Campaigns

@Suite struct CampaignSetTests {
  private func campaign(_ id: String, items: [String] = ["1"]) -> Campaign {
    Campaign(
      id: id, items: items, flight: 0..<10, budget: Micros(1), cost: .zero, worth: .zero)
  }

  private func compile(
    _ campaigns: [Campaign], keys: [UInt64]? = nil
  ) throws(CampaignSetError) -> CampaignSet {
    let entries = campaigns.enumerated().map {
      CampaignDefinition(
        campaign: $0.element, key: keys?[$0.offset] ?? UInt64($0.offset + 1), isPaused: false)
    }
    return try CampaignSet(
      entries, policy: CampaignPolicy(currency: "USD"),
      catalog: CampaignCatalog(rowCount: 5, row: { Int32($0) }))
  }

  @Test func indexesGoById() throws {
    let set = try compile([campaign("b"), campaign("a"), campaign("a0")])
    #expect(set.ids == ["a", "a0", "b"])
    #expect(set.index(ofID: "b") == 2 && set.index(ofID: "aa") == nil && set.index(ofID: "") == nil)
    #expect(set.index(ofKey: 1) == 2 && set.index(ofKey: 9) == nil && set.key(0) == 2)
    #expect(try compile([]).campaigns(ofRow: 1).isEmpty)
  }

  @Test func whatCannotBeServedTogetherIsRefused() {
    #expect(throws: CampaignSetError.idTwice("a")) { try compile([campaign("a"), campaign("a")]) }
    #expect(throws: CampaignSetError.keyTwice("b")) {
      try compile([campaign("a"), campaign("b")], keys: [7, 7])
    }
    let many = (0...Limits.campaignsPerItem).map { campaign("c\(1_000 + $0)") }
    #expect(throws: CampaignSetError.tooManyCampaignsOfItem(row: 1, campaign: "c1256")) {
      try compile(many)
    }
    var named = campaign("a")
    named.surfaces = (0...Limits.campaignNames).map { "s\($0)" }
    #expect(throws: CampaignSetError.tooManyNames(kind: "surfaces", Limits.campaignNames + 1)) {
      try compile([named])
    }
  }

  @Test func itemsThatTheCatalogHasNotAreLeftOut() throws {
    let set = try compile([campaign("a", items: ["4", "5", "-1", "x", "4"]), campaign("b")])
    #expect(set.itemsKnown == [1, 1])
    #expect(set.campaigns(ofRow: 4).map { $0 } == [0] && set.campaigns(ofRow: 5).isEmpty)
    #expect(set.campaigns(ofRow: -1).isEmpty)
  }

  @Test func segmentsOfARequestAreBounded() throws {
    let board = try BoostWorld().board
    var request = BoostWorld.Request()
    request.segments = (0..<Limits.requestSegments).map { "s\($0)" }
    try request.with(board) { #expect($0.audience.segmentCount == 1) }
    request.segments.append("more")
    #expect(throws: TooManySegments.self) { try request.with(board) { _ in } }
  }

  @Test func armsGoByBucket() {
    let rule = HoldoutRule(salt: "2026q4", controlBuckets: 200)
    #expect(rule.arm(user: 5, bucket: 199) == .control)
    #expect(rule.arm(user: 5, bucket: 200) == .treated)
    #expect(rule.arm(user: 0, bucket: 9_999) == .control)
    #expect(
      rule.message(user: 0x0102_0304_0506_0708) == Array("2026q4".utf8) + [
        0, 8, 7, 6, 5, 4, 3, 2, 1,
      ])
    #expect(HoldoutRule.bucket(digestStart: 1_234_567) == 4_567)
    #expect(HoldoutArm.control.text.description == "holdout:control")
    #expect(HoldoutArm.treated.text.description == "holdout:treated")
    #expect(HoldoutArm.none.text.utf8CodeUnitCount == 0)
  }

  @Test func flightsAreHalfOpenAtAnyTime() throws {
    var world = BoostWorld()
    world.artists = Array(repeating: nil, count: world.rowCount)
    world.releases = world.artists
    world.campaigns = [campaign("a")]
    world.campaigns[0].flight = -5..<1_790_000_000_000
    let board = try world.board
    for (time, isIn) in [
      (-6, false), (-5, true), (1_789_999_999_999, true), (1_790_000_000_000, false),
      (Int64.max, false), (Int64.min, false),
    ] as [(Int64, Bool)] {
      var request = BoostWorld.Request()
      request.time = time
      try request.with(board) { view in
        let explained = view.explain(row: 1, raw: 0, calibrated: 0.5)
        // It is worth nothing.
        #expect(explained.reason == (isIn ? .worthless : .notInFlight), "\(time)")
      }
    }
  }

  @Test func scopesCountUpToTheirWindow() {
    let times: [UInt32] = [1_000, 900, 0]
    times.withUnsafeBufferPointer { times in
      guard let base = times.baseAddress else { return }
      let records = [ScopeRecord(scope: .userArtist, key: 3, count: 3, deciseconds: base)]
      records.withUnsafeBufferPointer { records in
        let scopes = UserScopes(records)
        func isExhausted(_ limit: UInt32, _ seconds: UInt32, _ now: Int64) -> Bool {
          scopes.isExhausted(
            CapRule(scope: .userArtist, limit: limit, windowSeconds: seconds), key: 3,
            nowDeciseconds: now)
        }
        #expect(isExhausted(2, 10, 1_000) && !isExhausted(2, 10, 1_001))
        #expect(isExhausted(1, 10, 1_100) && !isExhausted(1, 10, 1_101))
        #expect(isExhausted(3, .max, 4_000_000_000) && !isExhausted(4, .max, 1_000))
        #expect(isExhausted(1, 1, 0), "the future counts")
        let other = CapRule(scope: .userRelease, limit: 1, windowSeconds: .max)
        #expect(!scopes.isExhausted(other, key: 3, nowDeciseconds: 1_000))
      }
    }
  }

  @Test(arguments: [(0.1, 0.2), (0.5, 0.5), (1, 1), (2, 8), (40, 3), (3_000, 90_000)])
  func drawsHaveTheMomentsOfBeta(alpha: Double, beta: Double) {
    let posterior = BetaPosterior(priorSuccesses: alpha, priorFailures: beta)
    var random = SplitMix64(seed: 1)
    let count = 40_000
    let draws = (0..<count).map { _ in posterior.sample(using: &random) }
    #expect(draws.allSatisfy { $0 >= 0 && $0 <= 1 })
    let mean = draws.reduce(0, +) / Double(count)
    let variance = draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
    let sum = alpha + beta
    let expected = alpha * beta / (sum * sum * (sum + 1))
    #expect(abs(mean - posterior.mean) < 5 * (expected / Double(count)).squareRoot())
    #expect(abs(variance / expected - 1) < 0.05)
  }

  @Test func logarithmsAndExponentialsAreRight() {
    var random = SplitMix64(seed: 8)
    for _ in 0..<20_000 {
      let x = Double(random.next() >> 12) * 0x1p-40 + 0x1p-60
      let log = Glibc.log(x)
      #expect(abs(Logarithm.natural(x) - log) <= max(8 * log.ulp.magnitude, 0x1p-52))
      let y = -Double(random.next() >> 12) * 0x1p-43
      #expect(abs(Logarithm.exp(y) / Glibc.exp(y) - 1) < 0x1p-50 || y < -708)
    }
    #expect(Logarithm.exp(-800) == 0 && Logarithm.exp(0) == 1 && Logarithm.natural(1) == 0)
  }
}
