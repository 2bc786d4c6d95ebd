import Core
import Signals
import Testing

@testable import Engine

/// Batches by their shape, and requests that make no sense.
@Suite struct BatchTests {
  private let world = PlainWorld(seed: 13)
  private let serving: Serving

  init() throws {
    serving = try Serving(
      try world.snapshotSpec(text: PlainWorld.forestText(seed: 3, trees: 5)).load())
  }

  private func engine(_ fanOut: FanOut = .auto, shards: Int = 1) -> Engine {
    Engine(serving, executor: InlineShards(shards), fanOut: fanOut, clock: FakeTime().clock())
  }

  private func refusal(_ change: (inout PlainRequest) -> Void) -> String {
    var request = PlainRequest()
    request.itemIDs = [world.itemIDs[0], world.itemIDs[1]]
    change(&request)
    let asked = request
    return failure { () throws(CallFailure) in _ = try TestCall().run(engine(), asked) }
  }

  @Test(arguments: FanOut.allCases) func emptyBatches(_ fanOut: FanOut) throws {
    for shards in [1, 3] {
      var request = PlainRequest()
      request.candidateColumns = [("a", [])]
      let answer = try TestCall().run(engine(fanOut, shards: shards), request)
      #expect(answer == Answer(scores: [], raw: [], fidelities: [], reasons: [], unknown: 0))
    }
  }

  @Test(arguments: FanOut.allCases) func unknownItemsAreAnsweredWhereTheyStand(_ fanOut: FanOut)
    throws
  {
    let known = world.itemIDs[7]
    var request = PlainRequest()
    request.itemIDs = [0, known, 2, .max & ~1, known, 0]
    let byID = try TestCall().run(engine(fanOut, shards: 3), request)
    request.itemIDs = []
    let uri = PlainWorld.itemURI(7)
    request.itemURIs = ["", uri, "spotify:track:7", "\(known)", uri, "x"]
    let byURI = try TestCall().run(engine(fanOut, shards: 3), request)
    for answer in [byID, byURI] {
      #expect(answer.unknown == 4)
      #expect(answer.fidelities == [1, 4, 1, 1, 4, 1])
      #expect(answer.reasons == [2, 1, 2, 2, 1, 2])
      #expect(answer.scores[1] == answer.scores[4])
      for position in [0, 2, 3, 5] {
        #expect(answer.scores[position] == 0)
        #expect(answer.rawScore(position).isNaN)
      }
    }
    #expect(byID.scores == byURI.scores)
  }

  @Test(arguments: FanOut.allCases) func allUnknown(_ fanOut: FanOut) throws {
    var request = PlainRequest()
    request.itemIDs = (1...50).map { 2 * $0 }
    let answer = try TestCall().run(engine(fanOut, shards: 7), request)
    #expect(answer.unknown == 50)
    #expect(answer.scores.allSatisfy { $0 == 0 } && answer.reasons.allSatisfy { $0 == 2 })
  }

  @Test func duplicatesHaveColumnsOfTheirOwn() throws {
    var request = PlainRequest()
    request.itemIDs = Array(repeating: world.itemIDs[5], count: 4)
    request.candidateColumns = [("a", [0, 1, .nan, 1])]
    let answer = try TestCall().run(engine(.always, shards: 3), request)
    let forest = serving.defaultBlueprint.forest
    #expect(answer == world.answer(request, forest))
    #expect(answer.raw[1] == answer.raw[3])
  }

  @Test func requestsThatMakeNoSense() {
    #expect(refusal { $0.model = "default" } == "OK")
    #expect(
      refusal { $0.model = "Default" }
        == "INVALID_ARGUMENT: the snapshot has no model Default; it has default")
    #expect(
      refusal { $0.itemURIs = ["x"] }
        == "INVALID_ARGUMENT: item_ids and item_uris are both set: send one of them")
    #expect(
      refusal { $0.candidateColumns = [("c", [1, 2])] }
        == "INVALID_ARGUMENT: candidate_columns: the snapshot's request_columns do not declare c")
    for count in [0, 1, 3] {
      #expect(
        refusal { $0.candidateColumns = [("a", Array(repeating: 1, count: count))] }
          == "INVALID_ARGUMENT: candidate_columns: a has \(count) values for 2 candidates")
    }
    #expect(refusal { $0.requestID = String(repeating: "x", count: 64) } == "OK")
    #expect(
      refusal { $0.requestID = String(repeating: "x", count: 65) }
        == "INVALID_ARGUMENT: request_id has 65 bytes; the limit is 64")
    for fidelity: Int32 in 0...4 { #expect(refusal { $0.minFidelity = fidelity } == "OK") }
    for fidelity: Int32 in [-1, 5, 256, 260, .max, .min] {
      #expect(
        refusal { $0.minFidelity = fidelity }
          == "INVALID_ARGUMENT: min_fidelity \(fidelity) is no Fidelity")
    }
    // Boosts are not the engine's affair.
    #expect(refusal { $0.wantBoosts = true } == "OK")
  }

  /// Whatever the memory, a call either has the right answer or says that it has too little.
  @Test(arguments: FanOut.allCases) func tooLittleMemoryIsAnAnswer(_ fanOut: FanOut) throws {
    var random = SplitMix64(seed: 9)
    var request = world.randomRequest(count: 100, using: &random)
    request.candidateColumns = [("a", Array(repeating: 1, count: 100))]
    let expected = world.answer(request, serving.defaultBlueprint.forest)
    let engine = engine(fanOut, shards: 3)
    var outcomes: Set<String> = []
    for bytes in stride(from: 64, through: 12_000, by: 97) {
      let call = TestCall(arenaBytes: bytes)
      do throws(CallFailure) {
        #expect(try call.run(engine, request) == expected)
        outcomes.insert("OK")
      } catch {
        #expect(error == ScorePlanner.outOfArena)
        #expect(call.completion.count == 0)
        outcomes.insert(error.code.name)
      }
    }
    #expect(outcomes == ["OK", "RESOURCE_EXHAUSTED"])
  }
}
