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

/// All that the loop over candidates reads of a campaign: half a cache line.
struct CampaignHot: BitwiseCopyable {
  /// Micros of one goal.
  var worth: Double
  /// price · cost.
  var charge: Double
  /// The flight's start in the upper 48 bits, `CheckBits` in the lower 16.
  var opening: Int64
  var flightEnd: Int64

  init(_ record: CampaignRecord, _ standing: CampaignStanding) {
    worth = record.worth
    charge = standing.price * record.cost
    opening = record.flightStart << 16 | Int64(record.flags | standing.blocks)
    flightEnd = record.flightEnd
  }
}

/// A set of campaigns with their standings: immutable, published anew at each tick. Everything that
/// a request reads hangs on this one object.
// Unchecked: written in `init`, only read afterwards.
package final class CampaignBoard: @unchecked Sendable {
  package let set: CampaignSet
  let hot: UnsafePointer<CampaignHot>
  let standings: UnsafePointer<CampaignStanding>
  let posteriors: UnsafePointer<BetaPosterior>?
  private let memory: FlatMemory

  /// One standing for each campaign of the set, by index; as many posteriors, or none: then all
  /// are uniform.
  package init(set: CampaignSet, standings: [CampaignStanding], posteriors: [BetaPosterior] = []) {
    precondition(standings.count == set.count, "a standing for each campaign")
    precondition(posteriors.isEmpty || posteriors.count == set.count, "all posteriors or none")
    self.set = set
    memory = FlatMemory()
    let records = set.tables.records
    hot = memory.copy(standings.enumerated().map { CampaignHot(records[$0.offset], $0.element) })
    self.standings = memory.copy(standings)
    self.posteriors = posteriors.isEmpty ? nil : memory.copy(posteriors)
  }

  package func price(_ campaign: Int32) -> Double { standings[Int(campaign)].price }
}
