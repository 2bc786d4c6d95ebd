import Crypto
import Foundation
import Synchronization
import Testing

@testable import Signals

struct SnapshotTests {
  @Test func everyPartOfTheManifestIsRead() throws {
    let snapshot = try SnapshotFixture().load()
    let manifest = snapshot.manifest
    #expect(manifest.version == "20261123T080000Z-3f2a9c")
    #expect(manifest.created == "2026-11-23T08:00:00Z")
    #expect(manifest.dataTime == "2026-11-23T06:00:00.5+01:00")
    #expect(manifest.producer == Manifest.Producer(name: "tools/pipeline", run: "local"))
    #expect(
      manifest.files.keys.sorted() == [
        "items.safetensors", "models/default.txt", "users.safetensors",
      ])
    #expect(manifest.files["models/default.txt"]?.bytes == 5)
    #expect(manifest.requestColumns == ["recent_plays_7d"])
    #expect(
      manifest.categories == ["market": ["SE", "US"], "surface": ["radio"], "tier": ["free"]])
    #expect(manifest.defaultModel == "default")
    let model = try #require(manifest.model(named: "default"))
    #expect(model.kind == .lightGBM)
    #expect(model.file == "models/default.txt")
    #expect(model.output == .probability)
    #expect(model.prior == "prior")
    #expect(model.features.map(\.name) == SnapshotFixture.features.map(\.0))
    #expect(
      model.features.map(\.source) == [
        .item("plays_log"), .user("plays_log"), .request("recent_plays_7d"), .context(.market),
        .context(.hour), .dot(user: "taste", item: "taste"), .dot(user: "mood", item: "mood"),
        .equal(.item("market"), .context(.market)), .constant(1),
      ])
    #expect(manifest.model(named: "other") == nil)
    let file = try #require(snapshot.modelFiles["default"])
    #expect(Array(file.bytes.bytes) == Array("tree\n".utf8))
    #expect(file.sha256 == manifest.files["models/default.txt"]?.sha256)
  }

  /// Header paddings of 0 to 7 put the data at every offset of a word.
  @Test(arguments: 0..<8)
  func everyValueIsRead(headerPadding: Int) throws {
    var fixture = SnapshotFixture()
    fixture.headerPadding = headerPadding
    let snapshot = try fixture.load()
    let items = snapshot.items
    #expect(items.rowCount == 3)
    #expect((0..<3).map { items.id($0) } == [11, .max, 0x8000_0000_0000_0001])
    #expect(items.hasURIs)
    #expect(
      (0..<3).map { String(decoding: items.uri($0), as: UTF8.self) }
        == ["spotify:track:a", "spotify:track:ä", "x"])
    #expect(
      items.columns.map(\.name) == [
        "artist", "byte", "explicit", "half", "market", "plays_log", "prior", "release", "small",
      ])
    let expected: [String: [Double]] = [
      "artist": [0x1p53, -0x1p53, 7], "byte": [0, 1, 255], "explicit": [0, 1, 0],
      "half": [1, 65_504, .infinity], "market": [0, 1, -1], "plays_log": [1.5, .nan, -0.0],
      "prior": [0.25, 0.5, 0.125], "release": [-0x1p31, 0, 0x1p31 - 1], "small": [-128, 0, 127],
    ]
    for column in items.columns {
      let values = (0..<3).map { column.value($0).bitPattern }
      #expect(values == expected[column.name]?.map(\.bitPattern), "\(column.name)")
      #expect(items.column(named: column.name)?.base == column.base)
    }
    #expect(items.column(named: "taste") == nil)
    #expect(items.column(named: "mood.scale") == nil)
    #expect(items.embeddings.map(\.name) == ["genre", "mood", "taste"])
    let taste = try #require(items.embedding(named: "taste"))
    #expect(taste.type == .f32 && taste.dimension == 2 && taste.rowByteCount == 8)
    #expect(taste.row(2).loadUnaligned(as: Float.self) == 5 && taste.scale(2) == 1)
    let mood = try #require(items.embedding(named: "mood"))
    #expect(mood.type == .i8 && mood.dimension == 3)
    #expect(mood.row(1).loadUnaligned(as: Int8.self) == -4)
    #expect((0..<3).map { mood.scale($0) } == [0.5, 0.25, 2])
    let users = try #require(snapshot.users)
    #expect(users.rowCount == 2 && !users.hasURIs && users.uri(0).isEmpty)
    #expect(users.column(named: "plays_log")?.value(1) == 4.5)
    #expect(users.row(ofID: 502) == 1 && users.row(ofID: 11) == -1)
    #expect(Array("x".utf8).withUnsafeBytes { users.row(ofURI: $0) } == -1)
  }

  @Test func withoutUsersTheirSignalsMayBeNamed() throws {
    var fixture = SnapshotFixture()
    fixture.users = nil
    let snapshot = try fixture.load()
    #expect(snapshot.users == nil)
    #expect(snapshot.manifest.models[0].features.count == SnapshotFixture.features.count)
  }

  @Test func tablesWithoutRows() throws {
    var fixture = SnapshotFixture()
    fixture.items = [TensorSpec("id", "U64", [UInt64]())] + uriTensors([])
    fixture.users = [
      TensorSpec("id", "U64", [UInt64]()), TensorSpec("taste", [Float](), shape: [0, 4]),
    ]
    fixture.model["prior"] = nil
    fixture.setFeature(from: "constant(-1e-3)")
    let snapshot = try fixture.load()
    #expect(snapshot.items.rowCount == 0 && snapshot.items.row(ofID: 0) == -1)
    #expect(snapshot.items.row(ofURI: UnsafeRawBufferPointer(start: nil, count: 0)) == -1)
    #expect(snapshot.users?.embedding(named: "taste")?.dimension == 4)
    #expect(snapshot.manifest.models[0].features[0].source == .constant(-0.001))
  }

  @Test func modelsMayShareAFileAndOtherFilesAreVerified() throws {
    var fixture = SnapshotFixture()
    var second = fixture.model
    second["name"] = "second"
    second["output"] = "raw"
    second["kind"] = "xgboost"
    second["prior"] = nil
    fixture.manifest["models"] = [fixture.model, second]
    fixture.otherFiles["reports/notes.txt"] = [1, 2, 3]
    let snapshot = try fixture.load()
    let files = snapshot.modelFiles
    #expect(files.count == 2 && files["default"]?.bytes === files["second"]?.bytes)
    #expect(snapshot.manifest.models[1].kind == .xgboost)
    #expect(snapshot.manifest.models[1].output == .raw)
    #expect(snapshot.manifest.models[1].prior == nil)
  }

  /// Every file is read once, with its declared length as the bound; what is no longer used is
  /// freed, and all the rest with the snapshot.
  @Test func filesAreReadOnceAndFreed() throws {
    struct Counts {
      var reads: [String: Int] = [:]
      var freed: [String] = []
    }
    let counts = Mutex(Counts())
    var fixture = SnapshotFixture()
    fixture.otherFiles["reports/notes.txt"] = [1, 2, 3]
    let folder = try fixture.folder()
    let files = SnapshotFiles(
      read: { (path, limitBytes) throws(SnapshotFileFailure) in
        counts.withLock { $0.reads[path, default: 0] += 1 }
        let bytes = folder[path] ?? []
        #expect(path == "manifest.json" || limitBytes == bytes.count)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        memory.copyBytes(from: bytes)
        nonisolated(unsafe) let held = memory
        return FileBytes(UnsafeRawBufferPointer(memory)) {
          counts.withLock { $0.freed.append(path) }
          held.deallocate()
        }
      },
      exists: { folder[$0] != nil })
    do {
      let snapshot = try Snapshot.load(
        files: files, sha256: { SHA256.digest(of: $0) }, indexSeed: 1)
      #expect(
        counts.withLock { $0.freed.sorted() } == ["manifest.json", "reports/notes.txt"])
      #expect(snapshot.items.row(ofID: 11) == 0)
    }
    #expect(counts.withLock { $0.reads.values.allSatisfy { $0 == 1 } && $0.reads.count == 5 })
    #expect(counts.withLock { $0.freed.count } == 5)
  }

  @Test func errorsReadAsFileFieldReason() {
    let error = SnapshotError(
      file: "items.safetensors", field: "tensor plays_log", reason: "is missing")
    #expect(error.description == "items.safetensors: tensor plays_log: is missing")
    #expect(SnapshotError(file: "a", reason: "b").description == "a: b")
    #expect(clipped("a\nb\u{1B}[31m") == "a\u{FFFD}b\u{FFFD}[31m")
    #expect(clipped(String(repeating: "é", count: 90)).unicodeScalars.count == 81)
  }
}
