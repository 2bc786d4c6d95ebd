import Core
import Testing

@testable import Engine

@Suite struct LearnedCostTests {
  /// Of a model of 100 trees: levels of 12, 25, 50 and 100.
  private let levels: Levels
  private let full: Int

  init() throws {
    levels = Levels(try forest(modelText(features: ["a"], trees: (0..<100).map { _ in .leaf(1) })))
    full = levels.full
  }

  @Test func startsFromAnEstimate() {
    let cost = LearnedCost(levels)
    #expect(cost.nanoseconds(candidates: 0, level: full) == 0)
    #expect(cost.nanoseconds(candidates: 1, level: full) == 5_100)
    #expect(cost.nanoseconds(candidates: 10_000, level: full) == 51_000_000)
    for level in 1..<full {
      let expected = 1_000 * UInt64(100 + 50 * levels.treeCount(level))
      let estimate = cost.nanoseconds(candidates: 1_000, level: level)
      #expect((expected - expected / 1_000...expected).contains(estimate), "level \(level)")
    }
    #expect(cost.nanoseconds(candidates: 1_000, level: Levels.prior) == 40_000)
    #expect(cost.candidates(inNanoseconds: 51_000, level: full) == 10)
    // Never no candidate at all: work would not go on.
    #expect(cost.candidates(inNanoseconds: 0, level: full) == 1)
    #expect(cost.candidates(inNanoseconds: 0, level: Levels.prior) == 1)
  }

  @Test(arguments: 0...4) func comesNearToWhatItSees(_ level: Int) {
    let cost = LearnedCost(levels)
    func estimate() -> UInt64 { cost.nanoseconds(candidates: 1_000, level: level) }
    for _ in 0..<200 { cost.learn(level: level, candidates: 1_000, nanoseconds: 7_000_000) }
    #expect((6_999_000...7_001_000).contains(estimate()))
    for _ in 0..<200 { cost.learn(level: level, candidates: 1_000, nanoseconds: 30_000) }
    #expect((29_900...30_100).contains(estimate()))
  }

  @Test func aCoarserLevelTeachesAllButThePrior() {
    let cost = LearnedCost(levels)
    let before = (0...full).map { cost.nanoseconds(candidates: 10_000, level: $0) }
    for _ in 0..<200 {
      cost.learn(level: 2, candidates: 1_000, nanoseconds: before[2] / 10 * 3)
    }
    #expect(cost.nanoseconds(candidates: 10_000, level: Levels.prior) == before[0])
    for level in 1...full {
      let ratio = Double(cost.nanoseconds(candidates: 10_000, level: level)) / Double(before[level])
      #expect((2.99...3.01).contains(ratio), "level \(level)")
    }
  }

  @Test func sharesComeFromWholeBatches() {
    let cost = LearnedCost(levels)
    for _ in 0..<200 {
      cost.learn(level: full, candidates: 1_000, nanoseconds: 10_000_000)
      for (level, part) in [(1, 4_000_000), (2, 5_000_000), (3, 9_000_000)] as [(Int, UInt64)] {
        cost.learnShare(level: level, part: part, whole: 10_000_000)
      }
    }
    for (level, expected) in [(1, 4_000), (2, 5_000), (3, 9_000), (4, 10_000)] {
      let estimate = cost.nanoseconds(candidates: 1, level: level)
      #expect((UInt64(expected) - 5...UInt64(expected) + 5).contains(estimate), "level \(level)")
    }
    // What makes no sense teaches nothing.
    let before = (0...full).map { cost.picoseconds($0) }
    cost.learnShare(level: 1, part: 2, whole: 1)
    cost.learnShare(level: 1, part: 0, whole: 0)
    cost.learnShare(level: Levels.prior, part: 1, whole: 2)
    cost.learnShare(level: full, part: 1, whole: 2)
    #expect((0...full).map { cost.picoseconds($0) } == before)
  }

  @Test func smallBatchesTeachNothing() {
    let cost = LearnedCost(levels)
    let before = (0...full).map { cost.picoseconds($0) }
    for level in 0...full {
      cost.learn(level: level, candidates: 15, nanoseconds: 1_000_000_000)
      cost.learn(level: level, candidates: 0, nanoseconds: 1_000_000_000)
    }
    #expect((0...full).map { cost.picoseconds($0) } == before)
  }

  /// Whatever clocks say, nothing traps, nothing is free, and no block is empty.
  @Test(arguments: 0...4) func staysInRange(_ level: Int) {
    let free = LearnedCost(levels)
    for _ in 0..<500 { free.learn(level: level, candidates: 1_000, nanoseconds: 0) }
    #expect(free.nanoseconds(candidates: 1_000, level: level) < 10)
    let dear = LearnedCost(levels)
    for _ in 0..<2_000 { dear.learn(level: level, candidates: 16, nanoseconds: .max) }
    for cost in [free, dear] {
      for other in 0...full {
        for nanoseconds in [0, 1, Limits.serving.blockNanoseconds, .max] {
          #expect(cost.candidates(inNanoseconds: nanoseconds, level: other) >= 1)
        }
        _ = cost.nanoseconds(candidates: .max, level: other)
      }
    }
    #expect(dear.nanoseconds(candidates: Int(Int32.max), level: level) == .max)
    #expect(dear.candidates(inNanoseconds: Limits.serving.blockNanoseconds, level: level) == 1)
    for _ in 0..<2_000 { dear.learnShare(level: level, part: 0, whole: .max) }
    for _ in 0..<2_000 { dear.learnShare(level: level, part: .max, whole: .max) }
    for _ in 0..<2_000 { dear.learn(level: level, candidates: .max, nanoseconds: 1) }
    #expect(dear.candidates(inNanoseconds: Limits.serving.blockNanoseconds, level: level) >= 1)
  }
}
