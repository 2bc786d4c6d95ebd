internal import Core
internal import HTTP2
internal import Syscalls

/// One connection of the pool: a link, the framings on it, its timers. Loop-confined.
final class PooledConnection {
  private let endpoint: Endpoint
  private let runtime: ClientRuntime
  private let link: Link
  private let grpc: GRPCCarrier
  /// What goes before gRPC for the methods that it serves, once it is open.
  private var session: (any Carrier)?
  /// What is being agreed on with the server: calls wait for that.
  private var opening: (any Carrier)?
  /// A session that is over: what it has to say goes before its stream does.
  private var retired: (any Carrier)?
  private(set) var isReady = false
  private(set) var isDraining = false
  /// Whether a server has answered calls on it.
  var hasServed: Bool { grpc.hasServed || sessionHasServed }
  private var sessionHasServed: Bool {
    ((session ?? retired) as? SessionCarrier)?.hasServed ?? false
  }
  private var isOver = false
  private var connectTimer: LoopTimers.ID?
  private var openTimer: LoopTimers.ID?
  private var keepaliveTimer: LoopTimers.ID?
  private var watchedSinceNanoseconds: UInt64 = 0

  /// How long calls wait for a session that is being opened, before they go by gRPC: half of a
  /// call's default timeout, and more than the longest way there and back (0.3 s).
  private static let sessionWaitNanoseconds: UInt64 = 500_000_000

  init(_ endpoint: Endpoint, to address: SocketAddress, runtime: ClientRuntime)
    throws(SystemError)
  {
    self.endpoint = endpoint
    self.runtime = runtime
    let bounds = runtime.configuration.bounds
    let options = ClientOptions()
    link = try Link(
      to: address, authority: endpoint.address, runtime: runtime, limits: options.http2)
    grpc = GRPCCarrier(
      link,
      GRPCCarrier.Settings(
        callsMax: bounds.callsPerConnection, responseLimitBytes: bounds.responseBytes,
        unreadBytes: bounds.unreadBytes, authority: endpoint.address.description,
        userAgent: options.userAgent))
    link.owner = self
    let timeout = runtime.configuration.connectTimeout
    connectTimer = runtime.timers.after(timeout.nanoseconds) { [weak self] in
      self?.link.end("no connection to \(endpoint.address) within \(timeout)")
    }
  }

  var isConnecting: Bool { !isReady && !isOver }
  var openCalls: Int { grpc.openCalls + (session?.openCalls ?? 0) }

  /// Nil without a session that takes calls.
  var sessionLedger: SessionLedger? { isDraining ? nil : (session as? SessionCarrier)?.ledger }

  /// What would take a call now; nil = nothing here has room.
  func carrier(for method: ClientMethod, byGRPC: Bool = false) -> (any Carrier)? {
    guard isReady, !isDraining else { return nil }
    let session = byGRPC ? nil : session.flatMap { $0.serves(method) ? $0 : nil }
    let chosen: any Carrier = session ?? grpc
    return chosen.hasRoom ? chosen : nil
  }

  /// Starts an attempt that there is room for.
  func start(_ attempt: Attempt) {
    let head = attempt.head
    guard let carrier = carrier(for: head.method, byGRPC: head.isGRPCOnly) else { return }
    carrier.start(attempt, nowNanoseconds: runtime.nowNanoseconds)
    watch()
  }

  func close() {
    link.close()
  }

  // MARK: Keepalive

  /// While calls are open, silence is looked into.
  private func watch() {
    guard keepaliveTimer == nil, !isOver else { return }
    watchedSinceNanoseconds = runtime.nowNanoseconds
    look(after: runtime.configuration.keepalive.interval.nanoseconds, hasAsked: false)
  }

  private func look(after nanoseconds: UInt64, hasAsked: Bool) {
    keepaliveTimer = runtime.timers.after(nanoseconds) { [weak self] in
      self?.keepaliveTimer = nil
      self?.lookForLife(hasAsked: hasAsked)
    }
  }

  private func lookForLife(hasAsked: Bool) {
    guard !isOver, link.openStreams > 0 else { return }
    let keepalive = runtime.configuration.keepalive
    let last = max(link.lastReceivedNanoseconds, watchedSinceNanoseconds)
    let silence = runtime.nowNanoseconds - min(last, runtime.nowNanoseconds)
    let interval = keepalive.interval.nanoseconds
    if silence < interval {
      look(after: interval - silence, hasAsked: false)
    } else if hasAsked {
      link.end("\(endpoint.address) has not answered for \(Duration.nanoseconds(silence))")
    } else {
      link.ping()
      look(after: keepalive.timeout.nanoseconds, hasAsked: true)
    }
  }
}

extension PooledConnection: LinkOwner {
  func linkIsReady(_ link: Link) {
    runtime.timers.cancel(connectTimer)
    guard let carrier = endpoint.makeSession(on: link, owner: self) else { return becomeReady() }
    opening = carrier
    // A server that has not said whether it speaks sessions is asked by gRPC meanwhile.
    openTimer = runtime.timers.after(PooledConnection.sessionWaitNanoseconds) { [weak self] in
      self?.becomeReady()
    }
  }

  private func becomeReady() {
    guard !isOver else { return }
    runtime.timers.cancel(openTimer)
    isReady = true
    endpoint.connectionIsReady()
  }

  func linkIsDraining(_ link: Link, _ reason: String) {
    isDraining = true
    endpoint.connectionIsDraining()
    session?.drain()
    if link.openStreams == 0 { link.close() }
  }

  func linkHasRoom(_ link: Link) {
    if isDraining, link.openStreams == 0 { return link.close() }
    endpoint.connectionHasRoom()
  }

  func linkIsLost(_ link: Link, _ reason: String) {
    isOver = true
    isReady = false
    isDraining = true
    runtime.timers.cancel(connectTimer)
    runtime.timers.cancel(openTimer)
    runtime.timers.cancel(keepaliveTimer)
    endpoint.connectionIsOver(self, reason)
    (opening, session, retired) = (nil, nil, nil)
  }
}

extension PooledConnection: CarrierOwner {
  func carrier(_ carrier: any Carrier, opening: CarrierOpening) {
    guard self.opening === carrier else { return }
    self.opening = nil
    switch opening {
    case .opened: session = carrier
    case .notSpoken(let nanoseconds):
      retired = carrier
      if let nanoseconds {
        let (sum, overflow) = runtime.nowNanoseconds.addingReportingOverflow(nanoseconds)
        endpoint.grpcUntilNanoseconds = overflow ? .max : sum
      }
    }
    becomeReady()
  }

  func carrierHasRoom(_ carrier: any Carrier) {
    endpoint.connectionHasRoom()
  }

  func carrierIsDraining(_ carrier: any Carrier) {
    // The connection goes with its session: another one takes its place.
    link.drain("the server is going away")
  }

  func carrierIsOver(_ carrier: any Carrier, _ reason: String) {
    if opening === carrier {
      return self.carrier(carrier, opening: .notSpoken(remembersForNanoseconds: nil))
    }
    guard session === carrier else { return }
    (session, retired) = (nil, carrier)
    link.drain(reason)
  }
}
