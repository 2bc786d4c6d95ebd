internal import Core
internal import Policies
internal import Syscalls

/// Which address a call goes to: the configured way of choosing, over those with room that are
/// well. Loop-confined.
struct Balancer {
  private enum Way {
    case roundRobin(RoundRobin)
    case leastLoaded(LeastLoaded)
    case ring(HashRing)
  }

  private var way: Way
  private var views: Endpoints
  private var ejection: OutlierEjection?

  init(_ configuration: ClientConfiguration, _ addresses: [SocketAddress], start: Int) {
    switch configuration.balancing {
    case .roundRobin: way = .roundRobin(RoundRobin(start: start))
    case .leastLoaded: way = .leastLoaded(LeastLoaded())
    case .ringHashOnUser: way = .ring(HashRing(addresses: addresses.map(Balancer.hash)))
    }
    views = Endpoints(addresses.map { _ in EndpointView() })
    ejection = configuration.ejection ? OutlierEjection(endpointCount: addresses.count) : nil
  }

  /// The same in every process.
  private static func hash(_ address: SocketAddress) -> UInt64 {
    address.description.utf8.reduce(0xCBF2_9CE4_8422_2325) { splitmix64($0 ^ UInt64($1)) }
  }

  mutating func update(_ index: Int, hasRoom: Bool, inFlight: Int, now: UInt64) {
    let isWell = ejection?.isUsable(index, now: now) ?? true
    views[index] = EndpointView(
      isUsable: hasRoom && isWell, inFlight: Int32(clamping: inFlight))
  }

  mutating func pick(
    key: UInt64, avoiding: EndpointSet, random: inout SplitMix64
  ) -> Int? {
    switch way {
    case .roundRobin(var turns):
      defer { way = .roundRobin(turns) }
      return turns.pick(views, avoiding: avoiding)
    case .leastLoaded(let two): return two.pick(views, avoiding: avoiding, &random)
    case .ring(let ring): return ring.pick(views, key: key, avoiding: avoiding)
    }
  }

  /// A call is sent there. True: as a probe.
  mutating func started(_ index: Int, now: UInt64) -> Bool {
    ejection?.started(index, now: now) ?? false
  }

  /// A call that was sent there has ended. Not nil: the address is ejected now, and until when.
  mutating func ended(
    _ index: Int, _ outcome: OutlierEjection.Outcome, isProbe: Bool, now: UInt64
  ) -> UInt64? {
    guard ejection?.ended(index, outcome, isProbe: isProbe, now: now) == true || isProbe else {
      return nil
    }
    return ejection?.ejectedUntil(index)
  }
}
