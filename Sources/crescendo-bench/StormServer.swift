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
    let clock = StormClock(service)
    let thread = try OwnedThread(name: "ticks") { clock.run() }
    print("listening on \(server.address)")
    fflush(nil)
    _ = StopSignals.wait()
    server.stop { clock.stop() }
    thread.join()
  }
}

/// Tells a service about every millisecond, from a thread of its own.
private final class StormClock: @unchecked Sendable {
  // Unchecked: only `isOver` varies; the service is touched on its loop alone.
  private let service: StormService
  private let isOver = Atomic(false)
  private let hasEnded = Atomic(false)

  init(_ service: StormService) {
    self.service = service
  }

  func run() {
    while !isOver.load(ordering: .acquiring) {
      usleep(1_000)
      service.postTick()
    }
    hasEnded.store(true, ordering: .releasing)
  }

  /// Returns when nothing more is posted.
  func stop() {
    isOver.store(true, ordering: .releasing)
    while !hasEnded.load(ordering: .acquiring) { usleep(100) }
  }
}

/// What `HashServer` answers for an item.
enum StormHash {
  static func score(_ item: UInt64) -> Float {
    Float(Int32(truncatingIfNeeded: (item &* 0x9E37_79B9_7F4A_7C15) >> 40)) * 0x1p-24
  }
}
