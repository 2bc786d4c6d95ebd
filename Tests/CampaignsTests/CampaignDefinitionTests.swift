import Core
import Testing

@testable import Campaigns

@Suite struct CampaignDefinitionTests {
  private func all(_ ids: String, isPaused: Bool = false) -> [CampaignDefinition] {
    ids.map { id in
      CampaignDefinition(
        campaign: Campaign(
          id: String(id), items: ["0"], flight: 0..<10, budget: Micros(1), cost: .zero,
          worth: .zero),
        key: UInt64(id.asciiValue ?? 0), isPaused: isPaused)
    }
  }

  @Test(arguments: [
    ("", "", ""), ("abc", "", "abc"), ("", "cab", "ABC"), ("ac", "b", "aBc"), ("abc", "b", "aBc"),
    ("bd", "eca", "AbCdE"), ("abc", "cba", "ABC"), ("abc", "zx", "abcXZ"), ("bcd", "a", "Abcd"),
  ])
  func replacing(here: String, changed: String, after: String) {
    let next = all(here).replacing(with: all(changed, isPaused: true))
    let text = next.map { $0.isPaused ? $0.campaign.id.uppercased() : $0.campaign.id }.joined()
    #expect(text == after)
  }

  @Test func aPauseKeepsTheRest() {
    let one = all("a")[0]
    let paused = one.paused(true)
    #expect(paused.isPaused && !one.isPaused)
    #expect(paused.campaign == one.campaign && paused.key == one.key)
  }
}
