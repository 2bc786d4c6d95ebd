internal import Campaigns
internal import Core

/// Campaigns as owners draw them up, and change them.
enum CampaignDraw {
  private static let costs: [Int64] = [0, 7, 999, 15_500, 250_000]
  private static let exposures: [Int64] = [3, 40, 1_000, 20_000, 200_000]
  private static let year: Int64 = 365 * 86_400_000

  static func campaign(_ number: Int, _ random: inout SplitMix64) -> Campaign {
    let cost = costs[random.below(costs.count)]
    let start = random.below(Int(SimulatedDesk.rowCount))
    let count = 4 + random.below(16)
    let items = (0..<count).map { String((start + 5 * $0) % Int(SimulatedDesk.rowCount) + 1) }
    return Campaign(
      id: "campaign-\(1_000 + number)", items: Array(Set(items)).sorted(),
      flight: (1_775_000_000_000 - year)..<(1_775_000_000_000 + year),
      budget: budget(cost, &random), cost: Micros(cost), worth: Micros(40 * cost + 1_000),
      markets: random.isOne(in: 5) ? ["DE"] : nil, caps: caps(&random))
  }

  private static func budget(_ cost: Int64, _ random: inout SplitMix64) -> Micros {
    let times = exposures[random.below(exposures.count)]
    return Micros(cost * times + Int64(random.below(Int(cost) + 10)) + 1)
  }

  private static func caps(_ random: inout SplitMix64) -> [CapRule] {
    guard !random.isOne(in: 3) else { return [] }
    return (0..<(1 + random.below(3))).map { _ in
      CapRule(
        scope: CapScope.allCases[random.below(3)],
        limit: UInt32(random.isOne(in: 8) ? 9 + random.below(8) : 1 + random.below(8)),
        windowSeconds: UInt32([1, 20, 90, 600, 3_600][random.below(5)]))
    }
  }

  /// Another budget, larger or smaller; sometimes another cost.
  static func change(_ campaign: inout Campaign, _ random: inout SplitMix64) {
    if random.isOne(in: 6) {
      let cost = costs[1 + random.below(costs.count - 1)]
      if Micros(cost) < campaign.budget { campaign.cost = Micros(cost) }
    }
    if random.isOne(in: 3) {
      campaign.budget = budget(campaign.cost.value, &random)
    } else {
      campaign.budget.value += campaign.cost.value * exposures[random.below(4)] + 3
    }
  }
}
