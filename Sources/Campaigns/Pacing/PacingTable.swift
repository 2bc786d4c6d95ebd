/// The pacers of all campaigns, in the campaigns' order, and their prices. One owner.
package struct PacingTable: Sendable {
  package private(set) var pacers: [DualPacer]
  /// μ of each; immutable copies of it go to the shards.
  package private(set) var prices: [Double]
  package private(set) var shape: TrafficShape
  private var lastTick: Int64?

  package init(pacers: [DualPacer] = [], shape: TrafficShape = .even) {
    self.pacers = pacers
    self.shape = shape
    prices = pacers.map(\.price)
  }

  /// Campaigns were applied: another order, other plans. Ticks go on.
  package mutating func replace(_ pacers: [DualPacer]) {
    self.pacers = pacers
    prices = pacers.map(\.price)
  }

  /// A budget or flight changed, or a pause begins or ends.
  package mutating func replace(at index: Int, with pacer: DualPacer) {
    pacers[index] = pacer
    prices[index] = pacer.price
  }

  /// A day has ended (`TrafficRecorder`).
  package mutating func reshape(_ shape: TrafficShape, now: Int64) {
    for index in pacers.indices { pacers[index].reshape(shape, previous: self.shape, now: now) }
    self.shape = shape
  }

  /// `now`: wall time; a step back changes no plan and takes no time. `reports`: one for each
  /// pacer, of what was reserved since the tick before.
  package mutating func tick(now: Int64, reports: [PacingReport]) {
    precondition(reports.count == pacers.count)
    let elapsed = Double(max(now - (lastTick ?? now), 0))
    lastTick = max(now, lastTick ?? now)
    let byTraffic = SpendPlan.progress(at: now, .traffic, shape)
    let byTime = SpendPlan.progress(at: now, .even, shape)
    let count = pacers.count
    pacers.withUnsafeMutableBufferPointer { pacers in
      prices.withUnsafeMutableBufferPointer { prices in
        reports.withUnsafeBufferPointer { reports in
          for index in 0..<count {
            let isByTraffic = pacers[index].plan.mode == .traffic
            pacers[index].tick(
              now: now, elapsed: elapsed, progress: isByTraffic ? byTraffic : byTime,
              report: reports[index])
            prices[index] = pacers[index].price
          }
        }
      }
    }
  }
}
