import Campaigns
import Core
import Testing

@Suite struct ItemFileTests {
  static let text = FileFixture.text(6, "    items_file: lists/summer.txt")

  static func reading(_ list: String) -> CampaignFile.ItemFile {
    { path throws(CampaignFile.ItemFileFailure) in
      guard path == "lists/summer.txt" else {
        throw CampaignFile.ItemFileFailure(reason: "no such file")
      }
      return list
    }
  }

  @Test func itemsTakeTheirPlace() throws {
    let list = "# ours\nspotify:track:1\r\n\n  77   # that one\nspotify:track:a#b\n"
    let document = try FileFixture.parse(
      ItemFileTests.text, itemFile: ItemFileTests.reading(list))
    #expect(document.campaigns[0].items == ["spotify:track:1", "77", "spotify:track:a#b"])
  }

  @Test func faultsNameBothLines() {
    let faults = FileFixture.faults(
      ItemFileTests.text, itemFile: ItemFileTests.reading("u:1\nx\n\nu:1\n"))
    #expect(faults.map(\.line) == [6, 6])
    #expect(faults.map(\.field) == ["campaigns[0].items_file", "campaigns[0].items_file"])
    #expect(faults[0].reason == "lists/summer.txt:2: \"x\" is neither a URI nor a decimal id")
    #expect(faults[1].reason == "lists/summer.txt:4: \"u:1\" stands twice, first in line 1")
  }

  @Test(arguments: [
    ("lists/other.txt", "no such file"), ("/etc/passwd", "beside the campaign file"),
    ("../x", "beside the campaign file"), ("a/../../x", "beside the campaign file"),
    ("\"\"", "empty"), ("[a]", "single value"),
  ])
  func filesElsewhereAreNotRead(_ path: String, _ reason: String) {
    let faults = FileFixture.faults(
      FileFixture.text(6, "    items_file: \(path)"), itemFile: ItemFileTests.reading("u:1"))
    #expect(faults.map(\.line) == [6])
    #expect(faults.map(\.field) == ["campaigns[0].items_file"])
    #expect(faults.first?.reason.contains(reason) == true, "\(faults)")
  }

  @Test func aListWithoutItemsIsAFault() {
    let faults = FileFixture.faults(
      ItemFileTests.text, itemFile: ItemFileTests.reading("# none\n"))
    #expect(faults.map(\.reason) == ["lists/summer.txt has no item in it"])
  }

  @Test func notBoth() {
    let text = FileFixture.text(6, "    items: [1]\n    items_file: lists/summer.txt")
    let faults = FileFixture.faults(text, itemFile: ItemFileTests.reading("u:1"))
    #expect(faults.map(\.line) == [7])
    #expect(faults.map(\.field) == ["campaigns[0].items_file"])
  }

  /// What is written for the server needs no file any more.
  @Test func theServersTextHasTheItems() throws {
    let document = try FileFixture.parse(
      ItemFileTests.text, itemFile: ItemFileTests.reading("u:1\nu:2\nu:3\nu:4\n"))
    let text = CampaignFile.text(policy: document.policy, campaigns: document.campaigns)
    let again = try FileFixture.parse(text)
    #expect(again.campaigns == document.campaigns)
    #expect(again.policy == document.policy)
  }
}
