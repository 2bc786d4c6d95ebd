import Crypto
import Foundation
import Syscalls
import Testing

@testable import Signals

/// A folder that is removed with its owner.
private final class ScratchFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/crescendo-signals-" + UUID().uuidString
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  func write(_ folder: [String: [UInt8]]) throws {
    for (name, bytes) in folder {
      let url = URL(fileURLWithPath: path).appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes).write(to: url)
    }
  }

  func load(mapped: Bool) throws -> Snapshot {
    let folder = try Folder(path: path)
    let files = SnapshotFiles(
      read: { (path, limitBytes) throws(SnapshotFileFailure) in
        do throws(SystemError) {
          let contents = try folder.read(path, limitBytes: limitBytes, mapped: mapped).release()
          return FileBytes(contents.bytes, free: contents.free)
        } catch {
          throw SnapshotFileFailure(reason: error.reason)
        }
      },
      exists: { folder.contains($0) })
    return try Snapshot.load(
      files: files, sha256: { SHA256.digest(of: $0) }, indexSeed: try RandomBytes.uint64())
  }
}

struct SnapshotFolderTests {
  @Test(arguments: [false, true])
  func fromADisk(mapped: Bool) throws {
    let folder = try ScratchFolder()
    try folder.write(try SnapshotFixture().folder())
    let snapshot = try folder.load(mapped: mapped)
    #expect(snapshot.items.row(ofID: .max) == 1)
    #expect(snapshot.items.column(named: "release")?.value(2) == 0x1p31 - 1)
    #expect(snapshot.users?.rowCount == 2)
  }

  @Test(arguments: ["items.safetensors", "models", "models/default.txt", "manifest.json"])
  func linksAreRefused(name: String) throws {
    let folder = try ScratchFolder()
    try folder.write(try SnapshotFixture().folder())
    let path = folder.path + "/" + name
    try FileManager.default.moveItem(atPath: path, toPath: folder.path + "/moved")
    try FileManager.default.createSymbolicLink(
      atPath: path, withDestinationPath: folder.path + "/moved")
    let file = name == "models" ? "models/default.txt" : name
    #expect {
      try folder.load(mapped: false)
    } throws: { error in
      let error = error as? SnapshotError
      return error?.file == file && error?.field == ""
        && error?.reason.contains("cannot be read")
          == true
    }
  }

  private static var python: String? {
    if let path = ProcessInfo.processInfo.environment["CRESCENDO_TEST_PYTHON"] { return path }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let path = root.appendingPathComponent(".venv-test/bin/python").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }

  @Test(
    .enabled(
      if: python != nil,
      "needs a Python with numpy and safetensors: .venv-test or CRESCENDO_TEST_PYTHON"))
  func writtenByPython() throws {
    let folder = try ScratchFolder()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.python))
    process.arguments = [
      URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("write_snapshot.py").path,
      folder.path,
    ]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let expected = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: folder.path + "/expected.json")))
    let snapshot = try folder.load(mapped: false)
    try expect(snapshot.items, rows: 1_000, expected, "items")
    try expect(try #require(snapshot.users), rows: 50, expected, "users")
    #expect(snapshot.manifest.models[0].features.count == 3)
  }

  private func expect(_ table: SignalTable, rows: Int, _ document: Any, _ name: String) throws {
    let expected = try #require((document as? [String: Any])?[name] as? [String: Any])
    #expect(table.rowCount == rows)
    let ids = try #require(expected["ids"] as? [String]).map { UInt64($0) }
    #expect((0..<rows).map { table.id($0) } == ids)
    #expect((0..<rows).allSatisfy { table.row(ofID: table.id($0)) == $0 })
    let uris = try #require(expected["uris"] as? [String])
    #expect(table.hasURIs == !uris.isEmpty)
    for (row, uri) in uris.enumerated() {
      #expect(Array(uri.utf8).withUnsafeBytes { table.row(ofURI: $0) } == row)
      #expect(table.uri(row).elementsEqual(uri.utf8))
    }
    let columns = try #require(expected["columns"] as? [String: [String]])
    #expect(table.columns.map(\.name) == columns.keys.sorted())
    for column in table.columns {
      expect((0..<rows).map { column.value($0) }, columns[column.name], column.name)
    }
    let embeddings = try #require(expected["embeddings"] as? [String: [[String]]])
    let scales = try #require(expected["scales"] as? [String: [String]])
    #expect(table.embeddings.map(\.name) == embeddings.keys.sorted())
    for embedding in table.embeddings {
      let name = embedding.name
      for row in 0..<rows {
        let vector = ColumnValues(
          type: embedding.type, base: embedding.row(row), rowCount: embedding.dimension)
        expect((0..<embedding.dimension).map { vector.value($0) }, embeddings[name]?[row], name)
      }
      let ones = [String](repeating: "1", count: rows)
      expect((0..<rows).map { Double(embedding.scale($0)) }, scales[name] ?? ones, name)
    }
  }

  private func expect(_ values: [Double], _ texts: [String]?, _ name: String) {
    let expected = (texts ?? []).compactMap { Double($0) }
    let isEqual = zip(values, expected).allSatisfy {
      $0.isNaN ? $1.isNaN : $0.bitPattern == $1.bitPattern
    }
    #expect(isEqual && expected.count == values.count, "\(name)")
  }
}
