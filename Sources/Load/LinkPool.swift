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
  private let framing: LoadFraming
  private let clock: Clock
  private let memory = HTTP2Memory()
  /// Nil: lost, and to be made again.
  private(set) var links: [LoadLink?] = []
  /// They take no new calls, and their last ones are still under way.
  private var draining: [LoadLink] = []
  private var nextIndex = 0
  private var lastAttemptHasFailed = false
  /// When a lost connection is made again; in the distant future while none is lost.
  private(set) var nextReconnectNanoseconds = distantFutureNanoseconds
  private var earliestReconnectNanoseconds: UInt64 = 0
  private(set) var reconnectCount = 0
  private var nextTickNanoseconds: UInt64 = 0
  /// Between two looks at what is due, nanoseconds: a tenth of the shortest heartbeat.
  private static let tickNanoseconds: UInt64 = 100_000_000
  /// Why the last connection that was lost, or could not be made again, was.
  private(set) var lastEnd = "no connection"

  /// For one new connection during a run; the others stand still meanwhile.
  private static let reconnectMilliseconds: Int32 = 50
  private static let reconnectPauseNanoseconds: UInt64 = 200_000_000
  /// Between two attempts, nanoseconds: a server that takes connections only to close them leaves
  /// the generator time for the others.
  private static let reconnectGapNanoseconds: UInt64 = 10_000_000

  /// Connects; `connectMilliseconds` for each connection.
  init(plan: LoadPlan, headers: LoadHeaders, connectMilliseconds: Int32, clock: Clock)
    throws(SystemError)
  {
    address = plan.target
    framing = plan.framing
    self.clock = clock
    self.headers = headers
    slotCount = max((plan.inFlightMax + plan.connectionCount - 1) / plan.connectionCount, 1)
    poller = try Epoll()
    for _ in 0..<plan.connectionCount {
      links.append(try connect(timeoutMilliseconds: connectMilliseconds))
    }
  }

  private func connect(timeoutMilliseconds: Int32) throws(SystemError) -> LoadLink {
    try LoadLink(
      to: address, timeoutMilliseconds: timeoutMilliseconds, headers: headers,
      slotCount: slotCount, memory: memory, poller: poller, framing: framing,
      nowNanoseconds: clock.monotonicNanoseconds())
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

  /// No connection takes calls, and the last attempt to make one has failed: what a gRPC client
  /// calls a transient failure, in which calls fail at once.
  var isDown: Bool {
    lastAttemptHasFailed && !links.contains { $0?.connection.isOpen == true }
  }

  func owner(of call: LoadConnection.Call) -> LoadLink {
    let isOwner: (LoadLink?) -> Bool = { $0?.connection.owns(call) == true }
    guard let link = links.first(where: isOwner) ?? draining.first(where: isOwner) else {
      preconditionFailure("a call of no connection")
    }
    return link
  }

  /// Lets the connections do what is due; `ended` is told of each that did something.
  func tick(nowNanoseconds: UInt64, ended: (LoadLink) -> Void) {
    guard nowNanoseconds >= nextTickNanoseconds else { return }
    nextTickNanoseconds = nowNanoseconds + LinkPool.tickNanoseconds
    for link in links + draining {
      guard let link, link.connection.tick(nowNanoseconds: nowNanoseconds) else { continue }
      link.isDirty = true
      ended(link)
    }
  }

  /// Writes what there is to write, and puts those aside that take no more calls; `ended` is told
  /// of each that was written to, for that may end calls. False when there was nothing to do.
  func flush(clock: Clock, ended: (LoadLink) -> Void) -> Bool {
    var hasWorked = false
    for index in links.indices {
      guard let link = links[index], link.isDirty else { continue }
      hasWorked = true
      link.flush(poller, clock: clock)
      ended(link)
      if !link.connection.isOpen { replace(index, nowNanoseconds: clock.monotonicNanoseconds()) }
    }
    guard !draining.isEmpty else { return hasWorked }
    for link in draining where link.isDirty {
      hasWorked = true
      link.flush(poller, clock: clock)
      ended(link)
    }
    draining.removeAll { $0.connection.isOver }
    return hasWorked
  }

  private func replace(_ index: Int, nowNanoseconds: UInt64) {
    guard let link = links[index] else { return }
    lastEnd = link.connection.refusal ?? lastEnd
    links[index] = nil
    if !link.connection.isOver { draining.append(link) }
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
      lastAttemptHasFailed = false
      if links.contains(where: { $0 == nil }) {
        nextReconnectNanoseconds = earliestReconnectNanoseconds
      }
    } catch {
      lastAttemptHasFailed = true
      lastEnd = "cannot connect: \(error.reason)"
      nextReconnectNanoseconds = nowNanoseconds + LinkPool.reconnectPauseNanoseconds
    }
  }
}
