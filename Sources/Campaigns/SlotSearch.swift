/// Depth-first branch and bound over ranked options: weighted set packing with few conflicts.
///
/// The first path down is the greedy choice. From then on a branch is left when its bound is not
/// over the best so far. The bound keeps one kind of conflict at a time (each item once, or each
/// campaign as often as it may, ...) and drops the others, which a scan in order solves exactly;
/// the least of the four counts.
struct SlotSearch {
  /// Sums of the same gains in another order differ by less than this share.
  static var tolerance: Double { 1e-12 }

  private var ranked: RankedOptions
  private let slots: Int
  private let stepLimit: Int
  private var steps = 0
  private var picks: [Int] = []
  private var best: [Int] = []
  private var bestGain = 0.0
  private var isStopped = false
  /// The first path has come to its end.
  private var hasAnswer = false
  /// By kind and group: shares that the picks take; shares that a bound has counted, and for which
  /// bound.
  private var used: InlineArray<4, [Int32]>
  private var counted: InlineArray<4, [Int32]>
  private var countedFor: InlineArray<4, [Int]>
  private var bounds = 0

  init(_ ranked: RankedOptions, slots: Int, stepLimit: Int) {
    self.ranked = ranked
    self.slots = slots
    self.stepLimit = stepLimit
    used = InlineArray { _ in [] }
    counted = InlineArray { _ in [] }
    countedFor = InlineArray { _ in [] }
  }

  /// The chosen options, the largest gain first, and whether none are better.
  mutating func run() -> (options: [Int], isOptimal: Bool) {
    descend(from: 0, gain: 0)
    return (best.map { ranked.sorted[$0].option }, !isStopped)
  }

  private mutating func descend(from start: Int, gain: Double) {
    if gain > bestGain {
      bestGain = gain
      best = picks
    }
    var rank = start
    while picks.count < slots, reach(rank) {
      defer { rank += 1 }
      guard count(steps: 1), isFree(rank) else {
        if isStopped { return }
        continue
      }
      if hasAnswer {
        let bound = gain + bound(from: rank, room: slots - picks.count)
        if bound <= bestGain * (1 + SlotSearch.tolerance) { return }
      }
      take(rank, 1)
      picks.append(rank)
      descend(from: rank + 1, gain: gain + ranked.sorted[rank].gain)
      picks.removeLast()
      take(rank, -1)
      if isStopped { return }
    }
    hasAnswer = true
  }

  /// Counts only what comes after the greedy choice; false: that was too much.
  private mutating func count(steps more: Int) -> Bool {
    guard hasAnswer else { return true }
    steps += more
    if steps > stepLimit { isStopped = true }
    return !isStopped
  }

  private mutating func reach(_ rank: Int) -> Bool {
    guard ranked.reach(rank) else { return false }
    for kind in 0..<RankedOptions.kinds {
      while used[kind].count < ranked.capacities[kind].count {
        used[kind].append(0)
        counted[kind].append(0)
        countedFor[kind].append(0)
      }
    }
    return true
  }

  private func isFree(_ rank: Int) -> Bool {
    for kind in 0..<RankedOptions.kinds {
      let group = Int(ranked.sorted[rank].groups[kind])
      if group >= 0, used[kind][group] >= ranked.capacities[kind][group] { return false }
    }
    return true
  }

  private mutating func take(_ rank: Int, _ share: Int32) {
    for kind in 0..<RankedOptions.kinds {
      let group = Int(ranked.sorted[rank].groups[kind])
      if group >= 0 { used[kind][group] += share }
    }
  }

  /// At least what any choice of `room` free options from `start` on can gain.
  private mutating func bound(from start: Int, room: Int) -> Double {
    var sums = InlineArray<4, Double>(repeating: 0)
    var left = InlineArray<4, Int>(repeating: room)
    for kind in 0..<2 {
      if let all = ranked.room(kind) { left[kind] = min(room, all - picks.count) }
    }
    bounds += 1
    // When all are sorted, some group was wanting: then a whole scan tells more than it costs.
    let end = ranked.room(0) == nil ? start + 4 * room + 32 : .max
    var rank = start
    while rank < end, left[0] + left[1] + left[2] + left[3] > 0, reach(rank) {
      steps += 1
      if isFree(rank) {
        let gain = ranked.sorted[rank].gain
        for kind in 0..<RankedOptions.kinds where left[kind] > 0 && count(kind, rank) {
          sums[kind] += gain
          left[kind] -= 1
        }
      }
      rank += 1
    }
    // What was not looked at is at most the next one each.
    let next = reach(rank) ? ranked.sorted[rank].gain : 0
    var least = Double.infinity
    for kind in 0..<RankedOptions.kinds {
      least = min(least, sums[kind] + Double(left[kind]) * next)
    }
    return least
  }

  /// Takes a share of the option's group for this bound; false: there is none left.
  private mutating func count(_ kind: Int, _ rank: Int) -> Bool {
    let group = Int(ranked.sorted[rank].groups[kind])
    guard group >= 0 else { return true }
    if countedFor[kind][group] != bounds {
      countedFor[kind][group] = bounds
      counted[kind][group] = used[kind][group]
    }
    guard counted[kind][group] < ranked.capacities[kind][group] else { return false }
    counted[kind][group] += 1
    return true
  }
}
