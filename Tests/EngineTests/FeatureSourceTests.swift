import Core
import Models
import Signals
import Testing

@testable import Engine

/// The row that the engine gives to the model, feature by feature, against the plain oracle.
@Suite struct FeatureSourceTests {
  private let world = PlainWorld(seed: 11)

  private func engine(hasUsers: Bool = true) throws -> Engine {
    let text = PlainWorld.forestText(seed: 1, trees: 0)
    let snapshot = try world.snapshotSpec(text: text, hasUsers: hasUsers).load()
    return Engine(
      try Serving(snapshot), executor: InlineShards(1), fanOut: .auto, clock: FakeTime().clock())
  }

  /// The row of the last candidate that was scored.
  private func lastRow(_ call: TestCall) throws -> [Double] {
    let slice = try #require(call.call.pointee.slices)
    return (0..<PlainWorld.features.count).map { slice.pointee.row[$0] }
  }

  private func expectRows(
    _ engine: Engine, _ request: PlainRequest, hasUsers: Bool = true, _ comment: Comment
  ) throws {
    let call = TestCall()
    for position in 0..<request.count {
      var single = request
      single.itemIDs = request.itemIDs.isEmpty ? [] : [request.itemIDs[position]]
      single.itemURIs = request.itemURIs.isEmpty ? [] : [request.itemURIs[position]]
      single.candidateColumns = request.candidateColumns.map { ($0.0, [$0.1[position]]) }
      guard let expected = world.row(single, position: 0, hasUsers: hasUsers) else { continue }
      _ = try call.run(engine, single)
      let row = try lastRow(call)
      for (index, feature) in PlainWorld.features.enumerated() {
        #expect(
          sameBits(row[index], expected[index]),
          "\(feature) of position \(position) is \(row[index]), not \(expected[index]): \(comment)")
      }
    }
  }

  @Test(arguments: 0..<6) func everySource(_ round: Int) throws {
    let engine = try engine()
    let seed = UInt64(round) + 100
    var random = SplitMix64(seed: seed)
    for _ in 0..<6 {
      try expectRows(engine, world.randomRequest(count: 12, using: &random), "seed \(seed)")
    }
  }

  @Test func withoutUsersEveryUserSignalIsMissing() throws {
    let engine = try engine(hasUsers: false)
    var request = PlainRequest()
    request.itemIDs = world.itemIDs
    request.userID = world.userIDs[0]
    request.userURI = "anything"
    try expectRows(engine, request, hasUsers: false, "no users")
  }

  @Test func anonymousAndUnknownUsersHaveNoColumnsAndAZeroDot() throws {
    let engine = try engine()
    for (userID, uri) in [(0, ""), (12, ""), (0, "spotify:user:99"), (12, "spotify:user:99")] {
      var request = PlainRequest()
      request.itemIDs = [world.itemIDs[3]]
      request.userID = UInt64(userID)
      request.userURI = uri
      let call = TestCall()
      _ = try call.run(engine, request)
      let row = try lastRow(call)
      for (index, feature) in PlainWorld.features.enumerated() {
        if feature.0.hasPrefix("u_") { #expect(row[index].isNaN, "\(feature)") }
        if feature.0.hasPrefix("d_") { #expect(row[index].bitPattern == 0, "\(feature)") }
      }
    }
  }

  @Test func theServersClockStandsInForNoTime() throws {
    let text = PlainWorld.forestText(seed: 1, trees: 0)
    // 1970-01-05 was a Monday: 13:59:59.999 there.
    let monday: Int64 = 4 * 86_400_000 + 14 * 3_600_000 - 1
    let engine = Engine(
      try Serving(try world.snapshotSpec(text: text).load()), executor: InlineShards(1),
      fanOut: .auto, clock: FakeTime().clock(unixMilliseconds: monday))
    var request = PlainRequest()
    request.itemIDs = [world.itemIDs[0]]
    let call = TestCall()
    _ = try call.run(engine, request)
    let hour = try #require(PlainWorld.featureNames.firstIndex(of: "c_hour"))
    #expect(try lastRow(call)[hour] == 13)
    #expect(try lastRow(call)[hour + 1] == 0)
    #expect(call.call.pointee.timeUnixMilliseconds == monday)
  }

  @Test func noMoreIsLookedUpThanTreesTest() throws {
    let unused = SnapshotSpec.ModelSpec(
      text: modelText(features: ["x", "y"], trees: [.stump(1, 2.5, -1, 1)]),
      features: [("x", "item.f64"), ("y", "item.i8")])
    var spec = world.snapshotSpec(text: "")
    spec.models = [unused]
    let serving = try Serving(try spec.load())
    #expect(serving.defaultBlueprint.candidate.count == 1)
    let engine = Engine(
      serving, executor: InlineShards(1), fanOut: .auto, clock: FakeTime().clock())
    var request = PlainRequest()
    request.itemIDs = world.itemIDs
    let answer = try TestCall().run(engine, request)
    let column = try #require(world.itemColumns["i8"])
    for (index, value) in column.enumerated() {
      #expect(answer.rawScore(index) == (value <= 2.5 ? -1 : 1))
    }
  }

  @Test func outputsAreRawOrTransformedOnce() throws {
    var spec = world.snapshotSpec(text: "")
    let text = modelText(
      features: ["x"], trees: [.stump(0, 1, -0.3, 2.7)], objective: "binary sigmoid:1")
    spec.models = [
      SnapshotSpec.ModelSpec(output: "probability", text: text, features: [("x", "item.f64")]),
      SnapshotSpec.ModelSpec(name: "raw", text: text, features: [("x", "item.f64")]),
    ]
    let engine = Engine(
      try Serving(try spec.load()), executor: InlineShards(1), fanOut: .auto,
      clock: FakeTime().clock())
    var request = PlainRequest()
    request.itemIDs = world.itemIDs
    let probability = try TestCall().run(engine, request)
    request.model = "raw"
    let raw = try TestCall().run(engine, request)
    let transform = try forest(text).transform
    for index in 0..<PlainWorld.itemCount {
      #expect(probability.raw[index] == raw.raw[index])
      #expect(raw.score(index) == Float(raw.rawScore(index)))
      #expect(probability.score(index) == Float(transform(raw.rawScore(index))))
    }
  }
}
