import Foundation
import Signals

/// A tensor to be written.
struct TensorSpec {
  var name: String
  var dtype: String
  var shape: [Int]
  var bytes: [UInt8]

  init<Value: FixedWidthInteger>(
    _ name: String, _ dtype: String, _ values: [Value], shape: [Int]? = nil
  ) {
    self.name = name
    self.dtype = dtype
    self.shape = shape ?? [values.count]
    bytes = values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
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

  static func uris(_ texts: [String]) -> [TensorSpec] {
    var offsets: [UInt64] = [0]
    for text in texts { offsets.append(offsets[offsets.count - 1] + UInt64(text.utf8.count)) }
    return [
      TensorSpec("uri", "U8", texts.flatMap { Array($0.utf8) }),
      TensorSpec("uri.offsets", "U64", offsets),
    ]
  }
}

/// The safetensors bytes of `tensors`, in their order, without padding: nothing is aligned.
func safetensors(_ tensors: [TensorSpec]) -> [UInt8] {
  var entries: [String] = []
  var data: [UInt8] = []
  for tensor in tensors {
    let end = data.count + tensor.bytes.count
    entries.append(
      "\"\(tensor.name)\":{\"dtype\":\"\(tensor.dtype)\",\"shape\":\(tensor.shape),"
        + "\"data_offsets\":[\(data.count),\(end)]}")
    data += tensor.bytes
  }
  // An odd header, so that the data starts at an odd address.
  var header = "{" + entries.joined(separator: ",") + "}"
  if header.utf8.count.isMultiple(of: 2) { header += " " }
  let length = UInt64(header.utf8.count)
  return withUnsafeBytes(of: length.littleEndian) { Array($0) } + Array(header.utf8) + data
}

/// A snapshot that is to be loaded from memory. Digests are all the same here: that they are
/// checked is for the tests of `Signals`.
struct SnapshotSpec {
  var items: [TensorSpec]
  var users: [TensorSpec]?
  var requestColumns: [String] = []
  var categories: [String: [String]] = [:]
  var models: [ModelSpec]

  struct ModelSpec {
    var name = "default"
    var kind = "lightgbm"
    var output = "raw"
    /// A source, or nil for none.
    var prior: String?
    var text: String
    /// Names and sources.
    var features: [(String, String)]
  }

  private static let digest = [UInt8](repeating: 0x07, count: 32)

  func load() throws -> Snapshot {
    var folder = ["items.safetensors": safetensors(items)]
    if let users { folder["users.safetensors"] = safetensors(users) }
    for model in models { folder["models/\(model.name).txt"] = Array(model.text.utf8) }
    let manifest: [String: Any] = [
      "format": "crescendo-snapshot/1", "version": "test-1", "created": "2026-11-23T08:00:00Z",
      "data_time": "2026-11-23T06:00:00Z", "producer": ["name": "test", "run": "local"],
      "request_columns": requestColumns, "categories": categories,
      "default_model": models[0].name,
      "models": models.map { model -> [String: Any] in
        var entry: [String: Any] = [
          "name": model.name, "kind": model.kind, "file": "models/\(model.name).txt",
          "output": model.output,
          "features": model.features.map { ["name": $0.0, "from": $0.1] },
        ]
        entry["prior"] = model.prior
        return entry
      },
      "files": folder.mapValues {
        ["bytes": $0.count, "sha256": String(repeating: "07", count: 32)] as [String: Any]
      },
    ]
    folder["manifest.json"] = Array(try JSONSerialization.data(withJSONObject: manifest))
    let files = folder
    return try Snapshot.load(
      files: SnapshotFiles(
        read: { (path, _) throws(SnapshotFileFailure) in
          guard let bytes = files[path] else { throw SnapshotFileFailure(reason: "no such file") }
          return misaligned(bytes)
        },
        exists: { files[$0] != nil }),
      sha256: { _ in SnapshotSpec.digest }, indexSeed: 0x5EED)
  }
}

/// A copy that starts at an odd address.
private func misaligned(_ bytes: [UInt8]) -> FileBytes {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + 1, alignment: 64)
  let copy = UnsafeMutableRawBufferPointer(rebasing: memory[1...])
  copy.copyBytes(from: bytes)
  nonisolated(unsafe) let held = memory
  return FileBytes(UnsafeRawBufferPointer(copy), free: { held.deallocate() })
}
