internal import Core
internal import EventLoop
internal import Synchronization
internal import Syscalls

/// The listening socket, on the first loop.
struct Listener {
  /// First, because the listener's address is its descriptor's token.
  var target = PollTarget(ready: listenerReady)
  var descriptor: Int32
  let loops: [LoopHandle]
  var isOpen = true

  init(descriptor: Int32, loops: [LoopHandle]) {
    self.descriptor = descriptor
    self.loops = loops
  }

  mutating func close() {
    guard isOpen else { return }
    isOpen = false
    Sockets.close(descriptor)
  }

  /// Takes what waits, at most this many a turn, so that open connections are not starved.
  private static let acceptsPerTurn = 64

  mutating func acceptWaiting() {
    for _ in 0..<Listener.acceptsPerTurn {
      do {
        guard isOpen, let descriptor = try Sockets.accept(descriptor) else { return }
        hand(descriptor)
      } catch {
        // Out of descriptors, or a connection that was gone before it was taken: the next turn
        // tries again; what is open goes on.
        loops[0].state.pointee.counters.socketErrors += 1
        return
      }
    }
  }

  /// Gives a connection to the loop with the fewest.
  private func hand(_ descriptor: Int32) {
    var (best, fewest, total) = (loops[0], Int.max, 0)
    for loop in loops {
      let count = loop.connectionCount.pointee.load(ordering: .relaxed)
      total += count
      if count < fewest { (best, fewest) = (loop, count) }
    }
    guard total < Limits.serving.connections else { return Sockets.close(descriptor) }
    best.connectionCount.pointee.add(1, ordering: .relaxed)
    let arrival = UnsafeMutablePointer<Arrival>.allocate(capacity: 1)
    arrival.initialize(
      to: Arrival(
        task: LoopTask(run: takeArrival, context: nil), descriptor: descriptor, loop: best.state))
    best.eventLoop.post(
      UnsafeMutableRawPointer(arrival).assumingMemoryBound(to: LoopTask.self))
  }
}

/// A descriptor on its way to its loop. The task is its first field, so that both have one address.
private struct Arrival {
  var task: LoopTask
  var descriptor: Int32
  var loop: LoopPointer
}

private func takeArrival(_ task: UnsafeMutableRawPointer) {
  let arrival = task.assumingMemoryBound(to: Arrival.self)
  let (descriptor, loop) = (arrival.pointee.descriptor, arrival.pointee.loop)
  arrival.deallocate()
  do {
    let connection = try ConnectionPointer.open(descriptor, loop: loop)
    if loop.pointee.drain != .none { connection.goAway() }
  } catch {
    loop.pointee.counters.socketErrors += 1
    loop.pointee.connectionCount.pointee.subtract(1, ordering: .relaxed)
    Sockets.close(descriptor)
  }
}

private func listenerReady(_ owner: UnsafeMutableRawPointer, _ readiness: UInt32) {
  owner.assumingMemoryBound(to: Listener.self).pointee.acceptWaiting()
}
