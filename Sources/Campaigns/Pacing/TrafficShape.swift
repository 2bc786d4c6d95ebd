/// How a day's demand is spread over its 96 quarter hours, UTC: what a spend plan follows.
package struct TrafficShape: Sendable, Equatable {
  /// Shares of a day, their sum 1.
  package let weights: [Double]
  /// Share of a day before each slot, and 1 at the end.
  private let before: [Double]

  package static let slots = 96
  package static let slotMilliseconds: Int64 = 900_000
  package static let dayMilliseconds: Int64 = 86_400_000

  /// A slot never has less than this part of the mean slot: where yesterday had no demand, there
  /// may be some today.
  package static let leastShare = 0.05

  /// The same in every quarter hour: where no day has been seen.
  package static let even = TrafficShape(
    checked: Array(repeating: 1 / Double(slots), count: slots))

  /// From 96 amounts of demand in any unit; nil if there are not 96, one is negative or not
  /// finite, or all are 0.
  package init?(demand: [Double]) {
    guard demand.count == TrafficShape.slots, demand.allSatisfy({ $0 >= 0 && $0.isFinite })
    else { return nil }
    let mean = demand.reduce(0, +) / Double(demand.count)
    guard mean > 0, mean.isFinite else { return nil }
    let raised = demand.map { max($0, mean * TrafficShape.leastShare) }
    let sum = raised.reduce(0, +)
    self.init(checked: raised.map { $0 / sum })
  }

  /// The weights of another shape, bit for bit; nil for others.
  init?(weights: [Double]) {
    guard weights.count == TrafficShape.slots, weights.allSatisfy({ $0 > 0 && $0 < 1 }),
      abs(weights.reduce(0, +) - 1) < 1e-9
    else { return nil }
    self.init(checked: weights)
  }

  private init(checked weights: [Double]) {
    self.weights = weights
    var before: [Double] = [0]
    for weight in weights { before.append(before[before.count - 1] + weight) }
    before[TrafficShape.slots] = 1
    self.before = before
  }

  /// Days since 1970, of which the last passes as its demand comes in: a clock that rises with
  /// demand. `unixMilliseconds`: wall time.
  package func progress(at unixMilliseconds: Int64) -> Double {
    let (days, inDay) = TrafficShape.split(unixMilliseconds)
    let slot = Int(inDay / TrafficShape.slotMilliseconds)
    let inSlot = Double(inDay % TrafficShape.slotMilliseconds)
    let share = weights[slot] * inSlot / Double(TrafficShape.slotMilliseconds)
    return Double(days) + before[slot] + share
  }

  /// The day's number since 1970, and milliseconds within it.
  static func split(_ unixMilliseconds: Int64) -> (day: Int64, inDay: Int64) {
    let inDay = unixMilliseconds % dayMilliseconds
    let day = unixMilliseconds / dayMilliseconds
    return inDay < 0 ? (day - 1, inDay + dayMilliseconds) : (day, inDay)
  }
}
