import Core
import Signals
import Synchronization
import Testing

@testable import Engine

/// When work stops: at its deadline, when nobody wants it any more, when there is no room for it.
@Suite struct DeadlineTests {
  private let world = PlainWorld(seed: 14)
  private let serving: Serving
  private let time = FakeTime()
  private let late =
    "DEADLINE_EXCEEDED: the deadline passed before all candidates were scored"

  private let cancelled = "CANCELLED: the call was cancelled"

  init() throws {
    serving = try Serving(
      try world.snapshotSpec(text: PlainWorld.forestText(seed: 4, trees: 1)).load())
  }

  /// Of nothing less than the whole model, unless told otherwise.
  private func request(_ count: Int, _ minFidelity: Fidelity = .full) -> PlainRequest {
    var request = PlainRequest()
    request.minFidelity = Int32(minFidelity.rawValue)
    request.itemIDs = (0..<count).map { world.itemIDs[$0 % PlainWorld.itemCount] }
    return request
  }

  private var block: Int {
    let blueprint = serving.defaultBlueprint
    return blueprint.cost.candidates(
      inNanoseconds: Limits.serving.blockNanoseconds, level: blueprint.levels.full)
  }

  private func outcome(_ call: TestCall, _ engine: Engine) -> String {
    failure { () throws(CallFailure) in _ = try call.outcome(engine) }
  }

  @Test func leavesTimeForTheAnswer() {
    func deadline(_ started: UInt64, _ end: UInt64) -> UInt64 {
      Engine.deadline(startedNanoseconds: started, deadlineNanoseconds: end)
    }
    #expect(deadline(1_000, 1_000) == 1_000)
    #expect(deadline(1_000, 500) == 500)
    #expect(deadline(1_000, 1_004) == 1_004)
    #expect(deadline(1_000, 1_005) == 1_004)
    #expect(deadline(0, 5_000_000) == 4_000_000)
    #expect(deadline(0, 4_999_999) == 4_999_999 - 999_999)
    #expect(deadline(7, 10_000_000_007) == 9_999_000_007)
    #expect(deadline(0, .max) == UInt64.max - 1_000_000)
  }

  @Test(arguments: FanOut.allCases) func expiredBeforeAnyWork(_ fanOut: FanOut) throws {
    let engine = Engine(
      serving, executor: InlineShards(3), fanOut: fanOut, clock: time.clock())
    func start(_ call: TestCall, _ minFidelity: Fidelity, _ deadline: UInt64) -> String {
      failure { () throws(CallFailure) in
        _ = try call.start(
          engine, request(30, minFidelity), deadlineNanoseconds: deadline,
          clientDeadlineNanoseconds: .max)
      }
    }
    for deadline in [0, time.now - 1, time.now] {
      for fidelity in [Fidelity.prior, .full] {
        let call = TestCall()
        #expect(
          start(call, fidelity, deadline)
            == "DEADLINE_EXCEEDED: the deadline had passed before any work was done")
        #expect(call.written == 0)
      }
    }
    // A nanosecond is time enough for the prior, since nothing is coarser.
    let call = TestCall()
    #expect(
      start(call, .full, time.now + 1)
        == "DEADLINE_EXCEEDED: there is no time for an answer of that fidelity")
    #expect(start(call, .prior, time.now + 1) == "OK")
    #expect(outcome(call, engine) == "OK")
    #expect(call.written == 30)
  }

  /// The first of three slices is done when the deadline passes.
  private func expireInTheQueue(_ minFidelity: Fidelity, clientNanoseconds: UInt64) throws
    -> (call: TestCall, engine: Engine, first: Int)
  {
    let held = HeldShards(3)
    let engine = Engine(serving, executor: held, fanOut: .always, clock: time.clock())
    let call = TestCall()
    let start = time.now
    let isDone = try call.start(
      engine, request(60, minFidelity), deadlineNanoseconds: start + 1_000_000,
      clientDeadlineNanoseconds: start + clientNanoseconds)
    #expect(!isDone && held.held.count == 3)
    held.runNext()
    let first = call.written
    #expect(first > 0 && first < 60)
    time.nowNanoseconds.add(1_000_000, ordering: .relaxed)
    held.runNext()
    #expect(call.completion.count == 0)
    held.runNext()
    #expect(call.completion.count == 1)
    return (call, engine, first)
  }

  @Test func expiredInTheQueue() throws {
    let (call, engine, first) = try expireInTheQueue(.full, clientNanoseconds: 2_000_000)
    #expect(call.written == first)
    #expect(outcome(call, engine) == late)
  }

  @Test func coarserWhileTheClientWaits() throws {
    let (call, engine, _) = try expireInTheQueue(.prior, clientNanoseconds: 1_000_001)
    let outcome = try engine.outcome(call.call)
    #expect(outcome.fidelity == .prior && outcome.reason == .deadline && outcome.treesUsed == 0)
    let answer = call.answer(outcome)
    #expect(answer.fidelities.allSatisfy { $0 == 2 } && answer.reasons.allSatisfy { $0 == 3 })
  }

  @Test func nothingOnceTheClientHasGone() throws {
    let (call, engine, first) = try expireInTheQueue(.prior, clientNanoseconds: 1_000_000)
    #expect(call.written == first)
    #expect(outcome(call, engine) == late)
  }

  /// The clock is looked at before each block, so that after the deadline at most the block that
  /// was under way is finished.
  ///
  /// Blocks that take next to no time grow: an eighth, a quarter, a half, one, two.
  @Test(arguments: 0...5) func betweenBlocks(_ blocks: Int) throws {
    let block = block
    let engine = Engine(serving, executor: InlineShards(1), fanOut: .never, clock: time.clock())
    let call = TestCall()
    // One pass, however long: a streamed call has no checkpoints.
    call.call.pointee.sliceCompleted = { (_, _) in }
    // The third look is the first before a block.
    let start = time.now
    #expect(
      try call.start(
        engine, request(3 * block + 1), deadlineNanoseconds: start + 10_000_000,
        scheduled: { _ in
          time.nowNanoseconds.store(
            start + 10_000_000 - 1_000 * UInt64(blocks + 2), ordering: .relaxed)
          time.stepNanoseconds.store(1_000, ordering: .relaxed)
        }))
    let outcome = engine.outcome(ofSlice: 0, of: call.call)
    #expect(outcome.fidelity == (blocks < 5 ? .none : .full))
    #expect(outcome.reason == (blocks < 5 ? .deadline : .ok))
    let answer = call.answer(outcome)
    let scored = (0..<call.count).count { !answer.rawScore($0).isNaN }
    #expect(scored == (blocks < 5 ? 0 : call.count))
    // began, and each block, the last of which ends it.
    #expect(time.looks.load(ordering: .relaxed) == 3 + 1 + min(blocks, 5))
  }

  @Test func aCancelledCallIsDroppedWhereverItIs() throws {
    let held = HeldShards(3)
    let engine = Engine(serving, executor: held, fanOut: .always, clock: time.clock())
    let call = TestCall()
    #expect(try !call.start(engine, request(60)))
    held.runNext()
    let first = call.written
    call.call.pointee.cancel()
    held.runAll()
    #expect(call.written == first)
    #expect(call.completion.count == 1)
    #expect(outcome(call, engine) == cancelled)
    // A later call in the same memory knows nothing of it.
    #expect(try !call.start(engine, request(60)))
    held.runAll()
    #expect(outcome(call, engine) == "OK")
    #expect(call.written == 60)
  }

  /// Nobody reads what a cancelled call answers, but what it has answered stays.
  @Test(arguments: [1, 2]) func cancelledAroundTheDeadline(_ sliceOfCancel: Int) throws {
    let held = HeldShards(2)
    let engine = Engine(serving, executor: held, fanOut: .always, clock: time.clock())
    let call = TestCall()
    #expect(try !call.start(engine, request(60), deadlineNanoseconds: time.now + 1_000_000))
    time.nowNanoseconds.add(1_000_000, ordering: .relaxed)
    held.runNext()
    if sliceOfCancel == 1 { call.call.pointee.cancel() }
    held.runNext()
    if sliceOfCancel == 2 { call.call.pointee.cancel() }
    #expect(outcome(call, engine) == (sliceOfCancel == 1 ? cancelled : late))
    #expect(call.completion.count == 1)
    #expect(call.written == 0)
  }

  static let subsets = (1..<8).map { bits in Set((0..<3).filter { bits >> $0 & 1 == 1 }) }

  @Test(arguments: DeadlineTests.subsets) func aFullShardStopsTheCall(_ full: Set<Int>) throws {
    let held = HeldShards(3)
    held.full = full
    let engine = Engine(serving, executor: held, fanOut: .always, clock: time.clock())
    let call = TestCall()
    let isDone = try call.start(engine, request(60))
    #expect(held.held.count == 3 - full.count)
    #expect(isDone == (full.count == 3))
    // What had been taken is dropped at its first look, and the call completes once.
    held.runAll()
    #expect(call.written == 0)
    #expect(call.completion.count == (isDone ? 0 : 1))
    #expect(outcome(call, engine) == "RESOURCE_EXHAUSTED: the scoring queue is full: retry later")
  }

  @Test func aFullShardThatOwnsNoCandidateDoesNotMatter() throws {
    let held = HeldShards(3)
    let engine = Engine(serving, executor: held, fanOut: .always, clock: time.clock())
    var one = PlainRequest()
    one.itemIDs = [world.itemIDs[0]]
    held.full = Set(0..<3).subtracting([Int(splitmix64(world.itemIDs[0]) % 3)])
    let call = TestCall()
    #expect(try !call.start(engine, one))
    held.runAll()
    #expect(outcome(call, engine) == "OK")
  }

  @Test func aFullOnlyShardRefusesTheBatch() throws {
    let held = HeldShards(1)
    held.full = [0]
    for fanOut in [FanOut.always, .never] {
      let engine = Engine(serving, executor: held, fanOut: fanOut, clock: time.clock())
      let call = TestCall()
      #expect(try call.start(engine, request(60)))
      #expect(
        outcome(call, engine) == "RESOURCE_EXHAUSTED: the scoring queue is full: retry later")
    }
  }
}
