import Core
import Testing

@testable import Policies

@Suite struct HashRingTests {
  /// Hashes of addresses that differ by one, as those of neighbours may.
  private func addresses(_ count: Int) -> [UInt64] { (0..<UInt64(count)).map { 1_000 + $0 } }

  private func owners(
    _ ring: HashRing, _ endpoints: Endpoints, keys: Int = 4_000, avoiding: EndpointSet = []
  ) -> [Int?] {
    (0..<keys).map { ring.pick(endpoints, key: UInt64($0), avoiding: avoiding) }
  }

  @Test func aKeyStays() {
    let ring = HashRing(addresses: addresses(5))
    #expect(owners(ring, endpoints(5)) == owners(HashRing(addresses: addresses(5)), endpoints(5)))
  }

  /// The point is the next one clockwise, by a search of all points.
  @Test func theNextPointClockwiseIsTaken() {
    let known = addresses(4)
    let ring = HashRing(addresses: known)
    var points: [(UInt64, Int)] = []
    for (index, address) in known.enumerated() {
      var sequence = SplitMix64(seed: splitmix64(address))
      for _ in 0..<128 { points.append((sequence.next(), index)) }
    }
    var wrapped = 0
    for key in 0..<2_000 as Range<UInt64> {
      let hash = splitmix64(key)
      let next = points.filter { $0.0 >= hash }.min { $0.0 < $1.0 }
      wrapped += next == nil ? 1 : 0
      let expected = next ?? points.min { $0.0 < $1.0 }
      #expect(ring.pick(endpoints(4), key: key) == expected?.1)
    }
    #expect(wrapped > 0)
  }

  /// A key whose hash is a point belongs to that point, not to the next.
  @Test func aKeyAtAPoint() {
    let known = addresses(4)
    let ring = HashRing(addresses: known)
    for (index, address) in known.enumerated() {
      for point in 0..<128 as Range<UInt64> {
        // What the sequence is the hash of.
        let key = splitmix64(address) &+ point &* 0x9E37_79B9_7F4A_7C15
        #expect(ring.pick(endpoints(4), key: key) == index)
      }
    }
  }

  @Test func sharesAreNearlyEven() {
    let counts = owners(HashRing(addresses: addresses(10)), endpoints(10), keys: 100_000)
      .reduce(into: [:]) { $0[$1, default: 0] += 1 }
    // A share's deviation is 1 ÷ √128 = 9 % of it.
    #expect(counts.count == 10)
    #expect(counts.values.allSatisfy { abs($0 - 10_000) < 3_000 }, "\(counts)")
  }

  @Test func whenOneLeavesOnlyItsKeysMove() {
    let ring = HashRing(addresses: addresses(8))
    let before = owners(ring, endpoints(8))
    for gone in 0..<8 {
      let after = owners(ring, endpoints(8, unusable: [gone]))
      var heirs: Set<Int?> = []
      var moved = 0
      for (old, new) in zip(before, after) {
        if old == gone { heirs.insert(new) } else { moved += old == new ? 0 : 1 }
      }
      #expect(moved == 0)
      #expect(!heirs.contains(gone) && heirs.count == 7)
      #expect(owners(ring, endpoints(8)) == before)
    }
  }

  /// An endpoint that is skipped and a ring without it are the same.
  @Test func unusableIsAsGoodAsAbsent() {
    for gone in [[2], [0, 5], [1, 2, 3, 4, 5]] as [Set<Int>] {
      let kept = (0..<6).filter { !gone.contains($0) }
      let small = HashRing(addresses: kept.map { addresses(6)[$0] })
      let rebuilt = owners(small, endpoints(kept.count)).map { $0.map { kept[$0] } }
      #expect(owners(HashRing(addresses: addresses(6)), endpoints(6, unusable: gone)) == rebuilt)
    }
  }

  @Test func theOrderOfAddressesIsNothing() {
    let known = addresses(6)
    let turned = Array(known.reversed())
    let one = owners(HashRing(addresses: known), endpoints(6)).map { $0.map { known[$0] } }
    let other = owners(HashRing(addresses: turned), endpoints(6)).map { $0.map { turned[$0] } }
    #expect(one == other)
  }

  @Test func avoidedOnesAreSkippedWhileThereAreOthers() {
    let ring = HashRing(addresses: addresses(4))
    #expect(
      owners(ring, endpoints(4), avoiding: [1, 2]) == owners(ring, endpoints(4, unusable: [1, 2])))
    #expect(owners(ring, endpoints(4), avoiding: [0, 1, 2, 3]) == owners(ring, endpoints(4)))
    let two = endpoints(4, unusable: [0, 1])
    #expect(owners(ring, two, avoiding: [2, 3]) == owners(ring, two))
    #expect(owners(ring, two, avoiding: [0, 1, 2]).allSatisfy { $0 == 3 })
  }

  @Test func noneIsUsable() {
    #expect(HashRing(addresses: []).pick(endpoints(0), key: 1) == nil)
    #expect(HashRing(addresses: addresses(2)).pick(endpoints(2, unusable: [0, 1]), key: 1) == nil)
  }

  /// The same address twice: one has all keys, the other takes over.
  @Test func twins() {
    let ring = HashRing(addresses: [7, 7])
    #expect(owners(ring, endpoints(2)).allSatisfy { $0 == 0 })
    #expect(owners(ring, endpoints(2, unusable: [0])).allSatisfy { $0 == 1 })
  }
}
