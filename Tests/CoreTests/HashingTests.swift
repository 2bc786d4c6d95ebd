import Testing

@testable import Core

struct HashingTests {
  /// First outputs of the reference implementation (Vigna, `splitmix64.c`).
  @Test(
    arguments: [
      (
        0,
        [
          0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F,
          0xF88B_B8A8_724C_81EC, 0x1B39_896A_51A8_749B,
        ]
      ),
      (
        1_234_567,
        [
          6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
          4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
        ]
      ),
    ] as [(UInt64, [UInt64])])
  func referenceSequences(seed: UInt64, expected: [UInt64]) {
    var random = SplitMix64(seed: seed)
    #expect(expected.map { _ in random.next() } == expected)
  }

  @Test func theInverseUndoesTheHash() {
    var random = SplitMix64(seed: 1)
    for value in [0, 1, .max] + (0..<1_000).map({ _ in random.next() }) {
      #expect(splitmix64Inverse(splitmix64(value)) == value)
      #expect(splitmix64(splitmix64Inverse(value)) == value)
    }
  }

  @Test func theHashIsTheFirstOutputOfItsSeed() {
    for value: UInt64 in [0, 1, 42, .max, 1 << 63, 0x9E37_79B9_7F4A_7C15] {
      var random = SplitMix64(seed: value)
      #expect(random.next() == splitmix64(value))
    }
    #expect(splitmix64(1_234_567) == 6_457_827_717_110_365_317)
    #expect(splitmix64(0) == 0xE220_A839_7B1D_CDAF)
  }

  @Test func neighboursNeverCollide() {
    var seen = Set<UInt64>()
    for value in 0..<50_000 as Range<UInt64> {
      seen.insert(splitmix64(value))
      seen.insert(splitmix64(.max - value))
    }
    #expect(seen.count == 100_000)
  }

  /// Half of the output bits move with each input bit: 32 on average, over 64 × 200 flips with a
  /// standard deviation of 4 ÷ √12,800.
  @Test func everyInputBitMovesHalfOfTheOutput() {
    var moved = 0
    for bit in 0..<64 as Range<UInt64> {
      for value in 0..<200 as Range<UInt64> {
        moved += (splitmix64(value) ^ splitmix64(value ^ (1 << bit))).nonzeroBitCount
      }
    }
    #expect(abs(Double(moved) / 12_800 - 32) < 0.2)
  }

  @Test(arguments: [2, 3, 4, 7, 16] as [UInt64])
  func consecutiveUsersSpreadEvenlyOverShards(shards: UInt64) {
    var counts = [Int](repeating: 0, count: Int(shards))
    for user in 0..<20_000 as Range<UInt64> { counts[Int(splitmix64(user) % shards)] += 1 }
    let fair = 20_000 / Double(shards)
    #expect(counts.allSatisfy { abs(Double($0) - fair) < 5 * fair.squareRoot() })
  }
}
