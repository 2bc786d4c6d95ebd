import Core
import Testing

@testable import Engine

@Suite struct LearnedCostTests {
  @Test func startsFromAnEstimate() {
    let cost = LearnedCost(nanosecondsPerCandidate: LearnedCost.estimate(trees: 100))
    #expect(cost.nanoseconds(candidates: 0) == 0)
    #expect(cost.nanoseconds(candidates: 1) == 5_100)
    #expect(cost.nanoseconds(candidates: 10_000) == 51_000_000)
    #expect(cost.candidates(inNanoseconds: 51_000) == 10)
    // Never no candidate at all: work would not go on.
    #expect(cost.candidates(inNanoseconds: 0) == 1)
  }

  @Test func comesNearToWhatItSees() {
    let cost = LearnedCost(nanosecondsPerCandidate: 100)
    for _ in 0..<200 { cost.learn(candidates: 1_000, nanoseconds: 7_000_000) }
    #expect((6_990...7_010).contains(cost.nanoseconds(candidates: 1)))
    for _ in 0..<200 { cost.learn(candidates: 1_000, nanoseconds: 30_000) }
    #expect((29...31).contains(cost.nanoseconds(candidates: 1)))
  }

  @Test func smallBatchesTeachNothing() {
    let cost = LearnedCost(nanosecondsPerCandidate: 100)
    cost.learn(candidates: 15, nanoseconds: 1_000_000_000)
    cost.learn(candidates: 0, nanoseconds: 1_000_000_000)
    #expect(cost.nanoseconds(candidates: 1_000) == 100_000)
  }

  @Test func staysInRange() {
    let free = LearnedCost(nanosecondsPerCandidate: 100)
    for _ in 0..<500 { free.learn(candidates: 1_000, nanoseconds: 0) }
    #expect(free.nanoseconds(candidates: 1_000) < 10)
    #expect(free.candidates(inNanoseconds: Limits.blockNanoseconds) >= 1)
    let dear = LearnedCost(nanosecondsPerCandidate: 1e12)
    #expect(dear.nanoseconds(candidates: Int(Int32.max)) == .max)
    #expect(dear.candidates(inNanoseconds: Limits.blockNanoseconds) == 1)
  }

  @Test func namesAreFoundByTheirBytes() {
    let seed: UInt64 = 3
    var random = SplitMix64(seed: seed)
    let names = (0..<500).map { _ in
      String(UInt16.random(in: 0...2_000, using: &random), radix: 36)
    }
    let table = NameTable(names)
    let memory = RequestMemory()
    for number in 0...2_000 {
      let name = String(number, radix: 36)
      #expect(table.index(of: memory.text(name)) == names.firstIndex(of: name), "seed \(seed)")
    }
    #expect(table.index(of: .empty) == nil)
    #expect(NameTable([]).index(of: memory.text("x")) == nil)
    #expect(NameTable(["a", "", "a"]).index(of: .empty) == 1)
    #expect(NameTable(["a", "", "a"]).index(of: memory.text("a")) == 0)
  }
}
