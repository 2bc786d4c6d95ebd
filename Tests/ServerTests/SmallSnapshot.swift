import Core
import Engine
import Foundation
import Signals

/// A snapshot in memory whose scores can be told by heart: item k has id k + 1 and x = k, and the
/// raw score is the sum over 64 trees of ±1/64, by x + 0.5 ≤ the tree's number.
enum SmallSnapshot {
  static let itemCount = 64
  static let treeCount = 64
  private static let digest = [UInt8](repeating: 0x07, count: 32)
  static let sha256 = String(repeating: "07", count: 32)

  /// What `items` score, raw; nil for an unknown item.
  static func rawScore(_ id: UInt64) -> Double? {
    guard (1...UInt64(itemCount)).contains(id) else { return nil }
    let x = Int(id - 1)
    return (0..<treeCount).reduce(0.0) { $0 + (x <= $1 ? 1 : -1) / 64 }
  }

  static func serving() throws -> Serving {
    let ids = (0..<itemCount).map { UInt64($0 + 1) }
    let uris = ids.map { "item:\($0)" }
    var offsets: [UInt64] = [0]
    for uri in uris { offsets.append(offsets[offsets.count - 1] + UInt64(uri.utf8.count)) }
    let items = safetensors([
      ("id", "U64", ids.count, bytes(ids)),
      ("uri", "U8", uris.joined().utf8.count, Array(uris.joined().utf8)),
      ("uri.offsets", "U64", offsets.count, bytes(offsets)),
      ("x", "F64", ids.count, bytes((0..<itemCount).map { Double($0).bitPattern })),
    ])
    var folder = ["items.safetensors": items, "models/default.txt": Array(modelText.utf8)]
    let manifest: [String: Any] = [
      "format": "crescendo-snapshot/1", "version": "small-1", "created": "2026-11-23T08:00:00Z",
      "data_time": "2026-11-23T06:00:00Z", "producer": ["name": "test", "run": "local"],
      "request_columns": ["r"], "categories": [String: [String]](), "default_model": "default",
      "models": [
        [
          "name": "default", "kind": "lightgbm", "file": "models/default.txt", "output": "raw",
          "features": [
            ["name": "x", "from": "item.x"], ["name": "r", "from": "request.r"],
          ],
        ] as [String: Any]
      ],
      "files": folder.mapValues { ["bytes": $0.count, "sha256": sha256] as [String: Any] },
    ]
    folder["manifest.json"] = Array(try JSONSerialization.data(withJSONObject: manifest))
    let files = folder
    return try Serving(
      try Snapshot.load(
        files: SnapshotFiles(
          read: { (path, _) throws(SnapshotFileFailure) in
            guard let bytes = files[path] else { throw SnapshotFileFailure(reason: "not there") }
            let copy = UnsafeMutableRawBufferPointer.allocate(
              byteCount: bytes.count, alignment: 64)
            copy.copyBytes(from: bytes)
            nonisolated(unsafe) let held = copy
            return FileBytes(UnsafeRawBufferPointer(copy), free: { held.deallocate() })
          },
          exists: { files[$0] != nil }),
        sha256: { _ in digest }, indexSeed: 1))
  }

  private static func bytes(_ values: [UInt64]) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
  }

  private static func safetensors(_ tensors: [(String, String, Int, [UInt8])]) -> [UInt8] {
    var (entries, data): ([String], [UInt8]) = ([], [])
    for (name, type, count, bytes) in tensors {
      entries.append(
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":[\(count)],"
          + "\"data_offsets\":[\(data.count),\(data.count + bytes.count)]}")
      data += bytes
    }
    let header = Array("{\(entries.joined(separator: ","))}".utf8)
    return bytes([UInt64(header.count)]) + header + data
  }

  private static var modelText: String {
    var text = """
      tree
      version=v4
      num_class=1
      num_tree_per_iteration=1
      label_index=0
      max_feature_idx=1
      objective=regression
      feature_names=x r
      feature_infos=[0:1] [0:1]


      """
    for tree in 0..<treeCount {
      text += """
        Tree=\(tree)
        num_leaves=2
        num_cat=0
        split_feature=0
        threshold=\(Double(tree) + 0.5)
        decision_type=8
        left_child=-1
        right_child=-2
        leaf_value=0.015625 -0.015625
        leaf_count=1 1
        is_linear=0
        shrinkage=1



        """
    }
    return text + "end of trees\n\npandas_categorical:null\n"
  }
}
