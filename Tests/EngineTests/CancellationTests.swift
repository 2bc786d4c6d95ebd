import Core
import Testing

@testable import Engine

/// A call that is cancelled at any of its looks at the clock does nothing more, ends once, and
/// leaves its memory to the next.
@Suite struct CancellationTests {
  private let world = PlainWorld(seed: 91)
  private let serving: Serving

  init() throws {
    serving = try Serving(
      try world.snapshotSpec(text: PlainWorld.forestText(seed: 91, trees: 30)).load())
  }

  struct Way: Sendable, CustomTestStringConvertible {
    var fanOut: FanOut
    var shards: Int
    var count: Int
    var isStreamed = false
    /// Short of what the whole model takes, so that slices fall back.
    var isShortOfTime = false
    var testDescription: String {
      "\(fanOut), \(shards) shards, \(count)" + (isStreamed ? ", streamed" : "")
        + (isShortOfTime ? ", late" : "")
    }
  }

  static let ways = [
    Way(fanOut: .auto, shards: 1, count: 30), Way(fanOut: .never, shards: 1, count: 200),
    Way(fanOut: .always, shards: 3, count: 200),
    Way(fanOut: .never, shards: 1, count: 200, isStreamed: true),
    Way(fanOut: .always, shards: 3, count: 200, isStreamed: true),
    Way(fanOut: .never, shards: 1, count: 200, isShortOfTime: true),
    Way(fanOut: .always, shards: 3, count: 200, isShortOfTime: true),
  ]

  private func request() -> PlainRequest {
    var random = SplitMix64(seed: 91)
    return world.randomRequest(count: 200, using: &random)
  }

  @Test(arguments: CancellationTests.ways) func atEveryLook(_ way: Way) throws {
    let call = TestCall()
    var random = SplitMix64(seed: 92)
    let request = world.randomRequest(count: way.count, using: &random)
    let expected = world.answer(request, serving.defaultBlueprint.forest)
    var look = 0
    var cancelled = 0
    while true {
      look += 1
      let end = try run(call, way, request, cancelAt: look)
      if end.looks < look { break }
      #expect(
        end.text == "CANCELLED: the call was cancelled", "look \(look) of \(end.looks)")
      cancelled += 1
      // The same memory, at once.
      if look % 5 == 1, !way.isShortOfTime, !way.isStreamed {
        let shards = InlineShards(way.shards)
        let engine = Engine(
          serving, executor: shards, fanOut: way.fanOut, clock: FakeTime().clock())
        call.call.pointee.sliceCompleted = nil
        _ = try call.start(engine, request)
        #expect(try call.outcome(engine) == expected, "after look \(look)")
      }
    }
    #expect(cancelled >= 3)
  }

  private func run(_ call: TestCall, _ way: Way, _ request: PlainRequest, cancelAt: Int) throws
    -> (looks: Int, text: String)
  {
    let meter = WorkMeter()
    meter.nanosecondsPerTree = 50
    meter.nanosecondsPerCandidate = 100
    let held = HeldShards(way.shards)
    let engine = Engine(serving, executor: held, fanOut: way.fanOut, clock: meter.clock())
    nonisolated(unsafe) let pointer = call.call
    pointer.pointee.sliceCompleted = way.isStreamed ? sliceCompleted : nil
    let before = (call.completion.count, call.completion.slices.count)
    var written: Int?
    let isDone = try call.start(
      engine, request, deadlineNanoseconds: way.isShortOfTime ? meter.now + 900_000 : .max,
      clientDeadlineNanoseconds: .max,
      scheduled: { call in
        if way.isShortOfTime { meter.nanosecondsPerTree = 120 }
        meter.watch(call)
        meter.atLook = {
          guard $0 == cancelAt else { return }
          pointer.pointee.cancel()
          written = self.written(pointer)
        }
      })
    held.runAll()
    #expect(call.completion.count - before.0 == (isDone ? 0 : 1))
    if way.isStreamed {
      #expect(call.completion.slices.count - before.1 == call.call.pointee.sliceCount)
    }
    // Nothing was written after it.
    if let written, meter.looks >= cancelAt { #expect(self.written(pointer) == written) }
    let text = failure { () throws(CallFailure) in _ = try engine.outcome(call.call) }
    return (meter.looks, text)
  }

  /// A sum over everything that was written, so that a second writing shows.
  private func written(_ call: UnsafeMutablePointer<ScoreCall>) -> Int {
    var hasher = Hasher()
    for index in 0..<call.pointee.sliceCount {
      guard let slice = call.pointee.slices?[index], let columns = slice.columns else { continue }
      for place in 0..<slice.count {
        let position = slice.positions.map { Int($0[place]) } ?? place
        hasher.combine(columns.fidelities[position])
        hasher.combine(columns.reasons[position])
        hasher.combine(columns.scores.loadUnaligned(fromByteOffset: 4 * position, as: UInt32.self))
      }
      guard let sums = slice.sums else { continue }
      for cell in 0..<slice.count * call.pointee.targetLevel {
        hasher.combine(sums[cell].bitPattern)
      }
    }
    return hasher.finalize()
  }

  /// What nobody waits for keeps nobody else out, long before its shard comes to it.
  @Test func aCancelledCallLeavesItsQueuesAtOnce() throws {
    for fanOut in [FanOut.always, .never] {
      let held = HeldShards(3)
      let engine = Engine(
        serving, executor: held, fanOut: fanOut, clock: FakeTime().clock())
      let (first, second) = (TestCall(), TestCall())
      #expect(try !first.start(engine, request()))
      let queued = (0..<3).map { held.queuedNanoseconds(of: $0) }
      #expect(try !second.start(engine, request()))
      #expect((0..<3).map { held.queuedNanoseconds(of: $0) } != queued)
      engine.cancel(first.call)
      #expect(!held.withdrawn.isEmpty)
      engine.cancel(first.call)
      #expect((0..<3).reduce(0) { $0 + held.queuedNanoseconds(of: $1) } == queued.reduce(0, +))
      held.runAll()
      #expect(first.completion.count == 1 && second.completion.count == 1)
      #expect(throws: CallFailure.self) { try engine.outcome(first.call) }
      _ = try engine.outcome(second.call)
      // After its end there is nothing left to withdraw.
      engine.cancel(second.call)
      #expect(held.withdrawn.isEmpty)
    }
  }

  /// It may come from any thread at any time.
  @Test func betweenTheCutAndTheRun() throws {
    for fanOut in FanOut.allCases {
      let call = TestCall()
      let held = HeldShards(2)
      let engine = Engine(
        serving, executor: held, fanOut: fanOut, clock: FakeTime().clock())
      let isDone = try call.start(
        engine, request(), scheduled: { $0.pointee.cancel() })
      held.runAll()
      #expect(call.completion.count == (isDone ? 0 : 1))
      #expect(call.written == 0)
      #expect(
        failure { () throws(CallFailure) in _ = try engine.outcome(call.call) }
          == "CANCELLED: the call was cancelled")
    }
  }
}
