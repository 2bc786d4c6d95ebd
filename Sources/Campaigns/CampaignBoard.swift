/// What changes of a campaign while it runs.
package struct CampaignStanding: Sendable, BitwiseCopyable {
  /// The pacing price: what a micro of this campaign's budget is worth now. Finite.
  package let price: Double
  /// Bits of `CheckBits`.
  let blocks: UInt16

  /// - Parameters:
  ///   - isOff: boosts nothing, whatever its flight says: reason `notInFlight`.
  ///   - isSpent: cannot pay for one more exposure: reason `budgetSpent`.
  package init(price: Double, isOff: Bool = false, isSpent: Bool = false) {
    precondition(price.isFinite, "a price that is no number")
    self.price = price
    blocks = (isOff ? CheckBits.flight : 0) | (isSpent ? CheckBits.spent : 0)
  }
}

/// What the loop over candidates reads of a campaign that is open: half a cache line.
struct CampaignHot: BitwiseCopyable {
  /// Micros of one goal.
  var worth: Double
  /// price · cost.
  var charge: Double
  var key: UInt64
  /// `CheckBits` of the campaign itself.
  var flags: UInt16

  /// In the place after the last: of no campaign.
  static var none: CampaignHot { CampaignHot() }

  private init() { (worth, charge, key, flags) = (0, 0, 0, 0) }

  init(_ record: CampaignRecord, _ standing: CampaignStanding) {
    worth = record.worth
    charge = standing.price * record.cost
    key = record.key
    flags = record.flags | standing.blocks
  }
}

/// A set of campaigns with their standings: immutable, published anew at each tick. Everything that
/// a request reads hangs on this one object.
// Unchecked: written in `init`, only read afterwards.
package final class CampaignBoard: @unchecked Sendable {
  package let set: CampaignSet
  /// By index, and `none` after the last.
  let hot: UnsafePointer<CampaignHot>
  let open: OpenCampaigns
  let standings: UnsafePointer<CampaignStanding>
  let posteriors: UnsafePointer<BetaPosterior>?
  private let memory: FlatMemory

  /// One standing for each campaign of the set, by index; as many posteriors, or none: then all
  /// are uniform. Requests of about `timeUnixMilliseconds` are answered fastest: those between
  /// the last beginning or end of a flight before it and the next after it.
  package init(
    set: CampaignSet, standings: [CampaignStanding], posteriors: [BetaPosterior] = [],
    timeUnixMilliseconds: Int64
  ) {
    precondition(standings.count == set.count, "a standing for each campaign")
    precondition(posteriors.isEmpty || posteriors.count == set.count, "all posteriors or none")
    self.set = set
    memory = FlatMemory()
    let records = set.tables.records
    var hot: [CampaignHot] = []
    hot.reserveCapacity(set.count + 1)
    for index in 0..<set.count { hot.append(CampaignHot(records[index], standings[index])) }
    open = OpenCampaigns(hot, records, at: timeUnixMilliseconds, memory)
    hot.append(.none)
    self.hot = memory.copy(hot)
    self.standings = memory.copy(standings)
    self.posteriors = posteriors.isEmpty ? nil : memory.copy(posteriors)
  }

  /// Whether requests of this time are answered fastest.
  package func isCurrent(at timeUnixMilliseconds: Int64) -> Bool {
    open.holds(at: timeUnixMilliseconds)
  }

  package func price(_ campaign: Int32) -> Double { standings[Int(campaign)].price }
}
