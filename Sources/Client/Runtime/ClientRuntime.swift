internal import Core
internal import EventLoop
internal import Syscalls
internal import Wire

/// The one background thread of a client, and everything that lives on it.
///
/// Other threads only `post`. The thread keeps the runtime alive until it has ended.
final class ClientRuntime: @unchecked Sendable {
  // Unchecked: `gate`, `loop.post` and what is constant are made for many threads; everything else
  // belongs to the loop's thread, or to `start` before that runs.
  let configuration: ClientConfiguration
  let loop: EventLoop
  let metrics: ClientMetrics
  let timers: LoopTimers
  /// One read of the loop; its bytes are dealt with before the next.
  let readBuffer = UnsafeMutableRawPointer.allocate(
    byteCount: Limits.clientReadBytes, alignment: 16)
  var policies: CallPolicies
  private(set) var pool: Pool?
  private let gate = Guarded(true)

  private var dirty: [Link] = []
  private var calls: [ObjectIdentifier: LogicalCall] = [:]
  private var isClosing = false
  private var closers: [() -> Void] = []
  private var closeTimer: LoopTimers.ID?

  private init(_ configuration: ClientConfiguration, clock: Clock, seed: UInt64)
    throws(SystemError)
  {
    self.configuration = configuration
    loop = try EventLoop(index: 0, clock: clock)
    timers = LoopTimers(loop)
    metrics = ClientMetrics(configuration.metrics)
    policies = CallPolicies(configuration, seed: seed)
  }

  deinit {
    readBuffer.deallocate()
  }

  /// Opens a session on a link that is ready.
  func makeSession(_ link: Link, _ owner: any CarrierOwner) -> any Carrier {
    var bounds = SessionClient.Bounds()
    bounds.frameBytes = configuration.bounds.responseBytes + Limits.sessionFrameRoomBytes
    return SessionCarrier(
      link, owner, runtime: self,
      SessionCarrier.Settings(
        authority: link.address.description, userAgent: ClientOptions().userAgent,
        metadata: configuration.metadata.map { MetadataEntry($0.name, $0.value) },
        bounds: bounds, unreadBytes: configuration.bounds.unreadBytes))
  }

  /// Starts the thread.
  static func start(
    _ configuration: ClientConfiguration, _ addresses: [SocketAddress], clock: Clock,
    seed: UInt64
  ) throws(SystemError) -> ClientRuntime {
    let runtime = try ClientRuntime(configuration, clock: clock, seed: seed)
    runtime.pool = Pool(runtime, addresses)
    runtime.loop.setHooks(
      LoopHooks(
        context: Unmanaged.passUnretained(runtime).toOpaque(),
        turnEnded: { ClientRuntime.at($0).turnEnded() },
        timerDue: { context, _, _ in ClientRuntime.at(context).timers.fire() }))
    let thread = try OwnedThread(name: "client") { runtime.run() }
    thread.detach()
    return runtime
  }

  private static func at(_ context: UnsafeMutableRawPointer?) -> ClientRuntime {
    guard let context else { preconditionFailure("a loop without its runtime") }
    return Unmanaged<ClientRuntime>.fromOpaque(context).takeUnretainedValue()
  }

  private func run() {
    do {
      try loop.run()
    } catch {
      // epoll_wait fails only on our own bugs: dying loudly beats calls that never end.
      preconditionFailure("the client's loop: \(error)")
    }
    gate.withLock { $0 = false }
    // What was posted before the gate closed still finds its answer.
    loop.runTasks()
    // The pool and the runtime hold each other until here.
    pool = nil
    let closers = self.closers
    self.closers = []
    for closer in closers { closer() }
  }

  // MARK: From any thread

  /// Runs `body` on the loop, in the order of posting. False when the client is closed: it never
  /// runs then.
  @discardableResult
  func post(_ body: @escaping @Sendable () -> Void) -> Bool {
    gate.withLock { isOpen in
      guard isOpen else { return false }
      let task = UnsafeMutablePointer<LoopTask>.allocate(capacity: 1)
      let box = Unmanaged.passRetained(PostedBody(body))
      task.initialize(to: LoopTask(run: runPostedBody, context: box.toOpaque()))
      loop.post(task)
      return true
    }
  }

  /// The loop's clock, also elsewhere.
  var nowNanoseconds: UInt64 { loop.clock.monotonicNanoseconds() }

  // MARK: On the loop

  /// To be written, or ended, with this turn.
  func markDirty(_ link: Link) {
    guard !link.isDirty else { return }
    link.isDirty = true
    dirty.append(link)
  }

  /// A call begins; an error when no more can.
  func enlist(_ call: LogicalCall) -> RPCError? {
    if isClosing { return ClientRuntime.closed }
    calls[ObjectIdentifier(call)] = call
    return nil
  }

  func delist(_ call: LogicalCall) {
    calls[ObjectIdentifier(call)] = nil
    if isClosing, calls.isEmpty { finishClosing() }
  }

  /// Nil once the loop is over.
  var ledger: ClientLedger? {
    guard let pool else { return nil }
    let connections = pool.endpoints.flatMap(\.connections)
    return ClientLedger(
      sessions: connections.compactMap(\.sessionLedger), openCalls: calls.count,
      waitingAttempts: pool.waitingAttempts, connections: connections.count)
  }

  static let closed = RPCError(.unavailable, "the client is closed")

  /// No new calls; open ones may finish for `closeTimeout`. `done` runs when the thread ends.
  func close(_ done: (() -> Void)?, graceNanoseconds: UInt64) {
    if let done { closers.append(done) }
    guard !isClosing else { return }
    isClosing = true
    if calls.isEmpty { return finishClosing() }
    closeTimer = timers.after(graceNanoseconds) { [self] in
      for call in calls.values { call.cut(ClientRuntime.closed) }
    }
  }

  private func finishClosing() {
    timers.cancel(closeTimer)
    pool?.close()
    loop.stop()
  }

  private func turnEnded() {
    repeat {
      pool?.pump()
      let links = dirty
      dirty = []
      for link in links {
        link.isDirty = false
        link.settle()
      }
    } while !dirty.isEmpty || pool?.needsPump == true
  }
}

private final class PostedBody {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func runPostedBody(_ address: UnsafeMutableRawPointer) {
  let task = address.assumingMemoryBound(to: LoopTask.self)
  let context = task.pointee.context
  task.deinitialize(count: 1)
  task.deallocate()
  guard let context else { return }
  Unmanaged<PostedBody>.fromOpaque(context).takeRetainedValue().run()
}
