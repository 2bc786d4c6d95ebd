import Core
import Models
import Testing

@testable import Engine

@Suite struct BlockPaceTests {
  private let pace: BlockPace
  private let estimated: Int

  init() throws {
    let world = PlainWorld(seed: 52)
    let serving = try Serving(
      try world.snapshotSpec(text: PlainWorld.forestText(seed: 52, trees: 60)).load())
    let cost = serving.defaultBlueprint.cost
    pace = BlockPace(cost, 1)
    estimated = cost.candidates(inNanoseconds: Limits.serving.blockNanoseconds, level: 1)
  }

  @Test func itBeginsWithAnEighthAndGrowsByDoubling() {
    var pace = pace
    #expect(pace.candidates == estimated / 8)
    for times in [2, 4, 8, 16] {
      pace.took(1, since: 0, candidates: pace.candidates)
      #expect(pace.candidates == estimated / 8 * times)
    }
  }

  @Test func aLongBlockMakesTheNextOneShort() {
    var pace = pace
    let block = Limits.serving.blockNanoseconds
    pace.took(10 * block, since: 0, candidates: 40)
    #expect(pace.candidates == 4)
    // As many as fit, where that is less than twice as many.
    pace.took(21 * block, since: 20 * block, candidates: 6)
    #expect(pace.candidates == 6)
    pace.took(.max, since: 0, candidates: 6)
    #expect(pace.candidates == 1)
    pace.halve()
    #expect(pace.candidates == 1)
    // A clock that stands still, or goes back.
    pace.took(5, since: 6, candidates: 1)
    #expect(pace.candidates == 2)
  }
}
