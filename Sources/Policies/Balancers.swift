package import Core

/// Usable endpoints in turn. O(1).
///
/// While the usable ones stay the same each has its turn once a round. When one goes, the last of
/// the round takes its place.
package struct RoundRobin: Sendable {
  private var cursor: Int

  /// `start`: where the first round begins; random, or all clients begin with the same server.
  package init(start: Int = 0) {
    precondition(start >= 0)
    cursor = start
  }

  /// An index; nil if none is usable.
  package mutating func pick(_ endpoints: Endpoints, avoiding: EndpointSet = []) -> Int? {
    guard endpoints.usableCount > 0 else { return nil }
    let position = endpoints.position(from: cursor % endpoints.usableCount, avoiding: avoiding)
    cursor = position + 1
    return endpoints.usable(at: position)
  }
}

/// The less loaded of two random usable endpoints (Mitzenmacher, "The Power of Two Choices in
/// Randomized Load Balancing", 2001): nearly as even as the least loaded of all, without the herd
/// that runs to it. O(1).
///
/// Load is (calls in flight + 1) ÷ weight. Of equals the first draw is taken.
package struct LeastLoaded: Sendable {
  package init() {}

  /// An index; nil if none is usable. Next to avoided endpoints the draw is not quite even.
  package func pick(
    _ endpoints: Endpoints, avoiding: EndpointSet = [], _ random: inout SplitMix64
  ) -> Int? {
    let count = endpoints.usableCount
    guard count > 0 else { return nil }
    let drawn = Int(random.below(UInt64(count)))
    let first = endpoints.usable(at: endpoints.position(from: drawn, avoiding: avoiding))
    guard count > 1 else { return first }
    // Any but the one at the first draw.
    let shift = 1 + Int(random.below(UInt64(count - 1)))
    var others = avoiding
    others.insert(first)
    let place = endpoints.position(from: (drawn + shift) % count, avoiding: others)
    let second = endpoints.usable(at: place)
    if avoiding.contains(second) && !avoiding.contains(first) { return first }
    return load(endpoints[second], isBelow: endpoints[first]) ? second : first
  }

  private func load(_ one: EndpointView, isBelow other: EndpointView) -> Bool {
    (Int64(one.inFlight) + 1) * Int64(other.weight)
      < (Int64(other.inFlight) + 1) * Int64(one.weight)
  }
}

extension Endpoints {
  /// The first position from one on, around the usable endpoints, whose endpoint is not to be
  /// avoided; that one itself if all are. At most nine steps. There is a usable endpoint.
  func position(from start: Int, avoiding: EndpointSet) -> Int {
    var position = start
    for _ in 0..<min(usableCount, 9) {
      if !avoiding.contains(usable(at: position)) { return position }
      position = position + 1 == usableCount ? 0 : position + 1
    }
    return start
  }
}
