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
  /// Kept for the moment when there are no others: with it a client can be turned away that would
  /// else wait, and wake the loop for nothing, until a connection ends.
  private var spare: Int32?

  init(descriptor: Int32, loops: [LoopHandle]) {
    self.descriptor = descriptor
    self.loops = loops
    spare = Sockets.spare()
  }

  mutating func close() {
    guard isOpen else { return }
    isOpen = false
    Sockets.close(descriptor)
    spare.map(Sockets.close)
    spare = nil
  }

  /// Takes what waits, at most this many a turn, so that open connections are not starved.
  private static let acceptsPerTurn = 64

  mutating func acceptWaiting() {
    for _ in 0..<Listener.acceptsPerTurn {
      do {
        guard isOpen, let descriptor = try Sockets.accept(descriptor) else { return }
        hand(descriptor)
      } catch {
        // A connection that was gone before it was taken, or no descriptors: what is open goes on,
        // and the next turn tries again.
        loops[0].state.pointee.counters.socketErrors += 1
        guard error.isOutOfDescriptors, turnAway() else { return }
      }
    }
  }

  /// Closes the connection that waits longest; false when there is none, or no descriptor for it.
  private mutating func turnAway() -> Bool {
    guard let descriptor = spare else {
      spare = Sockets.spare()
      return false
    }
    Sockets.close(descriptor)
    defer { spare = Sockets.spare() }
    guard let waiting = try? Sockets.accept(self.descriptor) else { return false }
    Sockets.close(waiting)
    return true
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
