import Core
import Ledger

/// What must be true, kept in the plainest way from what callers were told, not from the journal.
struct PlainAccount {
  enum Fact {
    case funded(campaign: UInt64, to: Int64)
    case reserved(PlacementClaim)
    case released(UInt64)
    case paid(PlacementClaim)
    case unpaid(PlacementClaim)
    case goal(UInt64)
  }

  struct Campaign: Equatable {
    var funded: Int64 = 0
    var spent: Int64 = 0
    var reserved: Int64 = 0
    var exposures: Int64 = 0
    var unpaid: Int64 = 0
  }

  private(set) var campaigns: [UInt64: Campaign] = [:]
  private(set) var open: [UInt64: PlacementClaim] = [:]
  private(set) var exposed: Set<UInt64> = []
  private(set) var paid: Set<UInt64> = []
  private(set) var goals: Set<UInt64> = []
  /// What cannot be, in words.
  private(set) var wrongs: [String] = []

  var exposures: Int64 { campaigns.values.reduce(0) { $0 + $1.exposures } }

  mutating func take(_ fact: Fact) {
    switch fact {
    case .funded(let campaign, let to): campaigns[campaign, default: Campaign()].funded = to
    case .reserved(let claim):
      if open.updateValue(claim, forKey: claim.reservation) != nil {
        wrongs.append("reserved twice")
      }
      campaigns[claim.placement.campaign, default: Campaign()].reserved +=
        claim.placement.amount.value
    case .released(let id):
      guard let claim = open.removeValue(forKey: id) else {
        return wrongs.append("released what is not open")
      }
      campaigns[claim.placement.campaign]?.reserved -= claim.placement.amount.value
    case .paid(let claim):
      if !exposed.insert(claim.reservation).inserted { wrongs.append("paid twice") }
      paid.insert(claim.reservation)
      let key = claim.placement.campaign
      if open.removeValue(forKey: claim.reservation) != nil {
        campaigns[key]?.reserved -= claim.placement.amount.value
      }
      campaigns[key]?.spent += claim.placement.amount.value
      campaigns[key]?.exposures += 1
    case .unpaid(let claim):
      if !exposed.insert(claim.reservation).inserted { wrongs.append("paid and unpaid") }
      campaigns[claim.placement.campaign]?.unpaid += claim.placement.amount.value
    case .goal(let id):
      if !goals.insert(id).inserted { wrongs.append("a goal twice") }
      if !exposed.contains(id) { wrongs.append("a goal without an exposure") }
    }
  }

  /// Where `totals` say otherwise; empty = nowhere.
  func disagreements(_ totals: [CampaignTotals]) -> [String] {
    var found = wrongs
    for total in totals {
      let own = campaigns[total.campaign, default: Campaign()]
      let theirs = Campaign(
        funded: total.funded.value, spent: total.spent.value, reserved: total.reserved.value,
        exposures: total.exposures, unpaid: total.unpaid.value)
      if own != theirs { found.append("campaign \(total.campaign): \(own) but \(theirs)") }
      if own.spent + own.reserved > own.funded { found.append("\(total.campaign) is overspent") }
    }
    if totals.count != campaigns.count { found.append("\(totals.count) campaigns") }
    return found
  }
}
