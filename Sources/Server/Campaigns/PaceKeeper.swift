internal import Allocation
internal import Campaigns
internal import Core
internal import Ledger

/// What pacing says of one campaign.
struct PaceFigures: Sendable {
  var price = 0.0
  /// What would have been spent by now.
  var planned = Micros.zero
  /// Items that the snapshot has.
  var itemsKnown = 0
}

/// Prices and standings of the campaigns in use. On the store's thread, but for `board` before the
/// ledger has started.
final class PaceKeeper: @unchecked Sendable {
  private let clock: Clock
  private(set) var set: CampaignSet?
  private(set) var hasCaps = false
  /// By index in the set.
  private var keys: [UInt64] = []
  private var costs: [Micros] = []
  private var campaigns: [Campaign] = []
  private var isSpent: [Bool] = []

  init(clock: Clock) {
    self.clock = clock
  }

  /// A new set, with the definitions that it was compiled from.
  func use(_ set: CampaignSet, _ definitions: [String: CampaignDesk.Definition]) {
    self.set = set
    let ordered = set.ids.compactMap { definitions[$0] }
    keys = ordered.map(\.key)
    costs = ordered.map(\.campaign.cost)
    campaigns = ordered.map(\.campaign)
    hasCaps = ordered.contains { !$0.campaign.caps.isEmpty }
    isSpent = Array(repeating: false, count: keys.count)
  }

  /// What requests read from now on.
  func board() -> CampaignBoard {
    guard let set else { preconditionFailure("a board of no campaigns") }
    return CampaignBoard(
      set: set,
      standings: keys.indices.map { CampaignStanding(price: 0, isSpent: isSpent[$0]) })
  }

  /// Reckons prices anew; whether anything has changed.
  func tick(_ store: AllocationStore, now: Int64) -> Bool {
    _ = store.takeReserved()
    var hasChanged = false
    for index in keys.indices {
      let totals = store.totals(of: keys[index])
      let left = totals.map { $0.budget + $0.leased } ?? .zero
      let spent = left < costs[index]
      if spent != isSpent[index] {
        isSpent[index] = spent
        hasChanged = true
      }
    }
    return hasChanged
  }

  func figures(of key: UInt64) -> PaceFigures {
    guard let set, let index = set.index(ofKey: key) else { return PaceFigures() }
    return PaceFigures(itemsKnown: Int(set.itemsKnown[Int(index)]))
  }

  func series(of key: UInt64) -> (spent: [Int64], planned: [Int64]) { ([], []) }
}
