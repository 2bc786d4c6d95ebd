import Testing

@testable import Signals

/// Good files with bytes changed, cut and doubled: never a trap, and whatever loads can be read.
struct SnapshotMutationTests {
  private static let cases = 2_000

  @Test(arguments: [1, 2, 3] as [UInt64])
  func mutatedFilesLoadOrAreRefused(seed: UInt64) throws {
    var random = SplitMix(state: seed)
    var fixture = SnapshotFixture()
    let good = try fixture.folder()
    fixture.manifest["files"] = nil
    let names = ["items.safetensors", "users.safetensors", "manifest.json"]
    var (loaded, refused) = (0, 0)
    for number in 0..<SnapshotMutationTests.cases {
      let name = names[Int(random.next() % 3)]
      var folder = good
      var bytes = folder[name] ?? []
      if name != "manifest.json", random.next() % 3 == 0 {
        // Among the values, which end the file: much of it still loads.
        let position = bytes.count - 1 - Int(random.next() % UInt64(bytes.count / 6))
        bytes[position] ^= 1 << (random.next() % 8)
      } else {
        mutate(&bytes, &random)
      }
      folder[name] = bytes
      if name != "manifest.json" {
        // With the right digest, so that what is behind it is reached.
        folder["manifest.json"] = nil
        folder = try fixture.listed(folder)
      }
      do {
        read(try loadFolder(folder))
        loaded += 1
      } catch let error as SnapshotError {
        #expect(!error.reason.isEmpty && !error.file.isEmpty, "seed \(seed), case \(number)")
        #expect(error.description.utf8.count < 2_000, "seed \(seed), case \(number)")
        refused += 1
      }
    }
    // Changed values load, changed structure does not: a run with only one of them tests nothing.
    #expect(loaded > 200 && refused > 1_000, "seed \(seed): \(loaded) loaded, \(refused) refused")
  }

  private func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix) {
    func position() -> Int { Int(random.next() % UInt64(max(bytes.count, 1))) }
    for _ in 0...(random.next() % 3) where !bytes.isEmpty {
      switch random.next() % 10 {
      case 0: bytes[position()] = UInt8(truncatingIfNeeded: random.next())
      case 1, 2: bytes[position()] ^= 1 << (random.next() % 8)
      case 3: bytes.removeLast(min(bytes.count, 1 + position() / 8))
      case 4: bytes.insert(bytes[position()], at: position())
      case 5: bytes.remove(at: position())
      case 6:
        let first = position()
        let last = min(bytes.count, first + 1 + Int(random.next() % 64))
        bytes.insert(contentsOf: bytes[first..<last], at: position())
      case 7:
        // What structure is made of, where structure is.
        let marks = Array("{}[],:\"\\0123456789-eE.\0\u{7F} ".utf8)
        bytes[position()] = marks[Int(random.next() % UInt64(marks.count))]
      case 8: bytes[position() % min(bytes.count, 12)] = UInt8(truncatingIfNeeded: random.next())
      default:
        let digits = bytes.indices.filter { (0x30...0x39).contains(bytes[$0]) }
        guard !digits.isEmpty else { break }
        let digit = digits[Int(random.next() % UInt64(digits.count))]
        bytes[digit] = 0x30 + UInt8(random.next() % 10)
      }
    }
  }

  /// Everything that a loaded snapshot offers, to its last byte (the address sanitizer looks on).
  private func read(_ snapshot: Snapshot) {
    for table in [snapshot.items, snapshot.users].compactMap({ $0 }) {
      var sum = 0.0
      for row in 0..<table.rowCount {
        #expect(table.row(ofID: table.id(row)) == row)
        let uri = table.uri(row)
        if table.hasURIs { #expect(table.row(ofURI: uri) == row) }
        for column in table.columns { sum += column.value(row) }
        for embedding in table.embeddings {
          let bytes = UnsafeRawBufferPointer(
            start: embedding.row(row), count: embedding.rowByteCount)
          sum += Double(embedding.scale(row)) + bytes.reduce(0) { $0 + Double($1) }
        }
      }
      var rows = [Int32](repeating: -1, count: table.rowCount)
      table.rows(of: table.ids, count: table.rowCount, into: &rows)
      #expect(rows == (0..<table.rowCount).map { Int32($0) } && !sum.isSignalingNaN)
    }
    for model in snapshot.manifest.models { #expect(snapshot.modelFiles[model.name] != nil) }
  }
}
