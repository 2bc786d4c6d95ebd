import Foundation
import Testing

@testable import Signals

struct SnapshotRefusalTests {
  private static let text = String(repeating: "n", count: 1_025)

  static let manifests: [Refusal] = [
    .manifest("format", "this reads crescendo-snapshot/1") {
      $0.manifest["format"] = "crescendo-snapshot/2"
    },
    .manifest("version", "does not match") { $0.manifest["version"] = "a/b" },
    .manifest("version", "does not match") { $0.manifest["version"] = "" },
    .manifest("version", "does not match") {
      $0.manifest["version"] = String(repeating: "v", count: 65)
    },
    .manifest("created", "is not a time") { $0.manifest["created"] = "2026-02-29T08:00:00Z" },
    .manifest("data_time", "is not a time") { $0.manifest["data_time"] = "yesterday" },
    .manifest("producer.run", "is missing") { $0.manifest["producer"] = ["name": "x"] },
    .manifest("request_columns[1]", "is there twice") {
      $0.manifest["request_columns"] = ["recent_plays_7d", "recent_plays_7d"]
    },
    .manifest("request_columns[0]", "is empty") { $0.manifest["request_columns"] = [""] },
    .manifest("request_columns[0]", "longer than 1024") { $0.manifest["request_columns"] = [text] },
    .manifest("request_columns", "at most 4096") {
      $0.manifest["request_columns"] = (0...4_096).map { "c\($0)" }
    },
    .manifest("request_columns[0]", "String") { $0.manifest["request_columns"] = [7] },
    .manifest("categories.market[2]", "is there twice") {
      $0.manifest["categories"] = ["market": ["SE", "US", "SE"]]
    },
    .manifest("models", "is empty") { $0.manifest["models"] = [String]() },
    .manifest("models", "at most 64") {
      $0.manifest["models"] = [[String: Any]](repeating: $0.model, count: 65)
    },
    .manifest("models[1].name", "is there twice") { $0.manifest["models"] = [$0.model, $0.model] },
    .manifest("models[0].name", "is empty") { $0.model["name"] = "" },
    .manifest("models[0].kind", "is not lightgbm") { $0.model["kind"] = "catboost" },
    .manifest("models[0].output", "is not raw or probability") { $0.model["output"] = "odds" },
    .manifest("models[0].features[1].name", "is there twice") {
      $0.model["features"] = [String](repeating: "constant(1)", count: 2).map {
        ["name": "f", "from": $0]
      }
    },
    .manifest("models[0].features[0].name", "is empty") {
      $0.model["features"] = [["name": "", "from": "constant(1)"]]
    },
    .manifest("models[0].features", "at most 4096") {
      $0.model["features"] = (0...4_096).map { ["name": "f\($0)", "from": "constant(1)"] }
    },
    .manifest("models[0].prior", "is not item.COLUMN") { $0.model["prior"] = "user.plays_log" },
    .manifest("models[0].prior", "has no column nothing") { $0.model["prior"] = "item.nothing" },
    .manifest("models[0].prior", "is an embedding") { $0.model["prior"] = "item.taste" },
    .manifest("models[0].prior", "is BOOL") { $0.model["prior"] = "item.explicit" },
    .manifest("default_model", "is not the name") { $0.manifest["default_model"] = "other" },
    .manifest("models[0].file", "is not listed in files") { $0.model["file"] = "models/other.txt" },
    .manifest("models[0].file", "is not relative") { $0.model["file"] = "/models/other.txt" },
  ]

  @Test(arguments: manifests)
  func manifest(refusal: Refusal) throws { try refusal.check() }

  static let requiredKeys = [
    "format", "version", "created", "data_time", "producer", "request_columns", "categories",
    "models", "default_model",
  ]

  @Test(arguments: requiredKeys)
  func missingKey(key: String) throws {
    try Refusal.manifest(key, "is missing") { $0.manifest[key] = nil }.check()
  }

  @Test(arguments: ["name", "kind", "file", "output", "features"])
  func missingKeyOfModel(key: String) throws {
    try Refusal.manifest("models[0].\(key)", "is missing") { $0.model[key] = nil }.check()
  }

  static let sources: [Refusal] = [
    .source("item.nothing", "items.safetensors has no column nothing"),
    .source("item.id", "has no column id"),
    .source("item.mood.scale", "has no column mood.scale"),
    .source("item.taste", "item.taste is an embedding: use dot"),
    .source("user.prior", "users.safetensors has no column prior"),
    .source("user.taste", "is an embedding"),
    .source("request.other", "is not one of request_columns"),
    .source("dot(user.taste, item.prior)", "is a column, not an embedding"),
    .source("dot(user.taste, item.nothing)", "items.safetensors has no embedding nothing"),
    .source("dot(user.nothing, item.taste)", "users.safetensors has no embedding nothing"),
    .source("dot(user.mood, item.taste)", "user.mood is I8 of dimension 3, item.taste F32"),
    .source("dot(user.taste, item.genre)", "F16 of dimension 1: they must be the same"),
    .source("equal(item.market, item.taste)", "is an embedding"),
    .source("equal(equal(item.market, user.nothing), constant(1))", "has no column nothing"),
    .source("constant(1e999)", "byte 9 of \"constant(1e999)\": expected a finite"),
    .source("context.country", "byte 8 of \"context.country\": expected market"),
    .source("", "byte 0 of \"\": expected item."),
    .source(text + text + text + text, "is longer than 4096 bytes"),
  ]

  @Test(arguments: sources)
  func source(refusal: Refusal) throws { try refusal.check() }

  @Test(arguments: ["market", "surface", "tier"])
  func contextWithoutCategories(name: String) throws {
    try Refusal.manifest("models[0].features[0].from", "categories has no \(name)") {
      $0.manifest["categories"] = [String: [String]]()
      $0.setFeature(from: "equal(constant(1), context.\(name))")
    }.check()
  }

  static let files: [Refusal] = [
    Refusal(
      file: "manifest.json", field: "", reason: "no such file",
      spoilFolder: { $0["manifest.json"] = nil }),
    Refusal(
      file: "manifest.json", field: "", reason: "file too large",
      spoilFolder: { $0["manifest.json"] = [UInt8](repeating: 0x20, count: (16 << 20) + 1) }),
    Refusal(
      file: "items.safetensors", field: "", reason: "no such file",
      spoilFolder: { $0["items.safetensors"] = nil }),
    Refusal(
      file: "models/default.txt", field: "", reason: "file too large",
      spoilFolder: { $0["models/default.txt"]?.append(0) }),
    Refusal(
      file: "models/default.txt", field: "", reason: "has 4 bytes; the manifest says 5",
      spoilFolder: { $0["models/default.txt"]?.removeLast() }),
    Refusal(
      file: "models/default.txt", field: "", reason: "its SHA-256 is",
      spoilFolder: { $0["models/default.txt"]?[0] ^= 1 }),
    Refusal(
      file: "manifest.json", field: "files", reason: "users.safetensors, but the folder has it",
      spoil: { $0.users = nil }, spoilFolder: { $0["users.safetensors"] = [] }),
    .listed("files", "does not list items.safetensors") { $0["items.safetensors"] = nil },
    .listed("models[0].file", "is not listed") { $0["models/default.txt"] = nil },
    .listed("files.models/default.txt.bytes", "is missing") {
      $0["models/default.txt"] = ["sha256": String(repeating: "0", count: 64)]
    },
    .listed("files.models/default.txt.sha256", "is missing") {
      $0["models/default.txt"] = ["bytes": 5]
    },
    .listed("files.models/default.txt.sha256", "is not 64 hexadecimal") {
      $0["models/default.txt"] = ["bytes": 5, "sha256": String(repeating: "g", count: 64)]
    },
    .listed("files.models/default.txt.sha256", "is not 64 hexadecimal") {
      $0["models/default.txt"] = ["bytes": 5, "sha256": "abc"]
    },
    .listed("files.models/default.txt.bytes", "is negative") {
      $0["models/default.txt"] = ["bytes": -1, "sha256": String(repeating: "0", count: 64)]
    },
    .listed("files.models/default.txt.bytes", "is no whole number") {
      $0["models/default.txt"] = ["bytes": 1.5, "sha256": String(repeating: "0", count: 64)]
    },
    .listed("files.models/default.txt.bytes", "at most") {
      $0["models/default.txt"] = ["bytes": Int.max, "sha256": String(repeating: "0", count: 64)]
    },
    .listed("files", "at most 256") { files in
      for index in 0..<256 {
        files["f\(index)"] = ["bytes": 1, "sha256": String(repeating: "0", count: 64)]
      }
    },
  ]

  @Test(arguments: files)
  func file(refusal: Refusal) throws { try refusal.check() }

  @Test(arguments: [
    ("/etc/passwd", "is not relative"), ("../x", "has a component \"..\""),
    ("models/../x", "has a component \"..\""), ("./x", "has a component \".\""),
    ("models//x", "has an empty component"), ("models/", "has an empty component"),
    ("", "is empty"), ("a\0b", "contains a NUL"),
  ])
  func path(path: String, reason: String) throws {
    try Refusal.listed("files.\(clipped(path))", reason) {
      $0[path] = ["bytes": 1, "sha256": String(repeating: "0", count: 64)]
    }.check()
  }

  static let tensors: [Refusal] = [
    .items("id", "is I64 [3]; it must be U64 [n]", TensorSpec("id", "I64", [1, 2, 3] as [Int64])),
    .items(
      "id", "it must be U64 [n]", TensorSpec("id", "U64", [1, 2, 3] as [UInt64], shape: [3, 1])),
    .items("id", "row 1 is 0", TensorSpec("id", "U64", [1, 0, 3] as [UInt64])),
    .items("id", "rows 0 and 2 are both 9", TensorSpec("id", "U64", [9, 1, 9] as [UInt64])),
    .items("artist", "the table has 4 rows", TensorSpec("id", "U64", [1, 2, 3, 4] as [UInt64])),
    .items("extra", "I8 [2]; the table has 3", TensorSpec("extra", "I8", [1, 2] as [Int8])),
    .items("extra", "is U64, which only", TensorSpec("extra", "U64", [1, 2, 3] as [UInt64])),
    .items(
      "extra", "one or two dimensions",
      TensorSpec("extra", [1, 2, 3] as [Float], shape: [3, 1, 1])),
    .items("extra", "the table has 3 rows", TensorSpec("extra", [1] as [Float], shape: [])),
    .items("extra", "beyond 2^53", TensorSpec("extra", "I64", [0, 1, 1 << 53 + 1] as [Int64])),
    .items(
      "extra", "row 0 is -9223372036854775808",
      TensorSpec("extra", "I64", [.min, 1, 2] as [Int64])),
    .items("extra", "row 2 is 2, not 0 or 1", TensorSpec("extra", "BOOL", [0, 1, 2] as [UInt8])),
    .items(
      "extra", "an embedding is F32, F16 or I8",
      TensorSpec("extra", "I16", [1, 2, 3] as [Int16], shape: [3, 1])),
    .items("extra", "of dimension 0", TensorSpec("extra", [Float](), shape: [3, 0])),
    .items(
      "extra", "I8 takes 1 to 1024",
      TensorSpec("extra", "I8", [Int8](repeating: 1, count: 3_075), shape: [3, 1_025])),
    .items(
      "extra", "F32 takes 1 to 8192",
      TensorSpec("extra", [Float](repeating: 1, count: 24_579), shape: [3, 8_193])),
    .items(
      "extra.scale", "is missing: extra is I8",
      TensorSpec("extra", "I8", [1, 2, 3] as [Int8], shape: [3, 1])),
    .items("mood.scale", "must be F32 [3]", TensorSpec("mood.scale", [1, 2, 3] as [Double])),
    .items("mood.scale", "must be F32 [3]", TensorSpec("mood.scale", [1, 2] as [Float])),
    .items("mood.scale", "row 1 is not finite", TensorSpec("mood.scale", [1, .nan, 3] as [Float])),
    .items("uri", "must be U8 [bytes]", TensorSpec("uri", "I8", [1, 2, 3] as [Int8])),
    .items(
      "uri.offsets", "must be U64 [4]", TensorSpec("uri.offsets", "U64", [0, 32] as [UInt64])),
    .items(
      "uri.offsets", "starts at 1", TensorSpec("uri.offsets", "U64", [1, 2, 3, 32] as [UInt64])),
    .items(
      "uri.offsets", "ends at 33, but uri has 32",
      TensorSpec("uri.offsets", "U64", [0, 2, 3, 33] as [UInt64])),
    .items(
      "uri.offsets", "row 1 has an empty URI",
      TensorSpec("uri.offsets", "U64", [0, 2, 2, 32] as [UInt64])),
    .items(
      "uri.offsets", "falls after row 1, to 1",
      TensorSpec("uri.offsets", "U64", [0, 2, 1, 32] as [UInt64])),
    .items(
      "uri.offsets", "row 0 ends at 18446744073709551615",
      TensorSpec("uri.offsets", "U64", [0, .max, .max, 32] as [UInt64])),
    // The second URI would end inside its ä.
    .items(
      "uri", "row 1 is not UTF-8",
      TensorSpec("uri.offsets", "U64", [0, 16, 30, 32] as [UInt64])),
    Refusal(
      file: "items.safetensors", field: "tensor id", reason: "is missing",
      spoil: { $0.items.removeFirst() }),
    Refusal(
      file: "items.safetensors", field: "tensor uri", reason: "is missing, but there is",
      spoil: { $0.items.removeAll { $0.name == "uri" } }),
    Refusal(
      file: "items.safetensors", field: "tensor uri.offsets", reason: "is missing, but there is",
      spoil: { $0.items.removeAll { $0.name == "uri.offsets" } }),
    Refusal(
      file: "items.safetensors", field: "tensor uri", reason: "rows 0 and 2 have the same URI",
      spoil: { fixture in for tensor in uriTensors(["a", "b", "a"]) { fixture.replaceItem(tensor) }
      }),
    Refusal(
      file: "users.safetensors", field: "tensor plays_log", reason: "the table has 2 rows",
      spoil: { $0.replaceUser(TensorSpec("plays_log", [1] as [Double])) }),
    Refusal(
      file: "users.safetensors", field: "tensor id", reason: "are both 7",
      spoil: { $0.replaceUser(TensorSpec("id", "U64", [7, 7] as [UInt64])) }),
  ]

  @Test(arguments: tensors)
  func tensor(refusal: Refusal) throws { try refusal.check() }

  /// With the seed known, ids can be made that all want the same slot: they are refused in time
  /// that does not grow with the square of their number; another seed takes them.
  @Test func idsThatCollideOnPurpose() throws {
    let ids = (1...3_000).map { inverseOfSplitmix64($0 << 40) ^ indexSeed }
    var fixture = SnapshotFixture()
    fixture.items = [TensorSpec("id", "U64", ids)]
    fixture.model["prior"] = nil
    fixture.setFeature(from: "constant(1)")
    let folder = try fixture.folder()
    #expect {
      try loadFolder(folder)
    } throws: { error in
      let error = error as? SnapshotError
      return error?.field == "tensor id" && error?.reason.hasPrefix("too many ids collide") == true
    }
    let items = try loadFolder(folder, indexSeed: indexSeed + 1).items
    #expect(ids.enumerated().allSatisfy { items.row(ofID: $1) == $0 })
  }
}
