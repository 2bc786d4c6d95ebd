import Core
import Testing

@testable import Policies

@Suite struct EndpointsTests {
  @Test func theUsableOnesAreListed() {
    var random = SplitMix64(seed: 1)
    var endpoints = Endpoints([EndpointView](repeating: EndpointView(), count: 20))
    var plain: Set<Int> = []
    var wrong = 0
    for _ in 0..<2_000 {
      let index = Int(random.next() % 20)
      let isUsable = random.next() % 2 == 0
      endpoints[index].isUsable = isUsable
      endpoints[index].inFlight += 1
      if isUsable { plain.insert(index) } else { plain.remove(index) }
      let listed = (0..<endpoints.usableCount).map(endpoints.usable)
      let isRight =
        listed.count == plain.count && Set(listed) == plain
        && (0..<20).allSatisfy { endpoints[$0].isUsable == plain.contains($0) }
      wrong += isRight ? 0 : 1
    }
    #expect(wrong == 0)
    #expect((0..<20).map { Int(endpoints[$0].inFlight) }.reduce(0, +) == 2_000)
  }

  @Test func thoseOfTheBeginningAreListed() {
    let endpoints = Endpoints([
      EndpointView(), EndpointView(isUsable: true), EndpointView(), EndpointView(isUsable: true),
    ])
    #expect(endpoints.usableCount == 2)
    #expect((0..<2).map(endpoints.usable) == [1, 3])
  }
}

@Suite struct EndpointSetTests {
  @Test func eightAreKnown() {
    var set = EndpointSet()
    #expect((0..<Limits.endpoints).allSatisfy { !set.contains($0) })
    for index in [5, 0, 7, 5, 1_023, 1, 2, 3, 4] { set.insert(index) }
    #expect((0..<Limits.endpoints).filter(set.contains) == [0, 1, 2, 3, 4, 5, 7, 1_023])
    set.insert(9)
    #expect((0..<Limits.endpoints).filter(set.contains) == [0, 1, 2, 3, 4, 7, 9, 1_023])
    set.insert(9)
    set.insert(10)
    #expect(!set.contains(0) && set.contains(7) && set.contains(10))
    #expect(Limits.callAttempts <= 8)
  }
}

/// `count` endpoints, all usable but these.
func endpoints(_ count: Int, unusable: Set<Int> = []) -> Endpoints {
  Endpoints((0..<count).map { EndpointView(isUsable: !unusable.contains($0)) })
}
