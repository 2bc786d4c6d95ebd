import Core
import Signals
import Testing

@testable import Engine

/// What a request says of its user, and over its user.
@Suite struct UserTests {
  private let world = PlainWorld(seed: 12)
  private let engine: Engine

  init() throws {
    let text = PlainWorld.forestText(seed: 2, trees: 3)
    engine = Engine(
      try Serving(try world.snapshotSpec(text: text).load()), executor: InlineShards(1),
      fanOut: .auto, clock: FakeTime().clock())
  }

  private func request(_ change: (inout PlainRequest) -> Void) -> PlainRequest {
    var request = PlainRequest()
    request.itemIDs = world.itemIDs
    change(&request)
    return request
  }

  private func refusal(_ change: (inout PlainRequest) -> Void) -> String {
    let request = request(change)
    return failure { () throws(CallFailure) in _ = try TestCall().run(engine, request) }
  }

  @Test func idAndURIMustAgree() {
    let disagree = "INVALID_ARGUMENT: user_id and user_uri name different users of the snapshot"
    let (id, uri) = (world.userIDs[2], PlainWorld.userURI(2))
    #expect(refusal { ($0.userID, $0.userURI) = (id, uri) } == "OK")
    #expect(refusal { ($0.userID, $0.userURI) = (id, PlainWorld.userURI(3)) } == disagree)
    #expect(refusal { ($0.userID, $0.userURI) = (id, "nobody") } == disagree)
    #expect(refusal { ($0.userID, $0.userURI) = (12, uri) } == disagree)
    // Two names of a user that the snapshot does not have contradict nothing that it says.
    #expect(refusal { ($0.userID, $0.userURI) = (12, "nobody") } == "OK")
    #expect(refusal { ($0.userID, $0.userURI) = (0, "nobody") } == "OK")
  }

  @Test func aURINamesTheSameUserAsAnID() throws {
    for row in 0..<PlainWorld.userCount {
      let byID = try TestCall().run(engine, request { $0.userID = world.userIDs[row] })
      let byURI = try TestCall().run(engine, request { $0.userURI = PlainWorld.userURI(row) })
      #expect(byID == byURI)
    }
  }

  @Test func overridesThatMakeNoSense() {
    let prefix = "INVALID_ARGUMENT: user_columns: "
    #expect(
      refusal { $0.userColumns = [("nothing", [1])] }
        == prefix + "the snapshot's users have no column or vector nothing")
    #expect(
      refusal { $0.userColumns = [("", [1])] }
        == prefix + "the snapshot's users have no column or vector ")
    #expect(
      refusal { $0.userColumns = [("mood", Array(repeating: 0, count: 20))] }
        == prefix + "mood is a vector of I8, which a request cannot override")
    #expect(
      refusal { $0.userColumns = [("mood.scale", [1])] }
        == prefix + "the snapshot's users have no column or vector mood.scale")
    #expect(
      refusal { $0.userColumns = [("f64", [])] }
        == prefix + "f64 has 0 values; 1 are expected")
    #expect(
      refusal { $0.userColumns = [("f64", [1, 2])] }
        == prefix + "f64 has 2 values; 1 are expected")
    #expect(
      refusal { $0.userColumns = [("taste", Array(repeating: 0, count: 18))] }
        == prefix + "taste has 18 values; 19 are expected")
    #expect(
      refusal { $0.userColumns = [("genre", Array(repeating: 0, count: 34))] }
        == prefix + "genre has 34 values; 33 are expected")
    // The last of two is the one that counts, but none may be wrong.
    #expect(
      refusal { $0.userColumns = [("f64", []), ("f64", [1])] }
        == prefix + "f64 has 0 values; 1 are expected")
  }

  @Test(arguments: [0, 1, 2]) func overridesReplaceWhatTheSnapshotSays(_ user: Int) throws {
    let forest = try forest(PlainWorld.forestText(seed: 2, trees: 3))
    var random = SplitMix64(seed: 500)
    func vector(_ count: Int) -> [Float] {
      (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
    }
    let changes: [[(String, [Float])]] = [
      [("f64", [1])], [("f64", [.nan])], [("i8", [2])], [("bool", [0.5])],
      [("taste", vector(19))], [("genre", vector(33))], [("i8", [0]), ("i8", [1])],
      [("taste", vector(19)), ("genre", vector(33)), ("taste", vector(19)), ("f32", [1])],
    ]
    for columns in changes {
      let request = request {
        $0.userID = user == 0 ? 0 : (user == 1 ? 12 : world.userIDs[4])
        $0.userColumns = columns
      }
      let answer = try TestCall().run(engine, request)
      #expect(answer == world.answer(request, forest), "user \(user), \(columns)")
    }
  }

  @Test func withoutUsersThereIsNothingToOverride() throws {
    let text = PlainWorld.forestText(seed: 2, trees: 3)
    let engine = Engine(
      try Serving(try world.snapshotSpec(text: text, hasUsers: false).load()),
      executor: InlineShards(1), fanOut: .auto, clock: FakeTime().clock())
    let request = request { $0.userColumns = [("f64", [1])] }
    #expect(
      failure { () throws(CallFailure) in _ = try TestCall().run(engine, request) }
        == "INVALID_ARGUMENT: user_columns: the snapshot's users have no column or vector f64")
  }
}
