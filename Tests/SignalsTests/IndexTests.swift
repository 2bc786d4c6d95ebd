import Core
import Testing

@testable import Signals

struct IndexTests {
  private static let seed: UInt64 = 20_261_125

  /// Against a dictionary: 100,000 random ids, as many that are absent, and those at the edges.
  @Test func idsAgainstADictionary() throws {
    var random = SplitMix(state: IndexTests.seed)
    var rows: [UInt64: Int] = [:]
    var ids: [UInt64] = []
    while ids.count < 100_000 {
      // Every fourth one small, as ids counted up are.
      let id = ids.count % 4 == 0 ? UInt64(ids.count + 1) : random.next()
      guard id != 0, rows[id] == nil else { continue }
      rows[id] = ids.count
      ids.append(id)
    }
    let bytes = fileBytes(littleEndianBytes(ids), isOdd: true)
    try bytes.withBytes { bytes in
      let base = try #require(bytes.baseAddress)
      let index = try IDIndex(ids: base, count: ids.count, seed: random.next())
      var wanted = ids.shuffled(using: &random)
      wanted += (0..<100_000).map { _ in random.next() }
      wanted += [0, 1, 2, 3, .max, 1 << 63, 100_000, 100_001]
      wanted.shuffle(using: &random)
      let wrong = wanted.filter { index.row(of: $0) != rows[$0] ?? -1 }
      #expect(wrong.count == 0, "\(wrong.prefix(3)), seed \(IndexTests.seed)")
      expectBatches(of: wanted, index: index, rows: rows, random: &random)
    }
  }

  /// Batches of every length around the look-ahead, from an odd address, and not a row too many.
  private func expectBatches(
    of wanted: [UInt64], index: borrowing IDIndex, rows: [UInt64: Int], random: inout SplitMix
  ) {
    for count in Array(0...40) + [500, 10_000] {
      let first = Int(random.next() % UInt64(wanted.count - count))
      let batch = Array(wanted[first..<(first + count)])
      var found = [Int32](repeating: 77, count: count + 1)
      fileBytes(littleEndianBytes(batch), isOdd: true).withBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        index.rows(of: base, count: count, into: &found)
      }
      #expect(
        found == batch.map { Int32(rows[$0] ?? -1) } + [77], "seed \(IndexTests.seed)")
    }
  }

  @Test func atMostThreeSlotsOfFiveAreTaken() {
    for count in [0, 1, 2, 3, 4, 100, 614, 615, 100_000, Int(Int32.max)] {
      let capacity = indexCapacity(count: count)
      #expect(capacity.nonzeroBitCount == 1 && Double(count) <= 0.6 * Double(capacity))
      #expect(capacity == 2 || Double(count) > 0.599 * Double(capacity / 2) - 2)
    }
  }

  @Test func urisAgainstADictionary() throws {
    var random = SplitMix(state: IndexTests.seed)
    var rows: [[UInt8]: Int] = [:]
    var uris: [[UInt8]] = []
    while uris.count < 20_000 {
      let uri = randomURI(&random)
      guard rows[uri] == nil else { continue }
      rows[uri] = uris.count
      uris.append(uri)
    }
    var offsets: [UInt64] = [0]
    for uri in uris { offsets.append((offsets.last ?? 0) + UInt64(uri.count)) }
    let texts = fileBytes(uris.flatMap { $0 }, isOdd: true)
    let ends = fileBytes(littleEndianBytes(offsets), isOdd: true)
    try texts.withBytes { texts in
      try ends.withBytes { ends in
        let index = try URIIndex(
          texts: texts, offsets: try #require(ends.baseAddress), count: uris.count,
          seed: random.next())
        #expect((0..<uris.count).allSatisfy { index.uri($0).elementsEqual(uris[$0]) })
        let absent = (0..<20_000).map { _ in randomURI(&random) }
        let wrong = (uris + absent + [[]]).filter { uri in
          uri.withUnsafeBytes { index.row(of: $0) } != rows[uri] ?? -1
        }
        #expect(wrong.count == 0, "\(wrong.prefix(3)), seed \(IndexTests.seed)")
      }
    }
  }

  /// From one byte up; few letters, so that many differ only in length or in one place.
  private func randomURI(_ random: inout SplitMix) -> [UInt8] {
    let length = 1 + Int(random.next() % 40)
    return (0..<length).map { _ in random.next() % 3 == 0 ? 0x61 : 0x62 }
  }

  @Test func theHashDependsOnEveryByteTheLengthAndTheSeed() {
    var seen = Set<UInt64>()
    var expected = 0
    for length in 0...40 {
      var bytes = [UInt8](repeating: 0, count: length)
      for seed in [0, 1, 1 << 63] as [UInt64] {
        seen.insert(bytes.withUnsafeBytes { hash($0, seed: seed) })
        expected += 1
        for position in 0..<length {
          bytes[position] = 1
          seen.insert(bytes.withUnsafeBytes { hash($0, seed: seed) })
          bytes[position] = 0
          expected += 1
        }
      }
    }
    #expect(seen.count == expected)
  }

  @Test func theInverseThatOtherTestsUseIsOne() {
    var random = SplitMix(state: IndexTests.seed)
    for _ in 0..<1_000 {
      let value = random.next()
      #expect(splitmix64(inverseOfSplitmix64(value)) == value)
    }
  }
}

/// Random numbers that a seed replays.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return splitmix64(state)
  }
}
