internal import Core
internal import EventLoop
internal import HTTP2
internal import Wire

/// How far a loop's end has come (rpc.md §1.8 has the order).
enum DrainState {
  case none
  /// GOAWAY that names no last stream: clients learn of the end, and what is on its way to us is
  /// still taken.
  case noticed
  /// GOAWAY after the last stream that was taken; open calls finish.
  case goingAway
}

extension UnsafeMutablePointer where Pointee == LoopState {
  /// Every connection is told that the end is near.
  func beginDrain() {
    guard pointee.drain == .none else { return }
    // What is queued goes first, above all what watchers of health have just been told: within one
    // write HTTP/2 would put its GOAWAY before it.
    turnEnded()
    pointee.drain = .noticed
    forEachConnection {
      $0.forEachSession { $0.drain() }
      $0.notice()
    }
    let now = pointee.eventLoop.clock.monotonicNanoseconds()
    schedule(.goAway, at: now + Limits.serving.drainNoticeNanoseconds)
    schedule(.hardStop, at: now + Limits.serving.drainNanoseconds)
  }

  fileprivate func forEachConnection(_ body: (ConnectionPointer) -> Void) {
    var connection = pointee.connections
    while let current = connection {
      connection = current.pointee.next
      body(current)
    }
  }

  func closeAll(_ source: CancellationSource) {
    while let connection = pointee.connections {
      connection.close(source)
    }
    settleTouchedStreams()
  }

  // MARK: Timers of the loop itself

  /// What a timer is for whose token is the loop: its generation says.
  enum Alarm: UInt64 {
    case goAway = 1
    case hardStop = 2
    case tick = 3
  }

  func schedule(_ alarm: Alarm, at nanoseconds: UInt64) {
    pointee.eventLoop.schedule(
      TimerEntry(
        deadlineNanoseconds: nanoseconds, token: self, generation: alarm.rawValue))
  }

  func alarmDue(_ generation: UInt64) {
    switch Alarm(rawValue: generation) {
    case .goAway:
      pointee.drain = .goingAway
      forEachConnection { $0.goAway() }
    case .hardStop:
      // What is left of sessions hears why; it goes out with the end of this turn.
      pointee.nowNanoseconds = pointee.eventLoop.clock.monotonicNanoseconds()
      forEachConnection { $0.forEachSession { $0.fail(.stopped, .stop) } }
      pointee.eventLoop.stop()
    case .tick: tick()
    case nil: preconditionFailure("an alarm that nobody set")
    }
  }

  /// Some connection has bytes that do not go: from now on they are looked at.
  func startTick() {
    guard !pointee.hasTick else { return }
    pointee.hasTick = true
    schedule(
      .tick,
      at: pointee.eventLoop.clock.monotonicNanoseconds() + Limits.serving.stallTickNanoseconds)
  }

  private func tick() {
    pointee.hasTick = false
    pointee.nowNanoseconds = pointee.eventLoop.clock.monotonicNanoseconds()
    var isBlocked = false
    forEachConnection { connection in
      if connection.isBlocked {
        connection.cutStalls(now: pointee.nowNanoseconds)
        isBlocked = true
      }
    }
    if isBlocked { startTick() }
  }
}

extension ConnectionPointer {
  fileprivate func notice() {
    end { (session) throws(HTTP2Session.ConnectionError) in try session.submitShutdownNotice() }
  }

  fileprivate func forEachSession(_ body: (SessionPointer) -> Void) {
    var stream = pointee.streams
    while let current = stream {
      stream = current.pointee.next
      if let session = current.pointee.session { body(session) }
    }
  }

  /// No new streams; closes when the open ones have ended.
  func goAway() {
    end { (session) throws(HTTP2Session.ConnectionError) in try session.submitGoAway() }
  }

  private func end(
    _ submit: (HTTP2Session) throws(HTTP2Session.ConnectionError) -> Void
  ) {
    do throws(HTTP2Session.ConnectionError) {
      try submit(pointee.session)
      markDirty()
    } catch {
      markDead()
    }
  }

  /// Whether it has bytes that do not go: the socket refuses them, or the client's windows are
  /// closed.
  var isBlocked: Bool { pointee.pendingCount > 0 || pointee.chargedBytes > 0 }

  /// Cuts what has made no progress for the stall time, and answers whose deadline has passed: the
  /// whole connection where the socket refuses bytes, single streams where windows are closed.
  fileprivate func cutStalls(now: UInt64) {
    if pointee.pendingCount > 0 {
      if now - Swift.min(now, pointee.progressNanoseconds) > Limits.serving.stallNanoseconds {
        pointee.loop.pointee.counters.connectionsStalled += 1
        pointee.isStalled = true
        markDead()
      }
      return
    }
    var stream = pointee.streams
    while let current = stream {
      stream = current.pointee.next
      current.cutStall(now: now)
    }
  }
}

extension StreamPointer {
  fileprivate func cutStall(now: UInt64) {
    guard !pointee.outbound.isEmpty else { return }
    if pointee.seenSentBytes != pointee.call.sentBytes || pointee.progressNanoseconds == 0 {
      pointee.seenSentBytes = pointee.call.sentBytes
      pointee.progressNanoseconds = now
    }
    let isLate = now >= pointee.call.deadlineNanoseconds
    guard isLate || now - pointee.progressNanoseconds > Limits.serving.stallNanoseconds else {
      return
    }
    // Row S31; a session has no deadline of its own.
    if let session = pointee.session, session.takesFrames {
      let seconds = max(Limits.serving.stallNanoseconds / 1_000_000_000, 1)
      return session.fail(.unread(seconds), .stall)
    }
    cut(isLate ? .deadline : .stall)
  }
}
