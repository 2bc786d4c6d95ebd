import Core
import Signals
import Testing

@testable import Engine

/// A request that makes no sense is told which field to change.
@Suite struct FailureFieldTests {
  private let world = PlainWorld(seed: 13)
  private let engine: Engine

  init() throws {
    let text = PlainWorld.forestText(seed: 3, trees: 5)
    engine = Engine(
      try Serving(try world.snapshotSpec(text: text).load()), executor: InlineShards(1),
      fanOut: .auto, clock: FakeTime().clock())
  }

  private func field(_ change: (inout PlainRequest) -> Void) -> String? {
    var request = PlainRequest()
    request.itemIDs = [world.itemIDs[0], world.itemIDs[1]]
    change(&request)
    do throws(CallFailure) {
      _ = try TestCall().run(engine, request)
      return "OK"
    } catch {
      #expect(error.code == .invalidArgument || error.field == nil)
      return error.field
    }
  }

  @Test func refusalsNameTheirField() {
    #expect(field { _ in } == "OK")
    #expect(field { $0.model = "Default" } == "model")
    #expect(field { $0.itemURIs = ["x"] } == "item_uris")
    #expect(field { $0.requestID = String(repeating: "x", count: 65) } == "request_id")
    #expect(field { $0.minFidelity = 9 } == "min_fidelity")
    #expect(
      field { ($0.userID, $0.userURI) = (world.userIDs[2], "nobody") } == "user_uri")
    #expect(
      field { $0.candidateColumns = [("a", [1, 2]), ("c", [1, 2])] } == "candidate_columns[1].name")
    #expect(field { $0.candidateColumns = [("a", [1])] } == "candidate_columns[0].values")
    #expect(field { $0.userColumns = [("f64", [1]), ("x", [1])] } == "user_columns[1].name")
    #expect(
      field { $0.userColumns = [("mood", Array(repeating: 0, count: 20))] }
        == "user_columns[0].name")
    #expect(field { $0.userColumns = [("f64", [1]), ("taste", [1])] } == "user_columns[1].values")
  }
}
