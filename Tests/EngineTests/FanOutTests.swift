import Core
import Executors
import Models
import Signals
import Synchronization
import Testing

@testable import Engine

/// The same request gives the same bits, wherever and in however many pieces it is scored.
@Suite struct FanOutTests {
  private func compare(
    seed: UInt64, rounds: Int, fanOut: FanOut, executor: any ShardExecutor
  ) throws {
    let world = PlainWorld(seed: seed)
    let text = PlainWorld.forestText(seed: seed, trees: 6)
    let serving = try Serving(try world.snapshotSpec(text: text).load())
    let forest = try forest(text)
    let time = FakeTime()
    // One for each call: shards that answer the submitter's own clock would seem to be overloaded.
    let engines = (0..<rounds).map { _ in
      Engine(serving, executor: executor, fanOut: fanOut, clock: time.clock())
    }
    let call = TestCall()
    var random = SplitMix64(seed: seed)
    for round in 0..<rounds {
      // Costs are learned from this clock: batches become cheap and dear, and `auto` takes each
      // of its ways.
      let step = UInt64.random(in: 0...200_000, using: &random)
      time.stepNanoseconds.store(step, ordering: .relaxed)
      let count = Int.random(in: 0...[3, 30, 250][round % 3], using: &random)
      let request = world.randomRequest(count: count, using: &random)
      let answer = try call.run(engines[round], request)
      #expect(
        answer == world.answer(request, forest),
        "seed \(seed), round \(round), \(count) candidates, fan-out \(fanOut)")
    }
  }

  @Test(arguments: FanOut.allCases, [1, 2, 3, 7]) func onTheCallersThread(
    _ fanOut: FanOut, _ shards: Int
  ) throws {
    let executor = InlineShards(shards)
    try compare(seed: 40 + UInt64(shards), rounds: 24, fanOut: fanOut, executor: executor)
    #expect(executor.jobs.load(ordering: .relaxed) > 0)
  }

  @Test(arguments: FanOut.allCases) func onDispatchShards(_ fanOut: FanOut) throws {
    let shards = DispatchShards(
      count: 3, cores: [], spinsBeforeSleep: 0, queueNanoseconds: .max / 2)
    defer { shards.stop() }
    try compare(seed: 60, rounds: 40, fanOut: fanOut, executor: shards)
  }

  /// `auto`: in place, then one shard, then one slice per shard, by estimated work alone.
  @Test func autoGoesByEstimatedWork() throws {
    let world = PlainWorld(seed: 5)
    let serving = try Serving(
      try world.snapshotSpec(text: PlainWorld.forestText(seed: 5, trees: 1)).load())
    let cost = serving.defaultBlueprint.cost
    let full = serving.defaultBlueprint.levels.full
    let held = HeldShards(4)
    let engine = Engine(serving, executor: held, fanOut: .auto, clock: FakeTime().clock())
    func jobs(_ count: Int) throws -> Int {
      var request = PlainRequest()
      request.itemIDs = (0..<count).map { UInt64($0 + 1) << 20 }
      let call = TestCall()
      let isDone = try call.start(engine, request)
      let jobs = held.held.count
      #expect(isDone == (jobs == 0))
      // What was started is finished, while its memory is there.
      held.runAll()
      _ = try call.outcome(engine)
      return jobs
    }
    // Nothing is learned from slices of less than 16 candidates; these are far more, so the
    // estimate is asked for each time.
    for (work, expected) in [
      (Limits.serving.inPlaceNanoseconds, 0), (Limits.serving.inPlaceNanoseconds + 50_000, 1),
      (Limits.serving.fanOutNanoseconds - 50_000, 1),
      (Limits.serving.fanOutNanoseconds + 50_000, 4),
    ] {
      var count = 1
      while cost.nanoseconds(candidates: count + 1, level: full) <= work { count += 1 }
      #expect(try jobs(count) == expected, "\(count) candidates")
    }
  }

  /// Every candidate is in exactly one slice, and equal items are in the same one.
  @Test func slicesAreByItem() throws {
    let world = PlainWorld(seed: 6)
    let serving = try Serving(
      try world.snapshotSpec(text: PlainWorld.forestText(seed: 6, trees: 1)).load())
    let held = HeldShards(7)
    let engine = Engine(serving, executor: held, fanOut: .always, clock: FakeTime().clock())
    var random = SplitMix64(seed: 6)
    for _ in 0..<10 {
      let request = world.randomRequest(count: 120, using: &random)
      let call = TestCall()
      #expect(try !call.start(engine, request))
      let slices = try #require(call.call.pointee.slices)
      var seen: [Int] = []
      var shardOf: [UInt64: Int] = [:]
      for shard in 0..<7 {
        for index in 0..<slices[shard].count {
          let position = Int(try #require(slices[shard].positions)[index])
          seen.append(position)
          guard !request.itemIDs.isEmpty else { continue }
          let id = request.itemIDs[position]
          #expect(shardOf.updateValue(shard, forKey: id) ?? shard == shard)
        }
      }
      #expect(seen.sorted() == Array(0..<120))
      held.runAll()
    }
  }
}
