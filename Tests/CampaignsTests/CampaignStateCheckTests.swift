import Campaigns
import Core
import Testing

@Suite struct CampaignStateCheckTests {
  static func check(
    currency: String? = "USD", committed: [String: Int64] = [:], holders: [UInt64: String] = [:],
    counts: [String: Int] = [:], campaigns: Int = 0, items: Int = 0,
    digest: @escaping ([UInt8]) -> [UInt8] = { $0 + [0, 0, 0, 0, 0, 0, 0, 0] }
  ) -> CampaignStateCheck {
    CampaignStateCheck(
      policy: currency.map { CampaignPolicy(currency: $0) }, campaignsStored: campaigns,
      itemsStored: items, committed: { committed[$0].map(Micros.init) }, holder: { holders[$0] },
      itemCount: { counts[$0] }, digest: digest)
  }

  static func faults(
    _ check: CampaignStateCheck, _ text: String = FileFixture.text
  ) throws -> [FileFault] {
    check.faults(try FileFixture.parse(text))?.kept ?? []
  }

  @Test func aDocumentThatFitsHasNone() throws {
    #expect(try CampaignStateCheckTests.faults(CampaignStateCheckTests.check()) == [])
    let first = CampaignStateCheckTests.check(currency: nil)
    #expect(try CampaignStateCheckTests.faults(first) == [])
  }

  @Test func anotherCurrency() throws {
    let text = FileFixture.text(1, "\ncurrency: SEK")
    let faults = try CampaignStateCheckTests.faults(CampaignStateCheckTests.check(), text)
    #expect(faults.map(\.line) == [2])
    #expect(faults.map(\.field) == ["currency"])
    #expect(faults.first?.reason.contains("SEK is not the server's currency, USD") == true)
  }

  @Test func noCurrencyAtAll() throws {
    let check = CampaignStateCheckTests.check(currency: nil)
    let faults = try CampaignStateCheckTests.faults(check, FileFixture.text(1, nil))
    #expect(faults.map(\.field) == ["currency"])
    #expect(faults.map(\.line) == [1])
  }

  @Test func aBudgetBelowWhatIsCommitted() throws {
    let fits = CampaignStateCheckTests.check(committed: ["winter": 10_000_000])
    #expect(try CampaignStateCheckTests.faults(fits) == [])
    let over = CampaignStateCheckTests.check(committed: ["winter": 10_000_001])
    let faults = try CampaignStateCheckTests.faults(over)
    #expect(faults.map(\.line) == [26])
    #expect(faults.map(\.field) == ["campaigns[1].budget.amount"])
    #expect(faults.first?.reason.contains("10.00 is below") == true)
    #expect(faults.first?.reason.contains("10.000001") == true)
  }

  @Test func aKeyThatAnotherIdHas() throws {
    // w i n t e r 0 0, little-endian.
    let key: UInt64 = 0x0000_7265_746E_6977
    let own = CampaignStateCheckTests.check(holders: [key: "winter"])
    #expect(try CampaignStateCheckTests.faults(own) == [])
    let taken = CampaignStateCheckTests.check(holders: [key: "spring"])
    let faults = try CampaignStateCheckTests.faults(taken)
    #expect(faults.map(\.line) == [19])
    #expect(faults.map(\.field) == ["campaigns[1].id"])
    #expect(faults.first?.reason.contains("\"spring\"") == true)
  }

  @Test func twoIdsOfADocumentWithOneKey() throws {
    let check = CampaignStateCheckTests.check(digest: { _ in Array(repeating: 7, count: 32) })
    let faults = try CampaignStateCheckTests.faults(check)
    #expect(faults.map(\.line) == [19])
    #expect(faults.first?.reason.contains("\"summer-drop\"") == true)
  }

  @Test func theKeyIsTheFirstEightBytesLittleEndian() {
    #expect(CampaignKey.of("x") { _ in Array(1...32) } == 0x0807_0605_0403_0201)
  }

  @Test func aServerHasRoomForSoMany() throws {
    let full = CampaignStateCheckTests.check(
      counts: ["winter": 2], campaigns: Limits.campaigns - 1, items: Limits.campaignItems - 2)
    #expect(try CampaignStateCheckTests.faults(full) == [])
    let over = CampaignStateCheckTests.check(
      campaigns: Limits.campaigns - 1, items: Limits.campaignItems - 3)
    let faults = try CampaignStateCheckTests.faults(over)
    #expect(faults.map(\.line) == [19, 19])
    #expect(faults.map(\.field) == ["campaigns", "campaigns"])
  }
}
