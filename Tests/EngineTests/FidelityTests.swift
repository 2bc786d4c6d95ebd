import Core
import Models
import Synchronization
import Testing

@testable import Engine

/// One level for all positions of an answer, and each position what the contract says of it.
@Suite struct FidelityTests {
  private static let world = PlainWorld(seed: 31)

  struct Model: Sendable, CustomTestStringConvertible {
    var trees: Int
    var objective = "regression"
    var prior: String?
    var testDescription: String { "\(trees) random trees, \(objective), \(prior ?? "no prior")" }
  }

  static let models = [
    Model(trees: 23, objective: "binary sigmoid:0.7"),
    Model(trees: 8, objective: "binary sigmoid:1", prior: "item.f32"),
    Model(trees: 40, objective: "regression", prior: "item.f64"),
  ]

  /// A model's own forest and what is served of it.
  private struct Served {
    let serving: Serving
    let forest: Forest
    let priors: [Double]?

    init(_ model: Model, seed: UInt64) throws {
      let text = PlainWorld.forestText(seed: seed, trees: model.trees, objective: model.objective)
      var spec = FidelityTests.world.snapshotSpec(text: text)
      spec.models[0].output = "probability"
      spec.models[0].prior = model.prior
      serving = try Serving(try spec.load())
      forest = try EngineTests.forest(text)
      priors = model.prior.flatMap { FidelityTests.world.itemColumns[String($0.dropFirst(5))] }
    }

    /// The contract, position by position.
    func expected(_ request: PlainRequest, _ outcome: ScoreOutcome) -> Answer {
      var answer = Answer(scores: [], raw: [], fidelities: [], reasons: [], unknown: 0)
      let world = FidelityTests.world
      for position in 0..<request.count {
        guard let row = world.row(request, position: position) else {
          answer.add(score: 0, raw: .nan, .none, .unknownItem)
          answer.unknown += 1
          continue
        }
        guard outcome.fidelity != .prior else {
          let own = priors?[world.itemRow(request, position) ?? 0] ?? .nan
          let score = own.isNaN ? Float(forest.transform(forest.meanRaw)) : Float(own)
          answer.add(score: score, raw: .nan, .prior, outcome.reason)
          continue
        }
        var raw = 0.0
        forest.addScore(ofTrees: 0..<outcome.treesUsed, row: row, to: &raw)
        var corrected = raw
        if outcome.treesUsed < forest.treeCount {
          let rest = forest.treeMeans[outcome.treesUsed...]
          corrected += rest.dropFirst().reduce(rest.first ?? 0, +)
        }
        answer.add(
          score: Float(forest.transform(corrected)), raw: raw, outcome.fidelity, outcome.reason)
      }
      return answer
    }

    func isLevel(_ outcome: ScoreOutcome) -> Bool {
      let count = forest.treeCount
      switch outcome.fidelity {
      case .prior: return outcome.treesUsed == 0
      case .partial: return [count / 2, count / 4, count / 8].contains(outcome.treesUsed)
      case .full: return outcome.treesUsed == count && outcome.reason == .ok
      default: return false
      }
    }
  }

  /// Random batches, deadlines and orders of the slices, which also interrupt each other; the time
  /// that work takes is none of the engine's guesses.
  @Test(arguments: FidelityTests.models, [1, 2, 3, 7]) func oneLevelPerAnswer(
    _ model: Model, _ shards: Int
  ) throws {
    let seed = UInt64(100 + model.trees * 10 + shards)
    let served = try Served(model, seed: seed)
    var seen: [String: Int] = [:]
    var random = SplitMix64(seed: seed)
    for round in 0..<120 {
      let held = HeldShards(shards)
      let meter = WorkMeter()
      let fanOut = FanOut.allCases.randomElement(using: &random) ?? .auto
      let engine = Engine(served.serving, executor: held, fanOut: fanOut, clock: meter.clock())
      let call = TestCall()
      var request = Self.world.randomRequest(
        count: Int.random(in: 1...[20, 160][round % 2], using: &random), using: &random)
      request.minFidelity = [0, 1, 2, 3, 4].randomElement(using: &random) ?? 0
      let text = try run(
        call, engine, held, meter, request, served, using: &random)
      seen[text, default: 0] += 1
      let place = "seed \(seed), round \(round)"
      guard text.hasPrefix("OK") else { continue }
      let outcome = try engine.outcome(call.call)
      #expect(served.isLevel(outcome), "\(place): \(outcome)")
      #expect(outcome.fidelity.rawValue >= UInt8(request.minFidelity), "\(place)")
      #expect(call.answer(outcome) == served.expected(request, outcome), "\(place): \(outcome)")
    }
    for kind in ["OK full ok", "OK partial deadline", "OK prior deadline", "DEADLINE_EXCEEDED"] {
      #expect(seen[kind, default: 0] > 0, "seed \(seed): no \(kind) among \(seen)")
    }
  }

  private func run(
    _ call: TestCall, _ engine: Engine, _ held: HeldShards, _ meter: WorkMeter,
    _ request: PlainRequest, _ served: Served, using random: inout SplitMix64
  ) throws -> String {
    let forest = served.forest
    let scale: Double = [0.1, 1, 4].randomElement(using: &random) ?? 1
    meter.nanosecondsPerTree = 50 * scale
    meter.nanosecondsPerCandidate = 100 * scale
    let perCandidate = 100 + 50 * Double(forest.treeCount)
    let full = Double(request.count) * scale * perCandidate
    let available = UInt64(full * Double.random(in: 0.005...2.5, using: &random))
    let clientExtra = UInt64.random(in: 0...available, using: &random)
    let keepsRows = random.next() % 2 == 0
    let interrupts = UInt64.random(in: 1...6, using: &random)
    nonisolated(unsafe) var inner = SplitMix64(seed: random.next())
    let start = meter.now
    var isDone = false
    let text = failure { () throws(CallFailure) in
      isDone = try call.start(
        engine, request, deadlineNanoseconds: start + available,
        clientDeadlineNanoseconds: start + available + clientExtra,
        scheduled: { call in
          if !keepsRows { FidelityTests.forgetRows(call) }
          meter.watch(call)
          meter.atLook = { _ in
            guard !held.held.isEmpty, inner.next() % interrupts == 0 else { return }
            held.runNext(Int.random(in: 0..<held.held.count, using: &inner))
          }
        })
      while !held.held.isEmpty {
        held.runNext(Int.random(in: 0..<held.held.count, using: &inner))
      }
      _ = try engine.outcome(call.call)
    }
    #expect(call.completion.count == (isDone || !text.isSuccessOrLate ? 0 : 1))
    guard text == "OK" else { return String(text.prefix { $0 != ":" }) }
    let outcome = try engine.outcome(call.call)
    return "OK \(outcome.fidelity) \(outcome.reason)"
  }

  /// As if there were no room for them.
  private static func forgetRows(_ call: UnsafeMutablePointer<ScoreCall>) {
    for index in 0..<call.pointee.sliceCount {
      guard let slice = call.pointee.slices?[index] else { continue }
      var other = ScoreSlice(
        job: slice.job, call: slice.call, index: slice.index, positions: slice.positions,
        count: slice.count, row: slice.row, sums: slice.sums, keptRows: nil)
      other.columns = slice.columns
      call.pointee.slices?[index] = other
    }
  }

  /// The bound on kept rows is one for the call, however many slices it has.
  @Test func keptRowsAreBoundedForTheWholeCall() throws {
    let served = try Served(FidelityTests.models[0], seed: 5)
    let features = served.serving.defaultBlueprint.candidate.count
    let most = Limits.serving.keptRowsBytes / (8 * features)
    for (count, isKept) in [(most, true), (most + 1, false)] {
      let held = HeldShards(7)
      let engine = Engine(
        served.serving, executor: held, fanOut: .always, clock: FakeTime().clock())
      var request = PlainRequest()
      request.itemIDs = (0..<count).map { Self.world.itemIDs[$0 % PlainWorld.itemCount] }
      let call = TestCall()
      _ = try call.start(
        engine, request,
        scheduled: { call in
          for slice in 0..<7 {
            #expect(call.pointee.slices?[slice].sums != nil)
            #expect((call.pointee.slices?[slice].keptRows != nil) == isKept)
          }
        })
      call.call.pointee.cancel()
      held.runAll()
    }
  }
}

extension String {
  /// Not refused before it was cut.
  fileprivate var isSuccessOrLate: Bool {
    self == "OK" || hasPrefix("DEADLINE_EXCEEDED: the deadline passed before all")
  }
}

extension Answer {
  fileprivate mutating func add(score: Float, raw: Double, _ fidelity: Fidelity, _ reason: Reason) {
    scores.append(score.bitPattern)
    self.raw.append(raw.bitPattern)
    fidelities.append(fidelity.rawValue)
    reasons.append(reason.rawValue)
  }
}
