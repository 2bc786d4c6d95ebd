import Core
import Synchronization
import Models
import Testing

@testable import Engine

/// Streamed calls: parts by slice, in local order, at a level that is fixed when they start.
@Suite struct StreamedCallTests {
  private let world = PlainWorld(seed: 71)
  private let serving: Serving

  init() throws {
    serving = try Serving(
      try world.snapshotSpec(text: PlainWorld.forestText(seed: 71, trees: 30)).load())
  }

  /// A streamed call and the parts that its slices write.
  private final class Streamed {
    let call = TestCall()
    private var parts: [(memory: UnsafeMutableRawPointer, count: Int)] = []

    deinit { for part in parts { part.memory.deallocate() } }

    func start(
      _ engine: Engine, _ request: PlainRequest, deadlineNanoseconds: UInt64 = .max,
      isBatch: Bool = false, then: (UnsafeMutablePointer<ScoreCall>) -> Void = { _ in }
    ) throws(CallFailure) -> Bool {
      call.call.pointee.sliceCompleted = sliceCompleted
      return try call.start(
        engine, request, deadlineNanoseconds: deadlineNanoseconds, isBatch: isBatch,
        scheduled: { call in
          layOut(call)
          then(call)
        })
    }

    private func layOut(_ call: UnsafeMutablePointer<ScoreCall>) {
      for slice in 0..<call.pointee.sliceCount {
        let count = call.pointee.candidateCount(ofSlice: slice)
        let room = UnsafeMutableRawPointer.allocate(byteCount: 14 * count + 1, alignment: 16)
        room.initializeMemory(as: UInt8.self, repeating: TestCall.untouched, count: 14 * count + 1)
        parts.append((room, count))
        call.pointee.setColumns(
          ScoreColumns(
            scores: room, rawScores: room + 4 * count,
            fidelities: (room + 12 * count).assumingMemoryBound(to: UInt8.self),
            reasons: (room + 13 * count).assumingMemoryBound(to: UInt8.self)), ofSlice: slice)
      }
    }

    /// A part's columns: nothing beyond them has been written.
    func part(_ slice: Int) -> Answer {
      let (room, count) = parts[slice]
      #expect((room + 14 * count).load(as: UInt8.self) == TestCall.untouched)
      return Answer(
        scores: (0..<count).map { room.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) },
        raw: (0..<count).map {
          room.loadUnaligned(fromByteOffset: 4 * count + 8 * $0, as: UInt64.self)
        },
        fidelities: (0..<count).map { (room + 12 * count + $0).load(as: UInt8.self) },
        reasons: (0..<count).map { (room + 13 * count + $0).load(as: UInt8.self) }, unknown: 0)
    }

    func positions(_ slice: Int) -> [Int] {
      let count = call.call.pointee.candidateCount(ofSlice: slice)
      guard let positions = call.call.pointee.positions(ofSlice: slice) else {
        return Array(0..<count)
      }
      return (0..<count).map { Int(positions[$0]) }
    }
  }

  /// The answer of a whole model, cut as the parts are; nil: of a part that is missed.
  private func check(
    _ streamed: Streamed, _ engine: Engine, _ request: PlainRequest, missed: [Int: Reason],
    _ place: String
  ) {
    let whole = world.answer(request, serving.defaultBlueprint.forest)
    var seen: [Int] = []
    for slice in streamed.call.completion.slices {
      let outcome = engine.outcome(ofSlice: slice, of: streamed.call.call)
      let part = streamed.part(slice)
      let positions = streamed.positions(slice)
      seen += positions
      #expect(outcome.fidelity == (missed[slice] == nil ? .full : .none), "\(place)")
      #expect(outcome.reason == missed[slice] ?? .ok, "\(place)")
      #expect(outcome.unknown == positions.count { whole.reasons[$0] == 2 }, "\(place)")
      for (index, position) in positions.enumerated() {
        let isKnown = whole.reasons[position] == 1
        if let reason = missed[slice], isKnown {
          #expect(part.scores[index] == 0 && part.rawScore(index).isNaN, "\(place)")
          #expect(part.fidelities[index] == 1 && part.reasons[index] == reason.rawValue)
        } else {
          #expect(part.scores[index] == whole.scores[position], "\(place)")
          #expect(part.raw[index] == whole.raw[position], "\(place)")
          #expect(part.fidelities[index] == whole.fidelities[position], "\(place)")
          #expect(part.reasons[index] == whole.reasons[position], "\(place)")
        }
      }
    }
    #expect(seen.sorted() == Array(0..<request.count), "\(place)")
  }

  @Test(arguments: FanOut.allCases, [1, 2, 3, 7]) func everyPositionOnce(
    _ fanOut: FanOut, _ shards: Int
  ) throws {
    let seed = UInt64(shards)
    var random = SplitMix64(seed: seed)
    for round in 0..<30 {
      let held = HeldShards(shards)
      let engine = Engine(serving, executor: held, fanOut: fanOut, clock: FakeTime().clock())
      let count = Int.random(in: 0...[3, 150][round % 2], using: &random)
      let request = world.randomRequest(count: count, using: &random)
      let streamed = Streamed()
      let isDone = try streamed.start(engine, request)
      #expect(isDone == held.held.isEmpty)
      while !held.held.isEmpty {
        #expect(streamed.call.completion.count == 0)
        held.runNext(Int.random(in: 0..<held.held.count, using: &random))
      }
      #expect(streamed.call.completion.count == (isDone ? 0 : 1))
      let place = "seed \(seed), round \(round), \(fanOut)"
      check(streamed, engine, request, missed: [:], place)
      let outcome = try engine.outcome(streamed.call.call)
      #expect(outcome.fidelity == .full && outcome.treesUsed == 70, "\(place)")
      // An empty batch is one empty part.
      if count == 0 { #expect(streamed.call.completion.slices == [0]) }
    }
  }

  /// Slices that the deadline meets are NONE, and the others what they were.
  @Test(arguments: 0...3) func slicesThatMissTheirLevel(_ inTime: Int) throws {
    let time = FakeTime()
    let held = HeldShards(3)
    let engine = Engine(serving, executor: held, fanOut: .always, clock: time.clock())
    var random = SplitMix64(seed: 8)
    let request = world.randomRequest(count: 90, using: &random)
    let streamed = Streamed()
    #expect(try !streamed.start(engine, request, deadlineNanoseconds: time.now + 10_000_000))
    for _ in 0..<inTime { held.runNext() }
    time.nowNanoseconds.add(10_000_000, ordering: .relaxed)
    held.runAll()
    #expect(streamed.call.completion.count == 1)
    #expect(streamed.call.completion.slices == [0, 1, 2])
    let missed = Dictionary(uniqueKeysWithValues: (inTime..<3).map { ($0, Reason.deadline) })
    check(streamed, engine, request, missed: missed, "\(inTime) in time")
  }

  /// The deadline comes in the middle of a slice: what it has scored is not told.
  @Test func aSliceThatStopsHalfway() throws {
    let meter = WorkMeter()
    meter.nanosecondsPerTree = 50
    meter.nanosecondsPerCandidate = 100
    let engine = Engine(
      serving, executor: InlineShards(1), fanOut: .never, clock: meter.clock())
    var random = SplitMix64(seed: 9)
    let request = world.randomRequest(count: 400, using: &random)
    let streamed = Streamed()
    let start = meter.now
    let isDone = try streamed.start(
      engine, request, deadlineNanoseconds: start + 2_000_000,
      then: { call in
        #expect(call.pointee.slices?[0].sums == nil)
        meter.watch(call)
        meter.nanosecondsPerTree = 200
      })
    #expect(isDone)
    let trees = meter.trace.last?.trees ?? 0
    #expect(trees > 0 && trees < 70 * 400)
    check(streamed, engine, request, missed: [0: .deadline], "halfway")
  }

  static let subsets = (1..<8).map { bits in Set((0..<3).filter { bits >> $0 & 1 == 1 }) }

  /// A part that its shard had no room for is a part like any other; a call that no shard had room
  /// for is refused.
  @Test(arguments: StreamedCallTests.subsets) func fullShards(_ full: Set<Int>) throws {
    let held = HeldShards(3)
    held.full = full
    let engine = Engine(serving, executor: held, fanOut: .always, clock: FakeTime().clock())
    var random = SplitMix64(seed: 10)
    let request = world.randomRequest(count: 90, using: &random)
    let streamed = Streamed()
    let isDone = try streamed.start(engine, request)
    let completion = streamed.call.completion
    #expect(isDone == (full.count == 3))
    #expect(completion.slices == (isDone ? [] : full.sorted()))
    held.runAll()
    #expect(completion.count == (isDone ? 0 : 1))
    let text = failure { () throws(CallFailure) in _ = try engine.outcome(streamed.call.call) }
    guard !isDone else {
      #expect(text == "RESOURCE_EXHAUSTED: the scoring queue is full: retry later")
      return
    }
    #expect(text == "OK")
    let missed = Dictionary(uniqueKeysWithValues: full.map { ($0, Reason.overload) })
    check(streamed, engine, request, missed: missed, "full \(full)")
  }

  /// The same when shards answer before the next slice is handed over.
  @Test func fullShardsAmongFastOnes() throws {
    let executor = FastShards(3, full: [1])
    let engine = Engine(serving, executor: executor, fanOut: .always, clock: FakeTime().clock())
    var random = SplitMix64(seed: 11)
    let request = world.randomRequest(count: 90, using: &random)
    let streamed = Streamed()
    #expect(try streamed.start(engine, request))
    #expect(streamed.call.completion.slices == [0, 2, 1])
    #expect(streamed.call.completion.count == 0)
    check(streamed, engine, request, missed: [1: .overload], "fast")
  }

  @Test func cancelledParts() throws {
    let held = HeldShards(3)
    let engine = Engine(serving, executor: held, fanOut: .always, clock: FakeTime().clock())
    var random = SplitMix64(seed: 12)
    let request = world.randomRequest(count: 90, using: &random)
    let streamed = Streamed()
    #expect(try !streamed.start(engine, request))
    held.runNext()
    streamed.call.call.pointee.cancel()
    held.runAll()
    #expect(streamed.call.completion.slices == [0, 1, 2])
    #expect(streamed.call.completion.count == 1)
    for slice in 1...2 {
      #expect(streamed.part(slice).reasons.allSatisfy { $0 == TestCall.untouched })
    }
    let text = failure { () throws(CallFailure) in _ = try engine.outcome(streamed.call.call) }
    #expect(text == "CANCELLED: the call was cancelled")
  }

  /// What a part is worth is settled before any is sent: never two levels in one call.
  @Test func theLevelIsFixed() throws {
    let seed: UInt64 = 13
    var random = SplitMix64(seed: seed)
    var levels: Set<Fidelity> = []
    for round in 0..<60 {
      let time = FakeTime()
      let held = HeldShards(3)
      let engine = Engine(serving, executor: held, fanOut: .always, clock: time.clock())
      let request = world.randomRequest(count: 120, using: &random)
      let streamed = Streamed()
      let available = UInt64.random(in: 1_000...300_000, using: &random)
      #expect(try !streamed.start(engine, request, deadlineNanoseconds: time.now + available))
      var parts: Set<Fidelity> = []
      while !held.held.isEmpty {
        held.runNext(Int.random(in: 0..<held.held.count, using: &random))
        time.nowNanoseconds.add(.random(in: 0...available / 2, using: &random), ordering: .relaxed)
        guard let slice = streamed.call.completion.slices.last else { continue }
        let outcome = engine.outcome(ofSlice: slice, of: streamed.call.call)
        let isMissed = outcome.fidelity == .none
        #expect(!isMissed || outcome.reason == .deadline)
        if !isMissed { parts.insert(outcome.fidelity) }
        let written = Set(streamed.part(slice).fidelities)
        #expect(
          written.isSubset(of: [1, outcome.fidelity.rawValue]), "seed \(seed), round \(round)")
      }
      #expect(parts.count <= 1, "seed \(seed), round \(round)")
      levels.formUnion(parts)
    }
    #expect(levels == [.prior, .partial, .full])
  }
}

/// Runs jobs at once, but for those of shards that are full.
private final class FastShards: ShardExecutor {
  let shardCount: Int
  private let full: Set<Int>

  init(_ count: Int, full: Set<Int>) {
    shardCount = count
    self.full = full
  }

  var leastLoadedShard: Int { 0 }

  func queuedNanoseconds(of shard: Int) -> UInt64 { 0 }

  func withdraw(_ job: UnsafeMutablePointer<ShardJob>) {}

  func jobEnds(on shard: Int) {}

  func submit(_ job: UnsafeMutablePointer<ShardJob>, to shard: Int) -> Bool {
    if full.contains(shard) { return false }
    job.pointee.run(UnsafeMutableRawPointer(job), shard)
    return true
  }
}
