import Core
import Foundation
import Synchronization
import Syscalls
import Transport

/// The answers of `HashServer` to all three kinds of scoring calls, most of them late by some
/// milliseconds: so calls are open when they are cancelled, run out of time or their server stops.
enum StormServer {
  static func run(port: UInt16) throws {
    StopSignals.hold()
    let service = StormService()
    let context = Unmanaged.passRetained(service)
    defer { context.release() }
    let server = try TransportServer(
      TransportConfiguration(
        address: SocketAddress(host: "127.0.0.1", port: port), loops: 1, cores: [],
        clock: .system)
    ) { loop in
      service.loop = loop
      return ServiceTable(methods: StormService.methods, context: context.toOpaque())
    }
    let clock = try StormClock(service)
    print("listening on \(server.address)")
    fflush(nil)
    _ = StopSignals.wait()
    server.stop { clock.stop() }
  }
}

/// Tells a service about every millisecond, from a thread of its own.
private final class StormClock {
  private let isOver: Flag
  private var thread: OwnedThread?

  /// What both threads see.
  private final class Flag: Sendable {
    let value = Atomic(false)
  }

  init(_ service: StormService) throws(SystemError) {
    let flag = Flag()
    isOver = flag
    // Nothing is watched: waiting in vain is the clock.
    let poller = try Epoll(capacity: 1)
    let tick = StormTick(service, poller)
    thread = try OwnedThread(name: "ticks") {
      while !flag.value.load(ordering: .acquiring) { tick.pass() }
    }
  }

  /// Returns when nothing more is posted.
  func stop() {
    isOver.value.store(true, ordering: .releasing)
    if let thread = thread.take() { thread.join() }
  }
}

private final class StormTick: @unchecked Sendable {
  // Unchecked: only the clock's thread uses it, and the service takes ticks from any.
  private let service: StormService
  private let poller: Epoll

  init(_ service: StormService, _ poller: consuming Epoll) {
    self.service = service
    self.poller = poller
  }

  func pass() {
    do throws(SystemError) {
      _ = try poller.wait(timeoutMilliseconds: 1)
    } catch {
      preconditionFailure("the storm's clock: \(error)")
    }
    service.postTick()
  }
}

/// What `HashServer` answers for an item.
enum StormHash {
  static func score(_ item: UInt64) -> Float {
    Float(Int32(truncatingIfNeeded: (item &* 0x9E37_79B9_7F4A_7C15) >> 40)) * 0x1p-24
  }
}
