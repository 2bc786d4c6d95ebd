import Core
import Signals
import Testing

@testable import Engine

/// What is refused when a snapshot is loaded, each by the name of the model and of the feature.
@Suite struct BlueprintTests {
  private static let items = [
    TensorSpec("id", "U64", [1, 2, 3] as [UInt64]), TensorSpec("x", [1, 2, 3] as [Double]),
    TensorSpec("market", "U8", [0, 1, 0] as [UInt8]),
    TensorSpec("taste", [1, 2, 3] as [Float], shape: [3, 1]),
    TensorSpec("wide", [1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2]),
    TensorSpec("half", [1, 2, 3] as [Float16], shape: [3, 1]),
  ]
  private static let users = [
    TensorSpec("id", "U64", [1] as [UInt64]), TensorSpec("y", [1] as [Double]),
    TensorSpec("taste", [1] as [Float], shape: [1, 1]),
  ]

  private static func spec(
    _ features: [(String, String)], text: String? = nil, kind: String = "lightgbm"
  ) -> SnapshotSpec {
    let text =
      text ?? modelText(features: features.map(\.0), trees: [.stump(0, 0.5, 1, 2)])
    return SnapshotSpec(
      items: items, users: users, requestColumns: ["r"],
      categories: ["market": ["SE", "US"], "x": ["a"], "r": ["p", "q"]],
      models: [SnapshotSpec.ModelSpec(kind: kind, text: text, features: features)])
  }

  /// Why a snapshot cannot be served, whoever says so.
  private func refusal(_ spec: SnapshotSpec) throws -> String {
    do {
      _ = try Serving(try spec.load())
      return "OK"
    } catch let error as BlueprintError {
      return error.description
    } catch let error as SnapshotError {
      return error.description
    }
  }

  @Test func bindingsThatAreMissingOrTooMany() throws {
    let text = modelText(features: ["a", "b"], trees: [.stump(0, 0.5, 1, 2)])
    let both = [("b", "item.x"), ("a", "user.y")]
    #expect(try refusal(BlueprintTests.spec(both, text: text)) == "OK")
    #expect(
      try refusal(BlueprintTests.spec([("a", "item.x")], text: text))
        == "manifest.json: model default: feature b: the manifest binds it to nothing")
    let three = [("a", "item.x"), ("c", "item.x"), ("b", "item.x")]
    #expect(
      try refusal(BlueprintTests.spec(three, text: text))
        == "manifest.json: model default: feature c: the model has no such feature")
    let twice = [("a", "item.x"), ("b", "item.x"), ("a", "item.x")]
    #expect(try refusal(BlueprintTests.spec(twice, text: text)) != "OK")
  }

  @Test(arguments: ["xgboost", "linear"]) func kindsThatAreNotServedYet(_ kind: String) throws {
    #expect(
      try refusal(BlueprintTests.spec([("a", "item.x")], kind: kind))
        == "manifest.json: model default: kind \(kind) is not supported yet; lightgbm is")
  }

  @Test func aModelThatCannotBeReadNamesItsFile() throws {
    let refusal = try refusal(BlueprintTests.spec([("a", "item.x")], text: "no model"))
    #expect(refusal == "models/default.txt: model default: line 1: not a LightGBM text model")
  }

  @Test(arguments: [
    "item.z", "user.z", "request.z", "item.taste", "user.taste", "context.surface",
    "dot(user.taste, item.wide)", "dot(user.taste, item.half)", "dot(user.z, item.taste)",
    "dot(user.taste, item.z)", "dot(user.y, item.x)", "equal(item.x, user.z)",
    "equal(item.x, dot(user.taste, item.taste))", "equal(item.x, equal(item.x, user.y))",
  ])
  func sourcesThatAreNotThere(_ source: String) throws {
    let refusal = try refusal(BlueprintTests.spec([("feature", source)]))
    // The manifest's own check names the place, the blueprint's the feature.
    let names = refusal.contains("models[0].features[0].from") || refusal.contains(": feature ")
    #expect(names, "\(source): \(refusal)")
  }

  @Test func withoutUsersASourceOfTheirsIsNotLookedFor() throws {
    for source in ["user.whatever", "dot(user.whatever, item.taste)"] {
      var spec = BlueprintTests.spec([("feature", source)])
      spec.users = nil
      #expect(try refusal(spec) == "OK")
    }
  }

  @Test func categoriesMustBeThoseOfTheTraining() throws {
    func refusal(_ source: String, _ levels: String) throws -> String {
      let text = modelText(
        features: ["f"], trees: [.stump(0, 0.5, 1, 2)], infos: [0: "0:1"],
        pandasCategories: "[\(levels)]")
      return try self.refusal(BlueprintTests.spec([("f", source)], text: text))
    }
    let trained = "[\"SE\", \"US\"]"
    #expect(try refusal("context.market", trained) == "OK")
    #expect(try refusal("item.market", trained) == "OK")
    #expect(try refusal("request.r", "[\"p\", \"q\"]") == "OK")
    let place = "manifest.json: model default: feature f: "
    let differ = place + "the categories of market differ from the levels"
    for levels in ["[\"US\", \"SE\"]", "[\"SE\", \"US\", \"NO\"]", "[\"SE\", \"us\"]"] {
      #expect(try refusal("item.market", levels) == differ + " it was trained on")
    }
    #expect(
      try refusal("user.y", trained)
        == place + "the manifest's categories have no y")
    for source in ["context.hour", "constant(1)", "equal(item.x, user.y)"] {
      #expect(
        try refusal(source, trained)
          == place + "a pandas category bound to a source without categories"
      )
    }
  }

  @Test func theDefaultModelAndOthersByName() throws {
    var spec = BlueprintTests.spec([("a", "item.x")])
    spec.models.append(spec.models[0])
    spec.models[1].name = "challenger"
    let serving = try Serving(try spec.load())
    #expect(serving.blueprints.map(\.declaration.name) == ["default", "challenger"])
    #expect(serving.blueprints.map(\.index) == [0, 1])
    #expect(serving.defaultBlueprint === serving.blueprints[0])
    let engine = Engine(
      serving, executor: InlineShards(1), fanOut: .auto, clock: FakeTime().clock())
    let memory = RequestMemory()
    for (name, index) in [("", 0), ("default", 0), ("challenger", 1)] {
      var request = PlainRequest()
      request.model = name
      #expect(try engine.blueprint(for: memory.view(request)) === serving.blueprints[index])
    }
  }
}
