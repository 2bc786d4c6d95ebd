import Campaigns
import Core
import Testing

@Suite struct CampaignWarningTests {
  private func warnings(_ number: Int, _ line: String, hasItem: ((String) -> Bool)? = nil) throws
    -> [FileFault]
  {
    let document = try FileFixture.parse(FileFixture.text(number, line))
    return CampaignWarnings.of(document, hasItem: hasItem)
  }

  @Test func itemsThatTheSnapshotDoesNotHave() throws {
    let document = try FileFixture.parse(FileFixture.text)
    #expect(CampaignWarnings.of(document, hasItem: { _ in true }).isEmpty)
    #expect(CampaignWarnings.of(document, hasItem: nil).isEmpty)
    let found = CampaignWarnings.of(document) { $0 == "77" }
    #expect(found.map(\.field) == ["campaigns[0].items", "campaigns[1].items"])
    #expect(found.map(\.line) == [5, 19])
    #expect(
      found[0].reason == "1 of 2 items are not in the snapshot that is served, and get no boost: "
        + "\"spotify:track:1\"")
    let many = (1...9).map { "\($0)" }.joined(separator: ", ")
    let warning = try #require(
      try warnings(6, "    items: [\(many)]", hasItem: { $0.hasPrefix("s") }).first)
    #expect(warning.reason.hasPrefix("9 of 9 items"))
    #expect(warning.reason.hasSuffix(": \"1\", \"2\", \"3\", \"4\", \"5\", …"))
  }

  @Test(arguments: [
    ("limit: 5, window: 1d", "limit: 3, window: 7d", 0),
    ("limit: 3, window: 7d", "limit: 3, window: 1d", 1),
  ]) func capsThatAreNeverReached(first: String, second: String, idle: Int) throws {
    let scope = "scope: user_campaign"
    let found = try warnings(15, "    caps: [{\(scope), \(first)}, {\(scope), \(second)}]")
    #expect(found.map(\.field) == ["campaigns[0].caps[\(idle)]"])
    #expect(found.first?.reason.hasSuffix("3 in 7d of the same scope comes first") == true)
  }

  @Test(arguments: [
    "{scope: user_campaign, limit: 1, window: 1d}, {scope: user_campaign, limit: 3, window: 7d}",
    "{scope: user_artist, limit: 5, window: 1d}, {scope: user_campaign, limit: 3, window: 7d}",
    "{scope: user_campaign, limit: 3, window: 1d}, {scope: user_campaign, limit: 4, window: 7d}",
  ]) func capsThatMayBeReached(caps: String) throws {
    #expect(try warnings(15, "    caps: [\(caps)]").isEmpty)
  }
}
