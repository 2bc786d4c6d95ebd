import Core
import Models
import Signals

@testable import Engine

/// Items and users as plain Swift arrays, the snapshot that says the same, and the rows that the
/// contract (`formats.md` §1) gives to a model: an oracle without any of the engine's code.
struct PlainWorld {
  static let itemCount = 40
  static let userCount = 6
  static let market = ["SE", "US", "NO"]
  static let surface = ["radio", "home"]
  static let tier = ["free", "premium"]

  var itemIDs: [UInt64] = []
  var userIDs: [UInt64] = []
  var itemColumns: [String: [Double]] = [:]
  var userColumns: [String: [Double]] = [:]
  var itemVectors: [String: [[Float]]] = [:]
  var userVectors: [String: [[Float]]] = [:]
  var itemScales: [Float] = []
  var userScales: [Float] = []
  private(set) var items: [TensorSpec] = []
  private(set) var users: [TensorSpec] = []

  static func itemURI(_ row: Int) -> String { "spotify:track:\(row)ä" }
  static func userURI(_ row: Int) -> String { "spotify:user:\(row)" }

  static let features: [(String, String)] = [
    ("i_f64", "item.f64"), ("i_f32", "item.f32"), ("i_f16", "item.f16"), ("i_i64", "item.i64"),
    ("i_i32", "item.i32"), ("i_i16", "item.i16"), ("i_i8", "item.i8"), ("i_u8", "item.u8"),
    ("i_bool", "item.bool"), ("u_f64", "user.f64"), ("u_f32", "user.f32"), ("u_f16", "user.f16"),
    ("u_i64", "user.i64"), ("u_i8", "user.i8"), ("u_bool", "user.bool"), ("r_a", "request.a"),
    ("r_b", "request.b"), ("c_market", "context.market"), ("c_surface", "context.surface"),
    ("c_tier", "context.tier"), ("c_hour", "context.hour"), ("c_weekday", "context.weekday"),
    ("d_f32", "dot(user.taste, item.taste)"), ("d_f16", "dot(user.genre, item.genre)"),
    ("d_i8", "dot(user.mood, item.mood)"), ("one", "constant(1.5)"),
    ("e_item_item", "equal(item.market, item.i8)"),
    ("e_item_user", "equal(item.market, user.i8)"),
    ("e_user_item", "equal(user.f64, item.market)"),
    ("e_item_request", "equal(item.market, request.b)"),
    ("e_item_context", "equal(item.market, context.market)"),
    ("e_context_item", "equal(context.surface, item.bool)"),
    ("e_item_constant", "equal(item.market, constant(1))"),
    ("e_request_request", "equal(request.a, request.b)"),
    ("e_request_user", "equal(request.b, user.i8)"),
    ("e_request_context", "equal(request.b, context.tier)"),
    ("e_user_user", "equal(user.i8, user.bool)"),
    ("e_user_context", "equal(user.i8, context.market)"),
    ("e_context_constant", "equal(context.hour, constant(13))"),
    ("e_constant_constant", "equal(constant(2), constant(2.0))"),
  ]
  static let featureNames = features.map(\.0)

  init(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    itemIDs = (0..<PlainWorld.itemCount).map { _ in random.next() | 1 }
    userIDs = (0..<PlainWorld.userCount).map { _ in random.next() | 1 }
    makeColumns(of: PlainWorld.itemCount, &itemColumns, &items, using: &random)
    makeColumns(of: PlainWorld.userCount, &userColumns, &users, using: &random)
    makeVectors(of: PlainWorld.itemCount, &itemVectors, &itemScales, &items, using: &random)
    makeVectors(of: PlainWorld.userCount, &userVectors, &userScales, &users, using: &random)
    items += [TensorSpec("id", "U64", itemIDs)]
    items += TensorSpec.uris((0..<PlainWorld.itemCount).map(PlainWorld.itemURI))
    users += [TensorSpec("id", "U64", userIDs)]
    users += TensorSpec.uris((0..<PlainWorld.userCount).map(PlainWorld.userURI))
  }

  private func makeColumns(
    of count: Int, _ columns: inout [String: [Double]], _ tensors: inout [TensorSpec],
    using random: inout SplitMix64
  ) {
    func small(_ range: ClosedRange<Int>) -> [Int] {
      (0..<count).map { _ in Int.random(in: range, using: &random) }
    }
    func floats<Value: BinaryFloatingPoint>(_ type: Value.Type) -> [Value] {
      small(-1...8).map { $0 < 0 ? .nan : ($0 > 5 ? Value($0) / 3 : Value($0)) }
    }
    let (f64, f32, f16) = (floats(Double.self), floats(Float.self), floats(Float16.self))
    let market = floats(Float.self).map { $0 > 2 ? 2 : $0 }
    let i64 = small(-2...2).map { Int64($0) << 52 }
    let (i32, i16, i8) = (small(-99_999...99_999), small(-999...999), small(-1...3))
    let (u8, bool) = (small(0...255), small(0...1))
    columns = [
      "f64": f64, "f32": f32.map(Double.init), "f16": f16.map(Double.init),
      "market": market.map(Double.init), "i64": i64.map(Double.init), "i32": i32.map(Double.init),
      "i16": i16.map(Double.init), "i8": i8.map(Double.init), "u8": u8.map(Double.init),
      "bool": bool.map(Double.init),
    ]
    tensors += [
      TensorSpec("f64", f64), TensorSpec("f32", f32), TensorSpec("f16", f16),
      TensorSpec("market", market), TensorSpec("i64", "I64", i64),
      TensorSpec("i32", "I32", i32.map(Int32.init)), TensorSpec("i16", "I16", i16.map(Int16.init)),
      TensorSpec("i8", "I8", i8.map(Int8.init)), TensorSpec("u8", "U8", u8.map(UInt8.init)),
      TensorSpec("bool", "BOOL", bool.map(UInt8.init)),
    ]
  }

  private func makeVectors(
    of count: Int, _ vectors: inout [String: [[Float]]], _ scales: inout [Float],
    _ tensors: inout [TensorSpec], using random: inout SplitMix64
  ) {
    func matrix(_ dimension: Int) -> [[Float]] {
      (0..<count).map { _ in
        (0..<dimension).map { _ in Float.random(in: -1...1, using: &random) }
      }
    }
    let taste = matrix(19)
    let genre = matrix(33).map { $0.map { Float16($0) } }
    let mood = matrix(20).map { $0.map { Int8($0 * 127) } }
    scales = (0..<count).map { _ in Float.random(in: 0.001...2, using: &random) }
    vectors = [
      "taste": taste, "genre": genre.map { $0.map { Float($0) } },
      "mood": mood.map { $0.map { Float($0) } },
    ]
    tensors += [
      TensorSpec("taste", taste.flatMap { $0 }, shape: [count, 19]),
      TensorSpec("genre", genre.flatMap { $0 }, shape: [count, 33]),
      TensorSpec("mood", "I8", mood.flatMap { $0 }, shape: [count, 20]),
      TensorSpec("mood.scale", scales),
    ]
  }

  /// A forest that tests every feature.
  static func forestText(seed: UInt64, trees: Int, objective: String = "regression") -> String {
    var random = SplitMix64(seed: seed)
    let thresholds = features.map { feature -> [Double] in
      if feature.0.hasPrefix("d_") { return [-0.5, -0.01, 0, 0.01, 0.7] }
      if feature.0 == "i_i32" { return [-40_000, 0, 123.5] }
      if feature.0 == "i_i64" { return [-4_503_599_627_370_496, 0.5] }
      return [0, 0.5, 1, 1.5, 2, 7, 13]
    }
    let all = Array(features.indices)
    // Each feature is tested by some tree, so that each is looked up.
    let stumps = all.map { TreeSpec.stump($0, thresholds[$0][0], 0.125, -0.375) }
    return modelText(
      features: featureNames,
      trees: stumps
        + (0..<trees).map { _ in
          TreeSpec.random(leafCount: 9, features: all, thresholds: thresholds, using: &random)
        },
      objective: objective)
  }

  func snapshotSpec(text: String, hasUsers: Bool = true) -> SnapshotSpec {
    SnapshotSpec(
      items: items, users: hasUsers ? users : nil, requestColumns: ["a", "b"],
      categories: [
        "market": PlainWorld.market, "surface": PlainWorld.surface, "tier": PlainWorld.tier,
      ],
      models: [SnapshotSpec.ModelSpec(text: text, features: PlainWorld.features)])
  }

  /// A request with something of everything: known and unknown items, some of them twice.
  func randomRequest(count: Int, using random: inout SplitMix64) -> PlainRequest {
    var request = PlainRequest()
    switch Int.random(in: 0..<5, using: &random) {
    case 0: break
    case 1: request.userID = random.next() & ~1
    case 2: request.userURI = PlainWorld.userURI(Int.random(in: 0..<6, using: &random))
    default: request.userID = userIDs.randomElement(using: &random) ?? 0
    }
    request.market = (PlainWorld.market + ["DE", ""]).randomElement(using: &random) ?? ""
    request.surface = (PlainWorld.surface + ["car", ""]).randomElement(using: &random) ?? ""
    request.tier = (PlainWorld.tier + ["", "Free"]).randomElement(using: &random) ?? ""
    request.timeUnixMilliseconds = Int64.random(in: -4_000_000_000...4_000_000_000, using: &random)
    request.utcOffsetMinutes = Int32.random(in: -900...900, using: &random)
    let rows = (0..<count).map { _ in
      Int.random(in: -4..<PlainWorld.itemCount, using: &random)
    }
    if Int.random(in: 0..<4, using: &random) == 0 {
      request.itemURIs = rows.map { $0 < 0 ? "spotify:track:x\($0)" : PlainWorld.itemURI($0) }
    } else {
      request.itemIDs = rows.map { $0 < 0 ? UInt64(2 * -$0) : itemIDs[$0] }
    }
    for name in ["a", "b"] where Int.random(in: 0..<4, using: &random) > 0 {
      let values = (0..<count).map { _ in Int.random(in: -1...3, using: &random) }
      request.candidateColumns.append((name, values.map { $0 < 0 ? .nan : Float($0) }))
    }
    if Int.random(in: 0..<4, using: &random) == 0 {
      request.userColumns.append(("i8", [Float(Int.random(in: 0...2, using: &random))]))
    }
    if Int.random(in: 0..<4, using: &random) == 0 {
      let vector = (0..<19).map { _ in Float.random(in: -1...1, using: &random) }
      request.userColumns.append(("taste", vector))
    }
    return request
  }
}
