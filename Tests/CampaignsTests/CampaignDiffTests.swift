import Campaigns
import Core
import Testing

@Suite struct CampaignDiffTests {
  static let stored = CampaignPolicy(currency: "USD")

  static func changes(
    _ lines: [String], _ policy: CampaignPolicy? = stored, _ stored: [Campaign]
  ) throws -> [CampaignDiff.Change] {
    let document = try FileFixture.parse(FileFixture.text(lines))
    return CampaignDiff.changes(document, policy: policy) { id in stored.first { $0.id == id } }
  }

  @Test func theSameAgainChangesNothing() throws {
    let document = try FileFixture.parse(FileFixture.text)
    let policy = try #require(document.policy.applied(to: nil))
    let changes = CampaignDiff.changes(document, policy: policy) { id in
      document.campaigns.first { $0.id == id }
    }
    #expect(changes.map(\.id) == ["summer-drop", "winter"])
    #expect(changes.allSatisfy { $0.kind == .unchanged && $0.fields.isEmpty })
  }

  @Test func fieldByField() throws {
    let old = try FileFixture.parse(FileFixture.text).campaigns
    var lines = FileFixture.lines
    lines[5] = "    items: [\"spotify:track:1\", 78]"
    lines[7] = "    budget: {amount: \"3000\"}"
    lines[10] = "    markets: [SE]"
    lines[14] = "    pacing: {mode: even}"
    lines[15] = "    exploration: thompson"
    lines[17] = ""
    let changes = try CampaignDiffTests.changes(Array(lines[3...]), .init(currency: "USD"), old)
    #expect(changes.map(\.kind) == [.changed, .unchanged])
    let expected: [(String, String, String)] = [
      ("items", "[\"spotify:track:1\", \"77\"]", "[\"spotify:track:1\", \"78\"]"),
      ("budget.amount", "\"2500.00\"", "\"3000.00\""),
      ("markets", "[\"SE\", \"NO\"]", "[\"SE\"]"),
      ("pacing.mode", "", "even"), ("exploration", "", "thompson"),
      ("caps", "[{scope: user_campaign, limit: 3, window: 7d}]", ""),
    ]
    #expect(changes[0].fields.map(\.field) == expected.map(\.0))
    #expect(changes[0].fields.map(\.before) == expected.map(\.1))
    #expect(changes[0].fields.map(\.after) == expected.map(\.2))
  }

  @Test func whatIsNewIsAddedWithAllFields() throws {
    let changes = try CampaignDiffTests.changes(
      Array(FileFixture.lines[3...]), .init(currency: "USD"), [])
    #expect(changes.map(\.kind) == [.added, .added])
    #expect(
      changes[1].fields.map(\.field) == [
        "items", "flight.start", "flight.end", "budget.amount", "cost.per", "cost.amount",
        "worth.per", "worth.amount",
      ])
    #expect(changes[1].fields.allSatisfy { $0.before == "" && $0.after != "" })
  }

  @Test func thePolicyComesFirst() throws {
    let lines = ["boost: {scale_micros: 2000}", "holdout: {salt: a, percent: 0.5}"]
    let changes = try CampaignDiffTests.changes(lines, .init(currency: "USD"), [])
    #expect(changes.map(\.kind) == [.policy])
    #expect(changes[0].id == "")
    #expect(
      changes[0].fields.map(\.field) == ["boost.scale_micros", "holdout.salt", "holdout.percent"])
    #expect(changes[0].fields.map(\.before) == ["1000", "", ""])
    #expect(changes[0].fields.map(\.after) == ["2000", "\"a\"", "0.50"])
  }

  @Test func longListsAreCounted() throws {
    var old = try FileFixture.parse(FileFixture.text).campaigns[0]
    old.items = (1...10).map { "u:\($0)" }
    var lines = Array(FileFixture.lines[3...17])
    lines[2] = "    items: [u:2, u:11, u:12]"
    let changes = try CampaignDiffTests.changes(lines, .init(currency: "USD"), [old])
    #expect(changes[0].fields.map(\.before) == ["10 items"])
    #expect(changes[0].fields.map(\.after) == ["3 items (2 added, 9 removed)"])
  }

  @Test func aPolicyIsCompletedFromTheServers() {
    var stored = CampaignPolicy(
      currency: "USD", scaleMicros: 5, surfaces: ["home": .init(weight: 2)])
    stored.holdout = HoldoutRule(salt: "a", controlBuckets: 1)
    #expect(DocumentPolicy().applied(to: stored) == stored)
    #expect(DocumentPolicy().applied(to: nil) == nil)
    #expect(DocumentPolicy(currency: "SEK").applied(to: nil) == CampaignPolicy(currency: "SEK"))
    let after = DocumentPolicy(boost: BoostRule(scaleMicros: 7)).applied(to: stored)
    #expect(after?.scaleMicros == 7)
    #expect(after?.surfaces == [:])
    #expect(after?.holdout == stored.holdout)
    #expect(DocumentPolicy(stored).applied(to: nil) == stored)
  }
}
