internal import Core
internal import Models

/// How far a score goes: the levels of one model, coarsest first.
///
/// Level 0 is the prior, the last level the whole model; between them are prefixes of ⅛, ¼ and ½ of
/// the trees, as far as they are different (DESIGN §7).
struct Levels: BitwiseCopyable {
  /// Levels above the prior: 1 to 4.
  let count: Int
  private var trees = InlineArray<5, Int>(repeating: 0)
  private var corrections = InlineArray<5, Double>(repeating: 0)

  static let prior = 0

  init(_ forest: Forest) {
    let total = forest.treeCount
    var (found, last) = (0, 0)
    for divisor in [8, 4, 2, 1] {
      let prefix = total / divisor
      guard prefix > last else { continue }
      found += 1
      last = prefix
      trees[found] = prefix
      // In tree order, as every sum of this model. −0.0 is what changes no sum, not even −0.0.
      corrections[found] = forest.treeMeans[prefix...].reduce(-0.0, +)
    }
    count = max(found, 1)
  }

  /// The level of the whole model.
  var full: Int { count }

  /// Trees that a level sums; 0 for the prior.
  func treeCount(_ level: Int) -> Int { trees[level] }

  /// What a level's raw sum lacks on average: the means of the trees that it leaves out, weighted
  /// by `leaf_count`. −0 for the whole model.
  func correction(_ level: Int) -> Double { corrections[level] }

  func fidelity(_ level: Int) -> Fidelity {
    if level == Levels.prior { return .prior }
    return level == full ? .full : .partial
  }

  /// The coarsest level that is at least `fidelity`.
  func lowest(_ fidelity: Fidelity) -> Int {
    switch fidelity {
    case .unspecified, .none, .prior: Levels.prior
    // A model of so few trees that it has no prefix has nothing between the prior and itself.
    case .partial: 1
    case .full: full
    }
  }
}

/// Which level a call aims at.
struct LevelChoice: Equatable {
  var level: Int
  /// Why it is not the whole model: OK when it is.
  var reason: Reason

  /// A level that no model passes: its whole.
  static let full = Int.max

  /// What a level would cost, nanoseconds: its own work, and the wait for its turn.
  struct Cost: Equatable {
    var work: UInt64
    var queue: UInt64
  }

  /// The finest level whose estimated work fits into what is left of the time after the queue;
  /// nil when that is below `lowest`, and then `reason` says what was short: time, or room. The
  /// prior always fits: nothing is coarser.
  static func choose(
    levels: Levels, lowest: Int, nanosecondsLeft: UInt64, cost: (Int) -> Cost
  ) -> (choice: LevelChoice?, reason: Reason) {
    var level = levels.full
    while level > Levels.prior {
      let cost = cost(level)
      let (total, overflow) = cost.work.addingReportingOverflow(cost.queue)
      if !overflow, total <= nanosecondsLeft { break }
      level -= 1
    }
    if level == levels.full { return (LevelChoice(level: level, reason: .ok), .ok) }
    // Without the queue, would there have been the next better answer, or one at all?
    let missed = max(level + 1, lowest)
    let reason: Reason = cost(missed).work <= nanosecondsLeft ? .overload : .deadline
    guard level >= lowest else { return (nil, reason) }
    return (LevelChoice(level: level, reason: reason), reason)
  }
}
