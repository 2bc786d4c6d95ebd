internal import Core
internal import HTTP2
internal import Syscalls

/// The connections of a run, on one epoll: what a balancer with one backend would hold.
final class LinkPool {
  /// Their tokens are links; another descriptor's is nil.
  let poller: Epoll
  private let address: SocketAddress
  private let headers: LoadHeaders
  private let slotCount: Int
  private let memory = HTTP2Memory()
  /// Nil: lost, and to be made again.
  private(set) var links: [LoadLink?] = []
  private var nextIndex = 0
  /// When a lost connection is made again; in the distant future while none is lost.
  private(set) var nextReconnectNanoseconds = distantFutureNanoseconds
  private var earliestReconnectNanoseconds: UInt64 = 0
  private(set) var reconnectCount = 0
  /// Why the last connection that was lost, or could not be made again, was.
  private(set) var lastEnd = "no connection"

  /// For one new connection during a run; the others stand still meanwhile.
  private static let reconnectMilliseconds: Int32 = 50
  private static let reconnectPauseNanoseconds: UInt64 = 200_000_000
  /// Between two attempts, nanoseconds: a server that takes connections only to close them leaves
  /// the generator time for the others.
  private static let reconnectGapNanoseconds: UInt64 = 10_000_000

  /// Connects; `connectMilliseconds` for each connection.
  init(plan: LoadPlan, headers: LoadHeaders, connectMilliseconds: Int32) throws(SystemError) {
    address = plan.target
    self.headers = headers
    slotCount = max((plan.inFlightMax + plan.connectionCount - 1) / plan.connectionCount, 1)
    poller = try Epoll()
    for _ in 0..<plan.connectionCount {
      links.append(try connect(timeoutMilliseconds: connectMilliseconds))
    }
  }

  deinit {
    // Sessions give their memory back to `memory`, which has to be there then.
    links = []
  }

  private func connect(timeoutMilliseconds: Int32) throws(SystemError) -> LoadLink {
    try LoadLink(
      to: address, timeoutMilliseconds: timeoutMilliseconds, headers: headers,
      slotCount: slotCount, memory: memory, poller: poller)
  }

  /// The next one in turn; those without room are left out.
  func withRoom() -> LoadLink? {
    for _ in links.indices {
      let index = nextIndex
      nextIndex = index + 1 == links.count ? 0 : index + 1
      if let link = links[index], link.connection.hasRoom { return link }
    }
    return nil
  }

  /// Whether one of them takes calls, now or when it has room.
  var isAnyOpen: Bool { links.contains { $0?.connection.isOpen == true } }

  func owner(of call: LoadConnection.Call) -> LoadLink {
    guard let link = links.first(where: { $0?.connection.owns(call) == true }) ?? nil else {
      preconditionFailure("a call of no connection")
    }
    return link
  }

  /// Link `index` is over.
  func lose(_ index: Int, nowNanoseconds: UInt64) {
    lastEnd = links[index]?.connection.refusal ?? lastEnd
    links[index] = nil
    nextReconnectNanoseconds = min(
      nextReconnectNanoseconds, max(nowNanoseconds, earliestReconnectNanoseconds))
  }

  /// Makes one lost connection again; one at a time, so that the others are not kept waiting.
  func reconnect(nowNanoseconds: UInt64) {
    nextReconnectNanoseconds = distantFutureNanoseconds
    guard let index = links.firstIndex(where: { $0 == nil }) else { return }
    reconnectCount += 1
    earliestReconnectNanoseconds = nowNanoseconds + LinkPool.reconnectGapNanoseconds
    do throws(SystemError) {
      links[index] = try connect(timeoutMilliseconds: LinkPool.reconnectMilliseconds)
      if links.contains(where: { $0 == nil }) {
        nextReconnectNanoseconds = earliestReconnectNanoseconds
      }
    } catch {
      lastEnd = "cannot connect: \(error.reason)"
      nextReconnectNanoseconds = nowNanoseconds + LinkPool.reconnectPauseNanoseconds
    }
  }
}
