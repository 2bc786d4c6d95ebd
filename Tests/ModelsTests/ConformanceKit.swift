import Foundation
import Models
import Testing

/// What the script has written into a folder of its own.
struct ConformanceKit {
  private static let packageRoot = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  static let python: URL? = {
    let named = ProcessInfo.processInfo.environment["CRESCENDO_TEST_PYTHON"]
    let candidate =
      named.map { URL(filePath: $0) } ?? packageRoot.appending(path: ".venv-test/bin/python")
    guard FileManager.default.isExecutableFile(atPath: candidate.path) else { return nil }
    let status = try? run(candidate, ["-c", "import lightgbm, numpy"])
    return status == 0 ? candidate : nil
  }()

  private static func run(_ executable: URL, _ arguments: [String]) throws -> Int32 {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }

  let seed: Int
  let folder: URL
  let accepted: [String]
  let refused: [(name: String, reason: String)]
  private let levels: [String: [CategoricalLevels]]

  init(seed: Int) throws {
    self.seed = seed
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "crescendo-conformance-\(UUID().uuidString)")
    self.folder = folder
    let script = Self.packageRoot.appending(path: "Tests/ModelsTests/conformance/make.py").path
    let status = try Self.run(try #require(Self.python), [script, folder.path, String(seed)])
    try #require(status == 0, "conformance/make.py \(folder.path) \(seed) failed")
    func lines(_ name: String) throws -> [String] {
      try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        .split(separator: "\n").map(String.init)
    }
    accepted = try lines("accepted.txt")
    refused = try lines("refused.txt").map { line in
      let parts = line.split(separator: "\t").map(String.init)
      try #require(parts.count == 2)
      return (parts[0], parts[1])
    }
    let data = try Data(contentsOf: folder.appending(path: "levels.json"))
    let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: [[Any]]])
    levels = try json.mapValues { features in
      try features.map { entry in
        CategoricalLevels(
          feature: try #require(entry[0] as? Int), levels: try #require(entry[1] as? [String]))
      }
    }
  }

  func levels(_ name: String) -> [CategoricalLevels] { levels[name] ?? [] }

  func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appending(path: name)))
  }

  func remove() { try? FileManager.default.removeItem(at: folder) }
}

/// Fuzzed rows and LightGBM's answers.
struct ConformanceRows {
  let rows: Int
  let features: Int
  let meanRaw: Double
  /// Rows, then raw scores, then outputs.
  let values: [Double]

  init(_ bytes: [UInt8]) throws {
    (rows, features, meanRaw, values) = bytes.withUnsafeBytes { raw in
      let doubles = (raw.count - 16) / 8
      return (
        Int(raw.loadUnaligned(as: UInt32.self)),
        Int(raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self)),
        raw.loadUnaligned(fromByteOffset: 8, as: Double.self),
        (0..<doubles).map { raw.loadUnaligned(fromByteOffset: 16 + 8 * $0, as: Double.self) }
      )
    }
    try #require(values.count == rows * (features + 2))
  }
}
