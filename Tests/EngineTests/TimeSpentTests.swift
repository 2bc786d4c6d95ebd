import Core
import Models
import Testing

@testable import Engine

/// How much of the time that there is goes into trees, counted on a clock that goes by work.
@Suite struct TimeSpentTests {
  private let world = PlainWorld(seed: 51)
  private let serving: Serving
  private let trees: Int
  private let candidates = 200

  init() throws {
    serving = try Serving(
      try world.snapshotSpec(text: PlainWorld.forestText(seed: 51, trees: 60)).load())
    trees = serving.defaultBlueprint.forest.treeCount
  }

  private var request: PlainRequest {
    var request = PlainRequest()
    request.itemIDs = (0..<candidates).map { world.itemIDs[$0 % PlainWorld.itemCount] }
    return request
  }

  /// A machine so many times slower than first guessed.
  private func meter(_ scale: Double) -> WorkMeter {
    let meter = WorkMeter()
    meter.nanosecondsPerTree = 50 * scale
    meter.nanosecondsPerCandidate = 100 * scale
    meter.pauseNanoseconds = 100
    return meter
  }

  private func fullNanoseconds(_ scale: Double) -> Double {
    Double(candidates) * scale * (100 + 50 * Double(trees))
  }

  private struct Run {
    var text: String
    var trees = 0
    /// Of the time that there was.
    var shareInTrees = 0.0
  }

  private func run(
    _ engine: Engine, _ meter: WorkMeter, available: UInt64, _ minFidelity: Fidelity = .prior
  ) -> Run {
    let call = TestCall()
    let start = meter.now
    var request = request
    request.minFidelity = Int32(minFidelity.rawValue)
    let asked = request
    var outcome: ScoreOutcome?
    let text = failure { () throws(CallFailure) in
      _ = try call.start(
        engine, asked, deadlineNanoseconds: start + available,
        clientDeadlineNanoseconds: start + available + available / 4, scheduled: meter.watch)
      outcome = try engine.outcome(call.call)
    }
    let trees = meter.rest()
    guard let outcome else { return Run(text: text, trees: trees) }
    return Run(
      text: "\(outcome.fidelity) \(outcome.reason)", trees: trees,
      shareInTrees: Double(trees) * meter.nanosecondsPerTree / Double(available))
  }

  static let scales = [0.25, 1, 5]

  @Test(arguments: TimeSpentTests.scales, FanOut.allCases) func sixTimesTheTime(
    _ scale: Double, _ fanOut: FanOut
  ) {
    let meter = meter(scale)
    let engine = Engine(
      serving, executor: InlineShards(1), fanOut: fanOut, clock: meter.clock())
    let available = UInt64(fullNanoseconds(scale) / 6)
    // A guess that was too high is put right by calls that have time (else by doubt, in a second).
    if scale < 1 { for _ in 0..<30 { _ = run(engine, meter, available: .max / 4) } }
    let runs = (0..<300).map { _ in run(engine, meter, available: available) }
    #expect(runs.count { $0.text.hasPrefix("p") } >= 297, "\(runs.map(\.text))")
    #expect(runs.count { $0.text == "partial deadline" } >= 285, "\(runs.map(\.text))")
    let shares = runs.map(\.shareInTrees).sorted()
    #expect(shares[shares.count / 2] >= 0.6)
  }

  @Test(arguments: TimeSpentTests.scales, FanOut.allCases) func fiftyTimesTheTime(
    _ scale: Double, _ fanOut: FanOut
  ) {
    let meter = meter(scale)
    let engine = Engine(
      serving, executor: InlineShards(1), fanOut: fanOut, clock: meter.clock())
    let available = UInt64(fullNanoseconds(scale) / 50)
    // What a too low first guess costs until it is put right.
    let first = (0..<20).map { _ in run(engine, meter, available: available) }
    #expect(first.count { $0.trees == 0 } >= 10)
    for _ in 0..<300 {
      let run = run(engine, meter, available: available)
      #expect(run.text == "prior deadline")
      #expect(run.trees == 0)
    }
  }

  /// The clock is looked at as often as DESIGN 7 wants, also with a cost that is eight times too
  /// low: what a look comes late is worked past the deadline.
  @Test(arguments: [1.0, 8]) func looksStayClose(_ scale: Double) {
    let meter = meter(scale)
    let engine = Engine(
      serving, executor: InlineShards(1), fanOut: .never, clock: meter.clock())
    #expect(run(engine, meter, available: .max / 4).text == "full ok")
    let times = meter.trace.map(\.now)
    let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
    #expect(gaps.count > 4 && gaps.allSatisfy { $0 <= 200_000 }, "\(gaps)")
  }

  /// A thread that sleeps in the middle of a batch does not make its model a dear one.
  @Test func oneSleepIsForgotten() {
    let meter = meter(1)
    let engine = Engine(
      serving, executor: InlineShards(1), fanOut: .never, clock: meter.clock())
    let available = UInt64(2 * fullNanoseconds(1))
    for _ in 0..<20 { #expect(run(engine, meter, available: available).text == "full ok") }
    meter.pauseNanoseconds = 1_000_000_000
    _ = run(engine, meter, available: .max / 4)
    meter.pauseNanoseconds = 100
    #expect(run(engine, meter, available: available).text == "full ok")
  }

  /// What made every call too dear is over: calls find out within two seconds, though nothing of
  /// the model is run any more that would teach them.
  @Test(arguments: [Fidelity.prior, .full]) func aBusyTimeIsForgotten(_ minFidelity: Fidelity) {
    let meter = meter(12)
    let engine = Engine(
      serving, executor: InlineShards(1), fanOut: .never, clock: meter.clock())
    for _ in 0..<100 { _ = run(engine, meter, available: .max / 4) }
    meter.nanosecondsPerTree = 50
    meter.nanosecondsPerCandidate = 100
    let available = UInt64(1.5 * fullNanoseconds(1))
    let first = run(engine, meter, available: available, minFidelity).text
    #expect(first == "prior deadline" || first.hasPrefix("DEADLINE_EXCEEDED"))
    let start = meter.now
    meter.pauseNanoseconds = 500_000
    while meter.now < start + 2_000_000_000 {
      meter.pauseNanoseconds = 500_000
      _ = run(engine, meter, available: available, minFidelity)
    }
    meter.pauseNanoseconds = 100
    #expect(run(engine, meter, available: available, minFidelity).text == "full ok")
  }

  /// Nobody is taught by items that are not there.
  @Test func unknownItemsTeachNothing() throws {
    let meter = meter(1)
    let cost = serving.defaultBlueprint.cost
    let before = (0...4).map { cost.picoseconds($0) }
    for fanOut in FanOut.allCases {
      let engine = Engine(
        serving, executor: InlineShards(1), fanOut: fanOut, clock: meter.clock())
      for known in [0, 3, 99] {
        var request = request
        request.itemIDs = (0..<candidates).map { $0 < known ? world.itemIDs[0] : UInt64(2 * $0) }
        let call = TestCall()
        #expect(
          try call.start(engine, request, scheduled: meter.watch) || call.completion.count == 1)
        meter.rest()
      }
    }
    #expect((0...4).map { cost.picoseconds($0) } == before)
  }

  /// From the first look at or after the deadline on nothing is done, and between two looks no more
  /// than a block.
  @Test func atMostOneBlockAfterTheDeadline() {
    let seed: UInt64 = 6
    var random = SplitMix64(seed: seed)
    var late = 0
    for round in 0..<200 {
      let meter = meter(Double.random(in: 0.5...4, using: &random))
      let shards = Int.random(in: 1...3, using: &random)
      let engine = Engine(
        serving, executor: InlineShards(shards), fanOut: [.never, .always][round % 2],
        clock: meter.clock())
      let blueprint = serving.defaultBlueprint
      let coarsest = blueprint.cost.candidates(
        inNanoseconds: Limits.serving.blockNanoseconds, level: 1)
      let most = max(coarsest, 1) * blueprint.levels.treeCount(blueprint.levels.full)
      let available = UInt64.random(in: 100_000...2_500_000, using: &random)
      let deadline = meter.now + available
      _ = run(engine, meter, available: available)
      guard let first = meter.trace.firstIndex(where: { $0.now >= deadline }) else { continue }
      late += 1
      let place = "seed \(seed), round \(round)"
      #expect(meter.trace.last?.trees == meter.trace[first].trees, "\(place)")
      guard first > 0 else { continue }
      #expect(meter.trace[first].trees - meter.trace[first - 1].trees <= most, "\(place)")
    }
    #expect(late > 20)
  }
}
