import Core
import Glibc
import Testing

@testable import Load

@Suite struct ZipfDistributionTests {
  /// The share of each rank against its weight over the sum of all.
  @Test(arguments: [0, 0.5, 1, 1.2, 3])
  func sharesFollowTheWeights(exponent: Double) {
    let count = 50
    let seed: UInt64 = 99
    let draws = 400_000
    let zipf = ZipfDistribution(count: count, exponent: exponent)
    var random = SplitMix64(seed: seed)
    var seen = [Int](repeating: 0, count: count + 1)
    for _ in 0..<draws { seen[zipf.rank(&random)] += 1 }
    let weights = (1...count).map { pow(Double($0), -exponent) }
    let total = weights.reduce(0, +)
    #expect(seen[0] == 0)
    for rank in 1...count {
      let expected = weights[rank - 1] / total * Double(draws)
      // Five standard deviations of a count.
      #expect(
        abs(Double(seen[rank]) - expected) <= 5 * expected.squareRoot() + 1,
        "seed \(seed), exponent \(exponent), rank \(rank): \(seen[rank]), expected \(expected)")
    }
  }

  @Test func oneRankAndVeryMany() {
    var random = SplitMix64(seed: 3)
    let one = ZipfDistribution(count: 1, exponent: 1)
    #expect((0..<100).allSatisfy { _ in one.rank(&random) == 1 })
    let many = ZipfDistribution(count: 2_147_483_647, exponent: 1)
    let ranks = (0..<10_000).map { _ in many.rank(&random) }
    #expect(ranks.allSatisfy { $0 >= 1 && $0 <= 2_147_483_647 })
    #expect((ranks.max() ?? 0) > 1_000_000)
    #expect(ranks.contains(1))
  }
}
