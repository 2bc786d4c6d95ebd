import Crypto
import Foundation

@testable import Signals

/// A tensor to be written.
struct TensorSpec {
  var name: String
  var dtype: String
  var shape: [Int]
  var bytes: [UInt8]

  init(_ name: String, _ dtype: String, _ shape: [Int], _ bytes: [UInt8]) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  init<Value: FixedWidthInteger>(
    _ name: String, _ dtype: String, _ values: [Value], shape: [Int]? = nil
  ) {
    self.init(name, dtype, shape ?? [values.count], littleEndianBytes(values))
  }

  init(_ name: String, _ values: [Double]) {
    self.init(name, "F64", values.map(\.bitPattern))
  }

  init(_ name: String, _ values: [Float], shape: [Int]? = nil) {
    self.init(name, "F32", values.map(\.bitPattern), shape: shape)
  }

  init(_ name: String, _ values: [Float16], shape: [Int]? = nil) {
    self.init(name, "F16", values.map(\.bitPattern), shape: shape)
  }
}

func littleEndianBytes<Value: FixedWidthInteger>(_ values: [Value]) -> [UInt8] {
  values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
}

/// The safetensors bytes of `tensors`, in their order; `padding` spaces end the header.
func safetensors(_ tensors: [TensorSpec], padding: Int = 0) -> [UInt8] {
  var entries: [String] = ["\"__metadata__\":{\"made\":\"by a test\"}"]
  var data: [UInt8] = []
  for tensor in tensors {
    let end = data.count + tensor.bytes.count
    entries.append(
      "\"\(tensor.name)\":{\"dtype\":\"\(tensor.dtype)\",\"shape\":\(tensor.shape),"
        + "\"data_offsets\":[\(data.count),\(end)]}")
    data += tensor.bytes
  }
  let header = "{" + entries.joined(separator: ",") + "}" + String(repeating: " ", count: padding)
  return safetensors(header: header, data: data)
}

func safetensors(header: String, data: [UInt8]) -> [UInt8] {
  littleEndianBytes([UInt64(header.utf8.count)]) + Array(header.utf8) + data
}

func uriTensors(_ uris: [String]) -> [TensorSpec] {
  var offsets: [UInt64] = [0]
  for uri in uris { offsets.append((offsets.last ?? 0) + UInt64(uri.utf8.count)) }
  return [
    TensorSpec("uri", "U8", uris.flatMap { Array($0.utf8) }),
    TensorSpec("uri.offsets", "U64", offsets),
  ]
}

/// A good snapshot in memory, to be loaded as it is or spoilt first.
struct SnapshotFixture {
  var items: [TensorSpec]
  var users: [TensorSpec]?
  var otherFiles: [String: [UInt8]]
  /// All of `manifest.json` but `files`.
  var manifest: [String: Any]
  var headerPadding = 0

  init() {
    items =
      [TensorSpec("id", "U64", [11, UInt64.max, 0x8000_0000_0000_0001])]
      + uriTensors(["spotify:track:a", "spotify:track:ä", "x"])
      + [
        TensorSpec("plays_log", [1.5, .nan, -0.0] as [Double]),
        TensorSpec("prior", [0.25, 0.5, 0.125] as [Float]),
        TensorSpec("half", [1, 65_504, .infinity] as [Float16]),
        TensorSpec("artist", "I64", [1 << 53, -(1 << 53), 7] as [Int64]),
        TensorSpec("release", "I32", [.min, 0, .max] as [Int32]),
        TensorSpec("market", "I16", [0, 1, -1] as [Int16]),
        TensorSpec("small", "I8", [-128, 0, 127] as [Int8]),
        TensorSpec("byte", "U8", [0, 1, 255] as [UInt8]),
        TensorSpec("explicit", "BOOL", [0, 1, 0] as [UInt8]),
        TensorSpec("taste", [1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2]),
        TensorSpec("mood", "I8", [1, -2, 3, -4, 5, -6, 7, -8, 9] as [Int8], shape: [3, 3]),
        TensorSpec("mood.scale", [0.5, 0.25, 2] as [Float]),
        TensorSpec("genre", [1, 2, 3] as [Float16], shape: [3, 1]),
      ]
    users = [
      TensorSpec("id", "U64", [501, 502] as [UInt64]),
      TensorSpec("plays_log", [3.5, 4.5] as [Double]),
      TensorSpec("taste", [7, 8, 9, 10] as [Float], shape: [2, 2]),
      TensorSpec("mood", "I8", [1, 2, 3, 4, 5, 6] as [Int8], shape: [2, 3]),
      TensorSpec("mood.scale", [1, 3] as [Float]),
    ]
    otherFiles = ["models/default.txt": Array("tree\n".utf8)]
    manifest = [
      "format": "crescendo-snapshot/1", "version": "20261123T080000Z-3f2a9c",
      "created": "2026-11-23T08:00:00Z", "data_time": "2026-11-23T06:00:00.5+01:00",
      "producer": ["name": "tools/pipeline", "run": "local"],
      "request_columns": ["recent_plays_7d"],
      "categories": ["market": ["SE", "US"], "surface": ["radio"], "tier": ["free"]],
      "models": [
        [
          "name": "default", "kind": "lightgbm", "file": "models/default.txt",
          "output": "probability", "prior": "item.prior",
          "features": SnapshotFixture.features.map { ["name": $0.0, "from": $0.1] },
        ]
      ],
      "default_model": "default", "notes": ["unknown", "keys", ["are": "ignored"]],
    ]
  }

  static let features = [
    ("plays_log", "item.plays_log"), ("user_plays_log", "user.plays_log"),
    ("recent", "request.recent_plays_7d"), ("market", "context.market"),
    ("hour", "context.hour"), ("affinity", "dot(user.taste, item.taste)"),
    ("mood", "dot( user.mood ,item.mood )"), ("same", "equal(item.market, context.market)"),
    ("bias", "constant(1.0)"),
  ]

  /// The first model, to be changed in place.
  var model: [String: Any] {
    get { (manifest["models"] as? [[String: Any]])?[0] ?? [:] }
    set {
      var models = manifest["models"] as? [[String: Any]] ?? []
      models[0] = newValue
      manifest["models"] = models
    }
  }

  mutating func setFeature(from source: String) {
    model["features"] = [["name": "f", "from": source]]
  }

  mutating func replaceItem(_ tensor: TensorSpec) {
    items.removeAll { $0.name == tensor.name }
    items.append(tensor)
  }

  mutating func replaceUser(_ tensor: TensorSpec) {
    users?.removeAll { $0.name == tensor.name }
    users?.append(tensor)
  }

  /// The folder, with a manifest that lists every file as it is.
  func folder() throws -> [String: [UInt8]] {
    var files = otherFiles
    files["items.safetensors"] = safetensors(items, padding: headerPadding)
    if let users { files["users.safetensors"] = safetensors(users, padding: headerPadding) }
    return try listed(files)
  }

  /// `files` and the manifest that lists them.
  func listed(_ files: [String: [UInt8]]) throws -> [String: [UInt8]] {
    var folder = files
    var manifest = manifest
    if manifest["files"] == nil {
      manifest["files"] = files.mapValues { bytes in
        let digest = bytes.withUnsafeBytes { SHA256.digest(of: $0) }
        return ["bytes": bytes.count, "sha256": hexadecimal(digest)] as [String: Any]
      }
    }
    folder["manifest.json"] = Array(try JSONSerialization.data(withJSONObject: manifest))
    return folder
  }

  func load() throws -> Snapshot {
    try loadFolder(try folder())
  }
}

func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { String(format: "%02x", $0) }.joined()
}

/// The seed of the indexes in tests.
let indexSeed: UInt64 = 0x5EED

func loadFolder(_ folder: [String: [UInt8]], indexSeed: UInt64 = indexSeed) throws -> Snapshot {
  try Snapshot.load(
    files: inMemory(folder), sha256: { SHA256.digest(of: $0) }, indexSeed: indexSeed)
}

func inMemory(_ folder: [String: [UInt8]]) -> SnapshotFiles {
  SnapshotFiles(
    read: { (path, limitBytes) throws(SnapshotFileFailure) in
      guard let bytes = folder[path] else { throw SnapshotFileFailure(reason: "no such file") }
      guard bytes.count <= limitBytes else { throw SnapshotFileFailure(reason: "file too large") }
      return fileBytes(bytes)
    },
    exists: { folder[$0] != nil })
}

/// A copy, one byte off any alignment when `isOdd`, so that nothing can count on alignment.
func fileBytes(_ bytes: [UInt8], isOdd: Bool = false) -> FileBytes {
  let shift = isOdd ? 1 : 0
  let memory = UnsafeMutableRawBufferPointer.allocate(
    byteCount: bytes.count + shift, alignment: 64)
  let copy = UnsafeMutableRawBufferPointer(rebasing: memory[shift...])
  copy.copyBytes(from: bytes)
  nonisolated(unsafe) let held = memory
  return FileBytes(UnsafeRawBufferPointer(copy), free: { held.deallocate() })
}
