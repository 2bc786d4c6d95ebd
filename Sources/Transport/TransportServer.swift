package import Core
package import EventLoop
internal import Glibc
internal import Synchronization
package import Syscalls

/// Where a server listens and on how many loops.
package struct TransportConfiguration: Sendable {
  package var address: SocketAddress
  /// Event loops, one thread each, at least 1.
  package var loops: Int
  /// Cores that the loops are pinned to, in turn; empty = not pinned.
  package var cores: [Int]
  /// Loops that never sleep.
  package var isBusy = false
  package var clock: Clock

  package init(address: SocketAddress, loops: Int, cores: [Int], clock: Clock) {
    self.address = address
    self.loops = loops
    self.cores = cores
    self.clock = clock
  }
}

/// The listening side: loops on threads of their own, and one acceptor (on the first loop) that
/// hands each connection to the loop with the fewest.
package final class TransportServer: @unchecked Sendable {
  // Unchecked: `loops` and `listener` are set before any thread starts and then only read; what
  // they point to belongs to the loops' own threads, and is reached from here by posting tasks.
  /// Where it listens: with the port that was really taken.
  package let address: SocketAddress
  private let loops: [LoopHandle]
  private let listener: UnsafeMutablePointer<Listener>
  private let budget: ProcessBudget
  private var threads: [ThreadBox] = []

  private final class ThreadBox {
    var thread: OwnedThread?
    init(_ thread: consuming OwnedThread) { self.thread = consume thread }
    func join() {
      if let thread = thread.take() { thread.join() }
    }
  }

  /// Listens and starts the loops. `services` makes each loop's table, before its thread starts.
  package init(
    _ configuration: TransportConfiguration, services: (EventLoop) -> ServiceTable
  ) throws(SystemError) {
    precondition(configuration.loops >= 1)
    let descriptor = try Sockets.listen(on: configuration.address)
    let budget = ProcessBudget()
    var loops: [LoopHandle] = []
    do throws(SystemError) {
      address = try Sockets.localAddress(of: descriptor)
      for index in 0..<configuration.loops {
        let eventLoop = try EventLoop(
          index: index, clock: configuration.clock, isBusy: configuration.isBusy)
        let loop = LoopPointer.allocate(capacity: 1)
        loop.initialize(
          to: LoopState(
            eventLoop: eventLoop, services: services(eventLoop), budget: budget))
        eventLoop.setHooks(
          LoopHooks(context: loop, turnEnded: loopTurnEnded, timerDue: loopTimerDue))
        loops.append(LoopHandle(loop))
      }
      listener = .allocate(capacity: 1)
      listener.initialize(to: Listener(descriptor: descriptor, loops: loops))
      try loops[0].eventLoop.watch(descriptor, .reading, owner: listener)
    } catch {
      Sockets.close(descriptor)
      budget.destroy()
      throw error
    }
    self.loops = loops
    self.budget = budget
    for (index, loop) in loops.enumerated() {
      let core =
        configuration.cores.isEmpty
        ? nil : configuration.cores[index % configuration.cores.count]
      threads.append(ThreadBox(try TransportServer.startThread(index, loop.state, core)))
    }
  }

  private static func startThread(_ index: Int, _ loop: LoopPointer, _ core: Int?)
    throws(SystemError) -> OwnedThread
  {
    // Unsafe: from here on the loop's state is its own thread's.
    nonisolated(unsafe) let loop = loop
    return try OwnedThread(name: "loop-\(index)") {
      if let core { _ = Affinity.pinCurrentThread(core: core) }
      do {
        try loop.pointee.eventLoop.run()
      } catch {
        // epoll_wait fails only on our own bugs: dying loudly beats a server that hears nothing.
        preconditionFailure("loop \(index): \(error)")
      }
      loop.closeAll(.stop)
    }
  }

  /// No new connections; open calls may finish until `ServingLimits.drainNanoseconds`; then
  /// everything is closed. Returns when all loops have ended.
  ///
  /// `loopsEnded` runs when no loop does any more, and stops whatever still posts to them: what
  /// it has posted is run before the loops are freed.
  package func stop(loopsEnded: () -> Void) {
    post(to: loops[0], listener, closeListener)
    for loop in loops { post(to: loop, loop.state, drainLoop) }
    for thread in threads { thread.join() }
    threads = []
    loopsEnded()
    for loop in loops.map(\.state) {
      loop.pointee.eventLoop.runTasks()
      // One of these tasks may have been a connection that was accepted while its loop ended.
      loop.turnEnded()
      loop.closeAll(.stop)
      loop.pointee.destroy()
      loop.deinitialize(count: 1)
      loop.deallocate()
    }
    listener.deinitialize(count: 1)
    listener.deallocate()
    budget.destroy()
  }

  private func post(
    to loop: LoopHandle, _ context: UnsafeMutableRawPointer,
    _ run: @convention(c) (UnsafeMutableRawPointer) -> Void
  ) {
    let task = UnsafeMutablePointer<LoopTask>.allocate(capacity: 1)
    task.initialize(to: LoopTask(run: run, context: context))
    loop.eventLoop.post(task)
  }
}

/// The context of a task that was allocated for it alone; frees the task.
func takeTaskContext(_ task: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
  let task = task.assumingMemoryBound(to: LoopTask.self)
  guard let context = task.pointee.context else { preconditionFailure("a task without context") }
  task.deallocate()
  return context
}

private func loopTurnEnded(_ context: UnsafeMutableRawPointer?) {
  context?.assumingMemoryBound(to: LoopState.self).turnEnded()
}

/// A timer whose token is the loop itself is one of its alarms; all others are streams' or
/// session calls'.
private func loopTimerDue(
  _ context: UnsafeMutableRawPointer?, _ token: UnsafeMutableRawPointer?, _ generation: UInt64
) {
  guard let token, let context else { return }
  let loop = context.assumingMemoryBound(to: LoopState.self)
  if token == context { return loop.alarmDue(generation) }
  let call = token.assumingMemoryBound(to: CallState.self)
  guard call.pointee.generation == generation else { return }
  loop.pointee.nowNanoseconds = loop.pointee.eventLoop.clock.monotonicNanoseconds()
  switch call.pointee.framing {
  case .grpc: token.assumingMemoryBound(to: ServerStream.self).timerDue()
  case .session: token.assumingMemoryBound(to: SessionCall.self).timerDue()
  }
}

private func closeListener(_ task: UnsafeMutableRawPointer) {
  takeTaskContext(task).assumingMemoryBound(to: Listener.self).pointee.close()
}

private func drainLoop(_ task: UnsafeMutableRawPointer) {
  takeTaskContext(task).assumingMemoryBound(to: LoopState.self).beginDrain()
}
