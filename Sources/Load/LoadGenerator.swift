package import Core
package import Syscalls

/// Makes the calls of a plan against one server: one thread, one epoll, many connections.
///
/// Intended instants come from the schedule alone. A call that is due goes to the next connection
/// with room; without room it waits, its clock running, and after its deadline it is missing.
package final class LoadGenerator {
  /// What the generator may ask of the world beside its sockets.
  package struct Surroundings {
    package var clock: Clock
    /// CPU time of this thread, nanoseconds.
    package var threadCPUNanoseconds: () -> UInt64
    /// Of the server's process, read at both ends of the window.
    package var serverUsage: (() -> ServerUsage?)?
    /// Told once a second.
    package var progress: ((Progress) -> Void)?

    package init(
      clock: Clock = .system,
      threadCPUNanoseconds: @escaping () -> UInt64 = { Syscalls.threadCPUNanoseconds() },
      serverUsage: (() -> ServerUsage?)? = nil, progress: ((Progress) -> Void)? = nil
    ) {
      self.clock = clock
      self.threadCPUNanoseconds = threadCPUNanoseconds
      self.serverUsage = serverUsage
      self.progress = progress
    }
  }

  package struct Progress: Sendable {
    /// Since the first intended instant; warm-up is part of it.
    package var elapsedNanoseconds: UInt64
    package var totalNanoseconds: UInt64
    package var inFlight: Int
    package var tally: LoadTally
  }

  let plan: LoadPlan
  let clock: Clock
  let surroundings: Surroundings
  private let mix: RequestMix
  private let pool: LinkPool
  private let timer: PreciseTimer
  private var armedNanoseconds = distantFutureNanoseconds
  private let readBuffer: UnsafeMutableRawPointer
  private var schedule: ArrivalSchedule
  private var random: SplitMix64
  private var origin: UInt64 = 0
  private var end: UInt64 = 0
  /// The next intended instant; nil once the schedule is over.
  private var due: UInt64?
  private var dueWasHeld = false
  /// When a look for room was last in vain.
  private var lastFullNanoseconds: UInt64 = 0

  private var inFlight = InFlightCalls()
  private var tally: LoadTally
  private var texts: [StatusCode: String] = [:]
  private var usage = LoadReport.GeneratorUsage()
  private var window: WindowMeter

  /// Starts in one turn, so that reading is not put off for long: about 50 µs of work.
  private static let startsPerTurn = 16
  /// Waits up to here are spun through, nanoseconds: a sleep and its wake-up take longer.
  private static let spinNanoseconds: UInt64 = 20_000
  /// From connecting to the first call, nanoseconds: SETTINGS go both ways.
  private static let leadNanoseconds: UInt64 = 20_000_000
  /// Connects; `connectMilliseconds` for each connection.
  package init(
    plan: LoadPlan, headers: LoadHeaders, mix: RequestMix, surroundings: Surroundings,
    connectMilliseconds: Int32 = 5_000
  ) throws(SystemError) {
    self.plan = plan
    self.mix = mix
    self.surroundings = surroundings
    clock = surroundings.clock
    pool = try LinkPool(
      plan: plan, headers: headers, connectMilliseconds: connectMilliseconds, clock: clock)
    timer = try PreciseTimer()
    readBuffer = .allocate(byteCount: Limits.serving.readBufferBytes, alignment: 64)
    schedule = ArrivalSchedule(plan.schedule, ratePerSecond: plan.ratePerSecond, seed: plan.seed)
    // Another stream of random numbers than the schedule's.
    random = SplitMix64(seed: splitmix64(plan.seed))
    tally = LoadTally(window: 0..<1, timeoutNanoseconds: plan.timeoutNanoseconds)
    window = WindowMeter()
    try pool.poller.add(timer.descriptor, .reading, token: nil)
  }

  deinit {
    readBuffer.deallocate()
  }

  // MARK: The loop

  /// Makes every call of the plan, and returns when the last is answered or given up.
  package func run() throws(SystemError) -> LoadReport {
    prepare()
    while due != nil || inFlight.oldest != nil {
      var now = clock.monotonicNanoseconds()
      let turnStart = now
      if now >= pool.nextReconnectNanoseconds { pool.reconnect(nowNanoseconds: now) }
      var hasWorked = startDue(now)
      giveUpExpired(now)
      pool.tick(nowNanoseconds: now, ended: takeEnded)
      hasWorked = pool.flush(clock: clock, ended: takeEnded) || hasWorked
      window.pass(now, self)
      let waitStart = clock.monotonicNanoseconds()
      let wake = nextWake()
      let timeout = try waitTimeout(until: wake, now: waitStart)
      let count = try pool.poller.wait(timeoutMilliseconds: timeout)
      now = clock.monotonicNanoseconds()
      let hasRead = read(count)
      if timeout < 0 {
        window.idleNanoseconds += now - waitStart
      } else if !hasRead, !hasWorked {
        window.idleNanoseconds += now - turnStart
      }
    }
    window.finish(clock.monotonicNanoseconds(), self)
    return report()
  }

  /// From the sockets among the last `count` events; the timer, which is one too, has done its
  /// work by waking us.
  private func read(_ count: Int) -> Bool {
    var hasRead = false
    for index in 0..<count {
      guard let token = pool.poller.event(index).token else { continue }
      hasRead = true
      let link = Unmanaged<LoadLink>.fromOpaque(token).takeUnretainedValue()
      link.read(readBuffer, capacity: Limits.serving.readBufferBytes, clock: clock)
      takeEnded(link)
    }
    return hasRead
  }

  private func prepare() {
    origin = clock.monotonicNanoseconds() + LoadGenerator.leadNanoseconds
    let windowStart = origin + plan.warmUpNanoseconds
    end = windowStart + plan.durationNanoseconds
    tally = LoadTally(
      window: windowStart..<end, timeoutNanoseconds: plan.timeoutNanoseconds,
      warmUpNanoseconds: plan.warmUpNanoseconds)
    window = WindowMeter(window: windowStart..<end, origin: origin)
    advanceSchedule()
  }

  private func advanceSchedule() {
    let next = origin + schedule.next()
    due = next < end ? next : nil
    dueWasHeld = false
  }

  private func nextWake() -> UInt64 {
    var wake = min(window.nextNanoseconds, pool.nextReconnectNanoseconds)
    if let due {
      // A call that is held waits for an answer, or for its own end.
      wake = min(wake, dueWasHeld ? due + plan.timeoutNanoseconds : due)
    }
    if let oldest = inFlight.oldest {
      wake = min(wake, oldest.pointee.sentNanoseconds + plan.patienceNanoseconds)
    }
    return wake
  }

  /// 0 to look and go on, −1 to sleep until a socket or the timer.
  private func waitTimeout(until wake: UInt64, now: UInt64) throws(SystemError) -> Int32 {
    guard wake > now + LoadGenerator.spinNanoseconds else {
      if wake > now { relaxCPU() }
      return 0
    }
    // The rest is spun through, so that a call starts when it is due and not a wake-up later.
    let alarm = wake - LoadGenerator.spinNanoseconds / 2
    if alarm != armedNanoseconds {
      try timer.arm(atNanoseconds: alarm)
      armedNanoseconds = alarm
    }
    return -1
  }

  // MARK: Calls

  private func startDue(_ turnNanoseconds: UInt64) -> Bool {
    var started = 0
    while let intended = due, intended <= turnNanoseconds, started < LoadGenerator.startsPerTurn {
      started += 1
      let now = clock.monotonicNanoseconds()
      guard let link = pool.withRoom() else {
        if pool.isDown {
          fail(intended, now)
        } else if now >= intended + plan.timeoutNanoseconds {
          tally.recordMissing(intendedNanoseconds: intended)
        } else {
          hold(intended, now)
          break
        }
        advanceSchedule()
        continue
      }
      start(intended, on: link, now)
      advanceSchedule()
    }
    return started > 0
  }

  private func hold(_ intended: UInt64, _ now: UInt64) {
    lastFullNanoseconds = now
    if !dueWasHeld, tally.window.contains(intended) { usage.heldCalls += 1 }
    dueWasHeld = true
  }

  private func start(_ intended: UInt64, on link: LoadLink, _ now: UInt64) {
    let (body, userID) = mix.next(&random)
    guard
      let call = link.connection.start(
        intendedNanoseconds: intended, body: body, userID: userID, nowNanoseconds: now)
    else { return fail(intended, now) }
    link.isDirty = true
    tally.noteSent(
      intendedNanoseconds: intended, possibleNanoseconds: max(intended, lastFullNanoseconds),
      sentNanoseconds: now)
    inFlight.append(call)
    usage.inFlightHighest = max(usage.inFlightHighest, inFlight.count)
  }

  /// There is no connection: what gRPC answers a call that is not told to wait for one.
  private func fail(_ intended: UInt64, _ now: UInt64) {
    tally.record(
      CallRecord(
        intendedNanoseconds: intended, sentNanoseconds: now, endedNanoseconds: now,
        status: .unavailable))
    if texts[.unavailable] == nil { texts[.unavailable] = pool.lastEnd }
  }

  private func giveUpExpired(_ now: UInt64) {
    while let call = inFlight.oldest,
      now >= call.pointee.sentNanoseconds + plan.patienceNanoseconds
    {
      let link = pool.owner(of: call)
      link.connection.giveUp(call, nowNanoseconds: now)
      link.isDirty = true
      takeEnded(link)
    }
  }

  private func takeEnded(_ link: LoadLink) {
    for ended in link.connection.ended {
      inFlight.remove(ended.call)
      tally.record(ended.record)
      if let text = ended.text, texts[ended.record.status] == nil {
        texts[ended.record.status] = text
      }
    }
    link.connection.forgetEnded()
  }

  // MARK: The report

  var progress: Progress {
    let now = clock.monotonicNanoseconds()
    return Progress(
      elapsedNanoseconds: now - min(now, origin), totalNanoseconds: end - origin,
      inFlight: inFlight.count, tally: tally)
  }

  private func report() -> LoadReport {
    usage.reconnects = pool.reconnectCount
    usage.cpuNanoseconds = window.cpuNanoseconds
    usage.busyShare = window.busyShare
    // Warm-up is told of nowhere else either.
    let counted = texts.filter { tally.count($0.key) > 0 }
    return LoadReport(
      plan: plan, tally: tally, generator: usage, server: window.server, texts: counted)
  }
}
