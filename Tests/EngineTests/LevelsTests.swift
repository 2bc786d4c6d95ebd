import Core
import Models
import Testing

@testable import Engine

@Suite struct LevelsTests {
  /// Leaves of one value each, weighted or not, so that a tree's mean is its value.
  private func model(_ values: [Double]) throws -> Forest {
    try forest(modelText(features: ["a"], trees: values.map { .leaf($0) }))
  }

  static let counts = Array(1...40) + [100]

  @Test(arguments: LevelsTests.counts) func prefixesThatDiffer(_ count: Int) throws {
    let seed = UInt64(count)
    var random = SplitMix64(seed: seed)
    let values = (0..<count).map { _ in Double.random(in: -3...3, using: &random) }
    let levels = Levels(try model(values))
    // An eighth, a quarter, a half, all: none of no trees, none twice.
    var expected: [Int] = []
    for prefix in [count / 8, count / 4, count / 2, count] where prefix > 0 {
      if expected.last != prefix { expected.append(prefix) }
    }
    #expect(levels.count == expected.count && levels.full == expected.count)
    #expect((1...levels.full).map { levels.treeCount($0) } == expected)
    #expect(levels.treeCount(Levels.prior) == 0)
    for level in 1...levels.full {
      let left = Array(values[expected[level - 1]...])
      var sum = left.first ?? -0.0
      for value in left.dropFirst() { sum += value }
      #expect(levels.correction(level).bitPattern == sum.bitPattern, "seed \(seed)")
      #expect(levels.fidelity(level) == (level == levels.full ? .full : .partial))
    }
    #expect(levels.fidelity(Levels.prior) == .prior)
    #expect(levels.lowest(.full) == levels.full)
    #expect(levels.lowest(.partial) == 1)
    for fidelity in [Fidelity.unspecified, .none, .prior] {
      #expect(levels.lowest(fidelity) == Levels.prior)
    }
  }

  /// A correction of nothing changes no sum, whatever its sign.
  @Test func theWholeModelIsNotCorrected() throws {
    for values in [[1.0], [-0.0], [-0.0, -0.0], [0.0, 0.0, 0.0]] {
      let levels = Levels(try model(values))
      for sum in [0.0, -0.0, 1.5, -.infinity] {
        #expect((sum + levels.correction(levels.full)).bitPattern == sum.bitPattern)
      }
    }
  }

  @Test func whatIsLeftOutMayBeNothing() throws {
    for values in [[1, 0], [1, -0.0], [-0.0, 0, -0.0]] {
      let levels = Levels(try model(values))
      #expect(levels.treeCount(1) == 1)
      for sum in [0.0, 1.5] {
        #expect((sum + levels.correction(1)).bitPattern == sum.bitPattern)
      }
    }
  }
}

@Suite struct LevelChoiceTests {
  private let levels: Levels

  init() throws {
    levels = Levels(try forest(modelText(features: ["a"], trees: (0..<8).map { _ in .leaf(1) })))
  }

  private func choose(
    _ works: [UInt64], lowest: Int = 0, left: UInt64, queues: [UInt64] = [0, 0, 0, 0, 0]
  ) -> (choice: LevelChoice?, reason: Reason) {
    LevelChoice.choose(levels: levels, lowest: lowest, nanosecondsLeft: left) {
      LevelChoice.Cost(work: works[$0], queue: queues[$0])
    }
  }

  /// Work by level is 1, 10, 20, 40, 80; the queue is 15 long for all of them.
  @Test(
    arguments: [
      // The level that comes out, or nil, and why.
      (95, 0, 4, Reason.ok), (94, 0, 3, .overload), (94, 4, nil, .overload),
      (80, 4, nil, .overload), (79, 4, nil, .deadline), (79, 3, 3, .deadline),
      (55, 0, 3, .deadline), (54, 0, 2, .overload), (54, 3, nil, .overload),
      (54, 4, nil, .deadline), (35, 0, 2, .deadline), (34, 2, nil, .overload),
      (25, 1, 1, .overload), (24, 1, nil, .overload), (10, 1, nil, .overload),
      (9, 1, nil, .deadline), (9, 0, 0, .deadline), (10, 0, 0, .overload), (0, 0, 0, .deadline),
      (19, 2, nil, .deadline), (1_000, 4, 4, .ok),
    ] as [(UInt64, Int, Int?, Reason)])
  func table(_ left: UInt64, _ lowest: Int, _ level: Int?, _ reason: Reason) {
    let (choice, why) = choose(
      [1, 10, 20, 40, 80], lowest: lowest, left: left, queues: [15, 15, 15, 15, 15])
    #expect(choice == level.map { LevelChoice(level: $0, reason: reason) })
    #expect(why == reason)
  }

  /// What runs in place waits for nobody.
  @Test func aLevelWithoutAQueueIsTakenBeforeACoarserOne() {
    let (choice, _) = choose(
      [1, 10, 20, 40, 80], left: 50, queues: [0, 0, 0, 1_000, 1_000])
    #expect(choice == LevelChoice(level: 2, reason: .overload))
  }

  @Test func theEndsOfTheNumbers() {
    let most = Array(repeating: UInt64.max, count: 5)
    #expect(choose(most, left: .max).choice == LevelChoice(level: 4, reason: .ok))
    #expect(choose(most, left: .max - 1).choice == LevelChoice(level: 0, reason: .deadline))
    #expect(
      choose(most, left: .max, queues: most).choice == LevelChoice(level: 0, reason: .overload))
    #expect(choose(most, lowest: 1, left: .max, queues: most).reason == .overload)
  }

  /// Against the definition, costs in any order: learned ones need not rise with the level.
  @Test func properties() {
    let seed: UInt64 = 77
    var random = SplitMix64(seed: seed)
    for _ in 0..<5_000 {
      let works = (0...4).map { _ in UInt64.random(in: 0...100, using: &random) }
      let queues = (0...4).map { _ in UInt64.random(in: 0...60, using: &random) }
      let lowest = Int.random(in: 0...4, using: &random)
      let left = UInt64.random(in: 0...200, using: &random)
      let (choice, reason) = choose(works, lowest: lowest, left: left, queues: queues)
      let finest = (1...4).last { works[$0] + queues[$0] <= left } ?? 0
      #expect(choice?.level == (finest >= lowest ? finest : nil), "seed \(seed)")
      #expect(choice == nil || choice?.reason == reason)
      #expect((reason == .ok) == (finest == 4))
      // More time never is a coarser answer.
      let more = choose(works, lowest: lowest, left: left + 1, queues: queues)
      #expect((more.choice?.level ?? -1) >= (choice?.level ?? -1), "seed \(seed)")
      // With an empty queue, there is no overload.
      #expect(choose(works, lowest: lowest, left: left).reason != .overload || !isRising(works))
    }
  }

  private func isRising(_ works: [UInt64]) -> Bool { works == works.sorted() }
}
