import Core
import Signals
import Synchronization
import Testing

@testable import Engine

/// Who gets in, who is shed first, and what is answered instead.
@Suite struct AdmissionTests {
  private let world = PlainWorld(seed: 81)
  private let time = FakeTime()
  private let tooLong = "RESOURCE_EXHAUSTED: the request waited too long for a shard: retry later"
  private let full = "RESOURCE_EXHAUSTED: the scoring queue is full: retry later"

  private let snapshot: Snapshot

  init() throws {
    snapshot = try world.snapshotSpec(text: PlainWorld.forestText(seed: 81, trees: 60)).load()
  }

  private func request(_ count: Int, _ minFidelity: Fidelity = .prior) -> PlainRequest {
    var request = PlainRequest()
    request.itemIDs = (0..<count).map { world.itemIDs[$0 % PlainWorld.itemCount] }
    request.minFidelity = Int32(minFidelity.rawValue)
    return request
  }

  /// With costs as they are first guessed: 5.1 µs for a candidate.
  private func engine(_ executor: any ShardExecutor, _ fanOut: FanOut = .never) throws -> Engine {
    Engine(try Serving(snapshot), executor: executor, fanOut: fanOut, clock: time.clock())
  }

  private func outcome(_ call: TestCall, _ engine: Engine) -> String {
    do throws(CallFailure) {
      let outcome = try engine.outcome(call.call)
      return "\(outcome.fidelity) \(outcome.reason)"
    } catch {
      return "\(error.code.name): \(error.message)"
    }
  }

  /// 100 candidates of 5.1 µs each.
  @Test func fullHouses() throws {
    let work: UInt64 = 510_000
    let held = HeldShards(2)
    for (isBatch, room) in [
      (false, Limits.serving.shardQueueNanoseconds), (true, Limits.serving.batchQueueNanoseconds),
    ] {
      let engine = try engine(held)
      for (queued, isFull) in [
        (0, false), (1, false), (room - work, false), (room - work + 1, true), (room, true),
        (.max, true),
      ] as [(UInt64, Bool)] {
        held.others = [queued, .max]
        #expect(engine.isFull(candidates: 100, isBatch: isBatch) == isFull, "\(queued)")
        held.others = [.max, queued]
        #expect(engine.isFull(candidates: 100, isBatch: isBatch) == isFull, "\(queued)")
      }
      // More than a queue holds is let into an empty one.
      held.others = [0, 0]
      #expect(!engine.isFull(candidates: 10_000_000, isBatch: isBatch))
      held.others = [1, 1]
      #expect(engine.isFull(candidates: 10_000_000, isBatch: isBatch))
      #expect(engine.isFull(candidates: .max, isBatch: isBatch))
    }
  }

  @Test func whatNeedsNoQueueIsNeverRefused() throws {
    let held = HeldShards(2)
    held.others = [.max, .max]
    #expect(try !engine(held, .auto).isFull(candidates: 39, isBatch: true))
    #expect(try engine(held, .auto).isFull(candidates: 40, isBatch: true))
    #expect(try engine(held, .never).isFull(candidates: 1, isBatch: false))
  }

  /// A batch that is cut needs in each queue only the room of a slice.
  @Test func slicesNeedTheRoomOfSlices() throws {
    let held = HeldShards(4)
    // 60,000 candidates are 306 ms; a quarter of them 76.5.
    held.others = Array(repeating: Limits.serving.shardQueueNanoseconds - 80_000_000, count: 4)
    #expect(try !engine(held, .auto).isFull(candidates: 60_000, isBatch: false))
    #expect(try engine(held, .never).isFull(candidates: 60_000, isBatch: false))
  }

  @Test func batchCallersFillHalfTheQueue() throws {
    let held = HeldShards(1)
    func submit(_ isBatch: Bool) throws -> String {
      let engine = try engine(held)
      let call = TestCall()
      if try call.start(engine, request(100), isBatch: isBatch) { return outcome(call, engine) }
      held.runAll()
      return outcome(call, engine)
    }
    held.others = [Limits.serving.batchQueueNanoseconds - 510_000]
    #expect(try submit(true) == "full ok")
    held.others = [Limits.serving.batchQueueNanoseconds - 509_999]
    #expect(try submit(true) == full)
    #expect(try submit(false) == "full ok")
  }

  /// Interactive jobs run before batch ones, so that what waits of those takes no time of theirs.
  @Test func batchWorkIsInNobodysWay() throws {
    let held = HeldShards(1)
    let engine = try engine(held)
    func start(isBatch: Bool, leftNanoseconds: UInt64) throws -> TestCall {
      let call = TestCall()
      #expect(
        try !call.start(
          engine, request(100), deadlineNanoseconds: time.now + leftNanoseconds, isBatch: isBatch))
      return call
    }
    let first = try (0..<20).map { _ in try start(isBatch: true, leftNanoseconds: 100_000_000) }
    let calls = try [false, true].map { try start(isBatch: $0, leftNanoseconds: 2_000_000) }
    held.runAll()
    #expect(first.allSatisfy { outcome($0, engine) == "full ok" })
    #expect(calls.map { outcome($0, engine) } == ["full ok", "prior overload"])
  }

  /// Batch callers are judged by their own waits, too; those of long ago count no more.
  @Test func overloadsOfBothKinds() {
    let (interval, long) = (Limits.serving.queueDelayIntervalNanoseconds, UInt64(20_000_000))
    var delay = QueueDelay()
    for at in 1...3 {
      _ = delay.sheds(
        waitedNanoseconds: long, allowedNanoseconds: 60_000_000, isBatch: false,
        now: UInt64(at) * interval)
    }
    #expect(delay.isOverloaded(now: 4 * interval) && delay.isOverloaded(now: 5 * interval - 1))
    #expect(!delay.isOverloaded(now: 5 * interval))
    for (others, isShed) in [(false, false), (true, true)] {
      var calm = QueueDelay()
      #expect(
        calm.sheds(
          waitedNanoseconds: long, allowedNanoseconds: 60_000_000, isBatch: true, now: interval,
          othersAreOverloaded: others) == isShed)
    }
  }

  /// Jobs that all wait 20 ms, for a second: then the queue is overloaded.
  private func overload(_ held: HeldShards, _ engine: Engine) throws {
    for _ in 0..<50 {
      let call = TestCall()
      #expect(try !call.start(engine, request(20)))
      time.nowNanoseconds.add(20_000_000, ordering: .relaxed)
      held.runAll()
    }
  }

  @Test func shedBatchFirst() throws {
    let held = HeldShards(1)
    let engine = try engine(held)
    func wait(_ waited: UInt64, _ minFidelity: Fidelity, isBatch: Bool) throws -> String {
      let call = TestCall()
      // Interactive callers of 60 ms bear 15, batch ones 3.75.
      let isDone = try call.start(
        engine, request(20, minFidelity), deadlineNanoseconds: time.now + 60_000_000,
        isBatch: isBatch)
      #expect(!isDone)
      time.nowNanoseconds.add(waited, ordering: .relaxed)
      held.runAll()
      #expect(call.completion.count == 1)
      return outcome(call, engine)
    }
    try overload(held, engine)
    #expect(try wait(20_000_000, .prior, isBatch: false) == "prior overload")
    #expect(try wait(20_000_000, .full, isBatch: false) == tooLong)
    #expect(try wait(20_000_000, .partial, isBatch: true) == tooLong)
    #expect(try wait(6_000_000, .prior, isBatch: true) == "prior overload")
    #expect(try wait(6_000_000, .full, isBatch: true) == tooLong)
    #expect(try wait(6_000_000, .full, isBatch: false) == "full ok")
    #expect(try wait(3_000_000, .full, isBatch: true) == "full ok")
    // The load is over: within an interval everybody is served again.
    for _ in 0..<12 { _ = try wait(0, .prior, isBatch: false) }
    time.nowNanoseconds.add(Limits.serving.queueDelayIntervalNanoseconds, ordering: .relaxed)
    #expect(try wait(1_000, .full, isBatch: true) == "full ok")
    #expect(try wait(20_000_000, .full, isBatch: false) == "full ok")
  }

  /// Each shard judges its own queue, and one slice that is shed takes the call with it.
  @Test func shardsJudgeForThemselves() throws {
    let held = HeldShards(2)
    let engine = try engine(held, .always)
    let own = Dictionary(grouping: world.itemIDs) { splitmix64($0) % 2 }
    func wait(_ items: [UInt64], _ waited: UInt64) throws -> String {
      var request = PlainRequest()
      request.itemIDs = items
      let call = TestCall()
      #expect(try !call.start(engine, request, deadlineNanoseconds: time.now + 60_000_000))
      time.nowNanoseconds.add(waited, ordering: .relaxed)
      held.runAll()
      return outcome(call, engine)
    }
    let first = try #require(own[0])
    let second = try #require(own[1])
    for _ in 0..<50 {
      _ = try wait(first, 20_000_000)
      _ = try wait(second, 0)
    }
    #expect(try wait(second, 20_000_000) == "full ok")
    #expect(try wait(first, 20_000_000) == "prior overload")
    #expect(try wait(first + second, 20_000_000) == "prior overload")
  }

  /// A long queue in front of a short deadline: coarser where that is faster, refused where it is
  /// not allowed, and RESOURCE_EXHAUSTED only if an empty queue would have helped.
  @Test func longQueuesAndShortDeadlines() throws {
    func start(
      _ held: HeldShards, _ fanOut: FanOut, _ minFidelity: Fidelity, left: UInt64
    ) throws -> String {
      let engine = try engine(held, fanOut)
      let call = TestCall()
      let text = failure { () throws(CallFailure) in
        // 100 candidates: 510 µs, or 270, 135, 71 and 4.
        if try !call.start(
          engine, request(100, minFidelity), deadlineNanoseconds: time.now + left)
        {
          held.runAll()
        }
      }
      return text == "OK" ? outcome(call, engine) : text
    }
    let short = "RESOURCE_EXHAUSTED: too much waits for an answer of that fidelity in time"
    let late = "DEADLINE_EXCEEDED: there is no time for an answer of that fidelity"
    for fanOut in FanOut.allCases {
      let held = HeldShards(1)
      held.others = [20_000_000]
      #expect(try start(held, fanOut, .full, left: 600_000) == short)
      #expect(try start(held, fanOut, .full, left: 500_000) == late)
      held.others = [0]
      #expect(try start(held, fanOut, .full, left: 600_000) == "full ok")
      #expect(try start(held, fanOut, .partial, left: 500_000) == "partial deadline")
      #expect(try start(held, fanOut, .partial, left: 50_000) == late)
      held.others = [20_000_000]
      if fanOut != .auto {
        #expect(try start(held, fanOut, .partial, left: 600_000) == short)
        #expect(try start(held, fanOut, .prior, left: 600_000) == "prior overload")
      }
    }
  }

  /// What is little enough work at its level is not put behind a queue that makes it late.
  @Test func coarseAnswersPassTheQueueByInPlace() throws {
    let held = HeldShards(1)
    held.others = [400_000_000]
    let engine = try engine(held, .auto)
    for (left, expected) in [
      (300_000, "partial overload"), (60_000, "prior deadline"), (5, "prior deadline"),
    ] as [(UInt64, String)] {
      let call = TestCall()
      #expect(try call.start(engine, request(100), deadlineNanoseconds: time.now + left))
      #expect(outcome(call, engine) == expected)
      #expect(call.written == 100)
    }
    // With time enough to wait, the whole model is worth the wait.
    let call = TestCall()
    #expect(try !call.start(engine, request(100), deadlineNanoseconds: time.now + 500_000_000))
    held.runAll()
    #expect(outcome(call, engine) == "full ok")
  }

  /// A loop that has no time left in this turn hands over even small work.
  @Test func aTurnMayHaveNoTimeLeft() throws {
    let held = HeldShards(1)
    let engine = try engine(held, .auto)
    let call = TestCall()
    #expect(try !call.start(engine, request(5), inPlaceNanoseconds: 0))
    held.runAll()
    #expect(outcome(call, engine) == "full ok")
    #expect(try call.start(engine, request(5)))
  }
}
