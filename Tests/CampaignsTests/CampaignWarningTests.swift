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

  private func over(_ stored: [Campaign], _ document: CampaignDocument) -> [FileFault] {
    CampaignWarnings.of(
      document, stored: { id in stored.first { $0.id == id } }, all: { stored }, hasItem: nil)
  }

  private static func caps(_ text: String) -> String { "    caps: [\(text)]" }

  /// What is applied over what is stored, in `user_campaign` and `user_artist`: a new cap counts
  /// from now on, a longer one looks back no further than was kept.
  @Test(
    arguments: [
      ("", "limit: 1, window: 7d", "1 in 7d counts exposures from now on: none was counted for it"),
      (
        "limit: 1, window: 2s", "limit: 1, window: 7d", "1 in 7d looks back no further than 2s from"
      ),
      (
        "limit: 2, window: 1d", "limit: 8, window: 2d", "8 in 2d looks back no further than 1d from"
      ),
      ("limit: 2, window: 1d", "limit: 9, window: 1d", "9 in 1d counts exposures from now on"),
      ("limit: 9, window: 1d", "limit: 9, window: 2d", "9 in 2d counts exposures from now on"),
      ("limit: 9, window: 1d", "limit: 2, window: 1d", "2 in 1d counts exposures from now on"),
      ("limit: 2, window: 1d", "limit: 1, window: 1d", nil),
      ("limit: 1, window: 1d", "limit: 8, window: 12h", nil),
      ("limit: 9, window: 1d", "limit: 20, window: 1d", nil),
      ("limit: 1, window: 1d", "", nil),
    ] as [(String, String, String?)])
  func capsThatLookBackNoFurther(before: String, after: String, reason: String?) throws {
    for scope in ["user_campaign", "user_artist"] {
      func line(_ rule: String) -> String? {
        rule.isEmpty ? nil : Self.caps("{scope: \(scope), \(rule)}")
      }
      let stored = try FileFixture.parse(FileFixture.text(15, line(before))).campaigns
      let document = try FileFixture.parse(FileFixture.text(15, line(after)))
      let found = over(stored, document)
      guard let reason else {
        #expect(found.isEmpty, "\(scope)")
        continue
      }
      #expect(found.map(\.field) == ["campaigns[0].caps[0]"], "\(scope)")
      #expect(found.first?.reason.hasPrefix(reason) == true, "\(found)")
      // Again, it is as it was; and nothing was placed before there was a campaign.
      #expect(over(document.campaigns, document).isEmpty)
      #expect(over([], document).isEmpty)
    }
  }

  @Test func otherCampaignsCountTheSameArtists() throws {
    let artist = "{scope: user_artist, limit: 2, window: 7d}"
    let document = try FileFixture.parse(FileFixture.text(15, Self.caps(artist)))
    let other = Array(document.campaigns.dropFirst())
    let found = over(other, document)
    #expect(found.first?.reason.hasPrefix("2 in 7d counts exposures from now on") == true)
    var counting = try #require(document.campaigns.first)
    counting.id = "another"
    #expect(over(other + [counting], document).isEmpty)
    // Of its own exposures a new campaign has none.
    let own = try FileFixture.parse(FileFixture.text)
    #expect(over(other, own).isEmpty)
  }
}
