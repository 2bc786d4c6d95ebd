internal import Core

/// The same endpoint for the same key, so that its caches know the user: a hash ring (Karger and
/// others 1997; gRPC A42). Every endpoint has `Limits.ringPoints` points on the circle of 64-bit
/// numbers, and a key belongs to the first usable point clockwise.
///
/// When an endpoint leaves, its keys alone move, spread over the others; when it returns, they
/// return. Points come from the addresses alone: every client that knows the same addresses has
/// the same ring, in whatever order it knows them.
package struct HashRing: Sendable {
  private let points: [UInt64]
  private let owners: [UInt16]
  package let endpointCount: Int

  /// `addresses`: a hash of each endpoint's address, by index, the same in every process. At most
  /// `Limits.endpoints`.
  package init(addresses: [UInt64]) {
    precondition(addresses.count <= Limits.endpoints)
    var ring: [(point: UInt64, owner: UInt16)] = []
    ring.reserveCapacity(addresses.count * Limits.ringPoints)
    for (index, address) in addresses.enumerated() {
      var sequence = SplitMix64(seed: splitmix64(address))
      for _ in 0..<Limits.ringPoints { ring.append((sequence.next(), UInt16(index))) }
    }
    // Of points that collide the one whose address is lower is first.
    ring.sort {
      ($0.point, addresses[Int($0.owner)], $0.owner)
        < ($1.point, addresses[Int($1.owner)], $1.owner)
    }
    points = ring.map(\.point)
    owners = ring.map(\.owner)
    endpointCount = addresses.count
  }

  /// An index; nil if none is usable. `endpoints` are those of the addresses, by the same indexes.
  ///
  /// O(log n), and then as many steps as points of unusable or avoided endpoints follow: on
  /// average all ÷ usable.
  package func pick(_ endpoints: Endpoints, key: UInt64, avoiding: EndpointSet = []) -> Int? {
    precondition(endpoints.count == endpointCount)
    guard endpoints.usableCount > 0 else { return nil }
    let avoided = avoiding.usableCount(endpoints) < endpoints.usableCount ? avoiding : []
    var position = firstPoint(from: splitmix64(key))
    for _ in points.indices {
      let owner = Int(owners[position])
      if endpoints[owner].isUsable && !avoided.contains(owner) { return owner }
      position = position + 1 == points.count ? 0 : position + 1
    }
    return nil
  }

  /// Where the first point at or behind a hash stands; past the last one comes the first.
  private func firstPoint(from hash: UInt64) -> Int {
    var low = 0
    var high = points.count
    while low < high {
      let middle = (low + high) / 2
      if points[middle] < hash { low = middle + 1 } else { high = middle }
    }
    return low == points.count ? 0 : low
  }
}
