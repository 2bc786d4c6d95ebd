import Testing

@testable import Load

@Suite struct CapacitySearchTests {
  private func search(
    from first: Double, _ outcome: (Double) -> CapacitySearch.Outcome
  ) -> CapacitySearch {
    var search = CapacitySearch(firstRatePerSecond: first)
    while let rate = search.next { search.record(outcome(rate)) }
    return search
  }

  @Test(arguments: [10.0, 777, 1_000, 40_000], [1_000.0, 5.5, 123_456])
  func findsTheCapacity(first: Double, capacity: Double) throws {
    let found = search(from: first) { $0 <= capacity ? .passed : .failed }
    let rate = try #require(found.highestPassed)
    #expect(rate <= capacity && rate >= capacity / 1.06, "\(found.probes)")
    #expect(!found.isLimitedByGenerator)
  }

  @Test func nothingPasses() {
    let found = search(from: 1_000) { _ in .failed }
    #expect(found.highestPassed == nil)
    #expect(found.probes.count <= 12)
    #expect(found.probes.last?.ratePerSecond ?? 0 >= 1)
  }

  @Test func everythingPassesAndItEnds() {
    let found = search(from: 1_000) { _ in .passed }
    #expect(found.probes.count == 24)
  }

  @Test func theGeneratorMayBeTheLimit() {
    let limited = search(from: 1_000) { $0 <= 5_000 ? .passed : .generatorFellBehind }
    #expect(limited.isLimitedByGenerator)
    #expect((limited.highestPassed ?? 0) > 4_500)
    // Where the server's own limit is lower, what the generator can do no longer matters.
    let both = search(from: 1_000) {
      $0 <= 3_000 ? .passed : $0 >= 8_000 ? .generatorFellBehind : .failed
    }
    #expect(!both.isLimitedByGenerator)
  }
}
