import Campaigns
import Testing

@Suite struct CampaignTests {
  @Test func scopesAndModesKeepTheirWords() {
    #expect(CapScope.allCases.map(\.rawValue) == [0, 1, 2])
    #expect(PacingMode.allCases.map(\.rawValue) == ["traffic", "even", "asap"])
    #expect(Exploration.allCases.map(\.rawValue) == ["none", "thompson"])
  }
}
