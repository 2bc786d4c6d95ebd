import Core
import Testing

@testable import Campaigns

@Suite struct StoredDefinitionTests {
  private func definitions() throws -> [StoredDefinition] {
    try CampaignFile.parse(FileFixture.text, catalog: FileFixture.catalog, now: FileFixture.now)
      .campaigns.map {
        StoredDefinition(
          id: $0.id, document: CampaignFile.text(policy: DocumentPolicy(), campaigns: [$0]))
      }
  }

  @Test func whatIsStoredIsReadInItsOrder() throws {
    let all = try definitions()
    #expect(all.map(\.id) == ["summer-drop", "winter"])
    #expect(try CampaignFile.stored(all).map(\.id) == all.map(\.id))
    #expect(try CampaignFile.stored(all.reversed()).map(\.id) == ["winter", "summer-drop"])
    #expect(try CampaignFile.stored([]).isEmpty)
  }

  /// None of them may vanish among the others, whatever became of it.
  @Test(arguments: [
    ("", "line 1: there is nothing in it"),
    ("campaigns:\n", "line 1"),
    ("campaigns: []\n", "line 1"),
    ("campaigns:\n  - id: [", "line"),
    ("campaigns:\n# gone\n", "line 1"),
    ("garbage", "line 1"),
    ("currency: EUR\n", "there is no campaign in it"),
  ])
  func aBrokenDefinitionIsNamed(document: String, reason: String) throws {
    for place in 0..<2 {
      var all = try definitions()
      let id = all[place].id
      all[place].document = document
      let error = #expect(throws: StoredDefinitionFault.self) { try CampaignFile.stored(all) }
      #expect(error?.id == id, "\(String(describing: error))")
      #expect(error?.reason.hasPrefix(reason) == true, "\(String(describing: error))")
      let said = "the stored definition of campaign \(id) cannot be read: "
      #expect(error?.description.hasPrefix(said) == true)
    }
  }

  @Test func aDefinitionOfAnotherIsNamed() throws {
    var all = try definitions()
    all[0].document = all[1].document
    let error = #expect(throws: StoredDefinitionFault.self) { try CampaignFile.stored(all) }
    #expect(error == StoredDefinitionFault(id: "summer-drop", reason: "it is of \"winter\""))
    all = try definitions()
    all[0].document += all[1].document.dropFirst(CampaignFile.head.count)
    let two = #expect(throws: StoredDefinitionFault.self) { try CampaignFile.stored(all) }
    #expect(two?.reason == "it is of \"summer-drop\" and \"winter\"")
  }

  @Test func aPolicyIsReadOrRefused() throws {
    let policy = try CampaignFile.storedPolicy("currency: EUR\n", after: nil)
    #expect(policy.currency == "EUR")
    for broken in ["", "boost: {scale_micros: 1000}\n", "currency: [", "garbage"] {
      let error = #expect(throws: StoredDefinitionFault.self) {
        try CampaignFile.storedPolicy(broken, after: nil)
      }
      #expect(error?.id == nil && error?.reason != "")
      #expect(error?.description.hasPrefix("the stored policy cannot be read: ") == true)
    }
  }
}
