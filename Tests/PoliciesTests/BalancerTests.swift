import Core
import Testing

@testable import Policies

@Suite struct RoundRobinTests {
  private func picks(
    _ count: Int, _ balancer: inout RoundRobin, _ endpoints: Endpoints,
    avoiding: EndpointSet = []
  ) -> [Int?] {
    (0..<count).map { _ in balancer.pick(endpoints, avoiding: avoiding) }
  }

  @Test func eachHasItsTurn() {
    var balancer = RoundRobin()
    #expect(picks(7, &balancer, endpoints(3)) == [0, 1, 2, 0, 1, 2, 0])
    var other = RoundRobin(start: 4)
    #expect(picks(3, &other, endpoints(3)) == [1, 2, 0])
  }

  @Test func unusableOnesHaveNone() {
    var balancer = RoundRobin()
    #expect(Set(picks(4, &balancer, endpoints(4, unusable: [1]))) == [0, 2, 3])
    #expect(picks(2, &balancer, endpoints(2, unusable: [0])) == [1, 1])
    #expect(picks(2, &balancer, endpoints(2, unusable: [0, 1])) == [nil, nil])
    #expect(balancer.pick(endpoints(0)) == nil)
  }

  @Test func oneThatGoesTakesNoTurnFromTheOthers() {
    for gone in 0..<5 {
      for turns in 0..<5 {
        var all = endpoints(5)
        var balancer = RoundRobin()
        _ = picks(turns, &balancer, all)
        all[gone].isUsable = false
        let counts = picks(400, &balancer, all).reduce(into: [:]) { $0[$1, default: 0] += 1 }
        #expect(counts.count == 4 && counts.values.allSatisfy { $0 == 100 })
        all[gone].isUsable = true
        #expect(Set(picks(5, &balancer, all)).count == 5)
      }
    }
  }

  @Test func avoidedOnesAreSkippedWhileThereAreOthers() {
    var balancer = RoundRobin()
    #expect(picks(4, &balancer, endpoints(4), avoiding: [0, 1]) == [2, 3, 2, 3])
    #expect(picks(3, &balancer, endpoints(3), avoiding: [0, 1, 2]).compactMap { $0 }.count == 3)
    let most = EndpointSet(arrayLiteral: 0, 1, 2, 3, 4, 5, 6, 7)
    #expect(picks(9, &balancer, endpoints(9), avoiding: most).allSatisfy { $0 == 8 })
    let two = endpoints(3, unusable: [2])
    #expect(Set(picks(2, &balancer, two, avoiding: [0, 1])) == [0, 1])
  }
}

@Suite struct LeastLoadedTests {
  private let balancer = LeastLoaded()

  private func counts(
    _ endpoints: Endpoints, avoiding: EndpointSet = [], picks: Int = 6_000
  ) -> [Int] {
    var random = SplitMix64(seed: 5)
    var counts = [Int](repeating: 0, count: endpoints.count)
    for _ in 0..<picks {
      if let index = balancer.pick(endpoints, avoiding: avoiding, &random) { counts[index] += 1 }
    }
    return counts
  }

  /// Of two the emptier is always taken, for both are drawn always.
  @Test func theEmptierOfTwo() {
    var two = endpoints(2)
    two[0].inFlight = 3
    two[1].inFlight = 2
    #expect(counts(two) == [0, 6_000])
    two[1].inFlight = 4
    #expect(counts(two) == [6_000, 0])
  }

  /// The fullest is never taken, the emptiest whenever it is drawn: 2 of 3 times among three.
  @Test func theFullestNever() {
    var three = endpoints(3)
    three[0].inFlight = 9
    three[1].inFlight = 1
    three[2].inFlight = 5
    let found = counts(three)
    #expect(found[0] == 0)
    // Deviation √(6,000 × 2/9) = 37.
    #expect(abs(found[1] - 4_000) < 150 && found[1] + found[2] == 6_000)
  }

  @Test func equalsShareEvenly() {
    for count in 1...6 {
      let found = counts(endpoints(count))
      #expect(found.allSatisfy { abs($0 - 6_000 / count) < 160 }, "\(found)")
    }
  }

  @Test func weightIsRoom() {
    var two = endpoints(2)
    two[0].weight = 3
    two[0].inFlight = 4
    two[1].inFlight = 1
    #expect(counts(two) == [6_000, 0])
    two[0].inFlight = 6
    #expect(counts(two) == [0, 6_000])
    two[0].inFlight = 5
    let even = counts(two)
    #expect(abs(even[0] - 3_000) < 160)
  }

  @Test func unusableAndAvoided() {
    var random = SplitMix64(seed: 1)
    #expect(balancer.pick(endpoints(0), &random) == nil)
    #expect(balancer.pick(endpoints(2, unusable: [0, 1]), &random) == nil)
    #expect(counts(endpoints(3, unusable: [0, 2])) == [0, 6_000, 0])
    // However empty they are.
    var three = endpoints(3)
    three[2].inFlight = 1_000
    #expect(counts(three, avoiding: [0, 1]) == [0, 0, 6_000])
    #expect(counts(three, avoiding: [0]) == [0, 6_000, 0])
    // Two are compared, though the first draw may have moved to the second.
    var heavy = endpoints(3)
    heavy[1].inFlight = 1_000
    #expect(counts(heavy, avoiding: [0]) == [0, 0, 6_000])
    let all = counts(three, avoiding: [0, 1, 2])
    #expect(all[2] == 0 && all[0] + all[1] == 6_000 && all[0] > 0 && all[1] > 0)
    let ten = counts(endpoints(10), avoiding: [0, 1, 2, 3, 4, 5, 6, 7])
    #expect(ten[8] + ten[9] == 6_000)
  }

  /// The point of two choices: 1,000 calls on 10 endpoints, each stays a while; one endpoint at
  /// random is far less even.
  @Test func loadIsNearlyEven() {
    var random = SplitMix64(seed: 9)
    var ten = endpoints(10)
    for _ in 0..<1_000 {
      if let index = balancer.pick(ten, &random) { ten[index].inFlight += 1 }
    }
    let loads = (0..<10).map { ten[$0].inFlight }
    #expect((loads.max() ?? 0) <= 103 && (loads.min() ?? 0) >= 97, "\(loads)")
  }
}
