internal import Core

/// Reads the meters of generator and server at both ends of the window, and tells progress.
struct WindowMeter {
  private let window: Range<UInt64>
  /// Of the generator, added up by it: waiting for sockets and due times.
  var idleNanoseconds: UInt64 = 0
  private(set) var cpuNanoseconds: UInt64 = 0
  private(set) var busyShare = 0.0
  private(set) var server: LoadReport.ServerShare?
  private var phase = Phase.before
  private var nextProgressNanoseconds: UInt64

  private enum Phase { case before, inside, after }

  private struct Start {
    var nanoseconds: UInt64 = 0
    var idleNanoseconds: UInt64 = 0
    var cpuNanoseconds: UInt64 = 0
    var server: ServerUsage?
  }

  private var start = Start()

  private static let progressNanoseconds: UInt64 = 1_000_000_000

  init(window: Range<UInt64> = 0..<1, origin: UInt64 = 0) {
    self.window = window
    nextProgressNanoseconds = origin + WindowMeter.progressNanoseconds
  }

  /// When `pass` has something to do next.
  var nextNanoseconds: UInt64 {
    switch phase {
    case .before: min(window.lowerBound, nextProgressNanoseconds)
    case .inside: min(window.upperBound, nextProgressNanoseconds)
    case .after: nextProgressNanoseconds
    }
  }

  @inline(__always)
  mutating func pass(_ now: UInt64, _ generator: LoadGenerator) {
    if now >= nextNanoseconds { step(now, generator) }
  }

  /// The run is over, which may be before the window's last instant has passed.
  mutating func finish(_ now: UInt64, _ generator: LoadGenerator) {
    if phase == .before { open(now, generator) }
    if phase == .inside { close(now, generator) }
  }

  private mutating func step(_ now: UInt64, _ generator: LoadGenerator) {
    if phase == .before, now >= window.lowerBound { open(now, generator) }
    if phase == .inside, now >= window.upperBound { close(now, generator) }
    if now >= nextProgressNanoseconds {
      nextProgressNanoseconds = now + WindowMeter.progressNanoseconds
      if let tell = generator.surroundings.progress { tell(generator.progress) }
    }
  }

  private mutating func open(_ now: UInt64, _ generator: LoadGenerator) {
    phase = .inside
    start = Start(
      nanoseconds: now, idleNanoseconds: idleNanoseconds,
      cpuNanoseconds: generator.surroundings.threadCPUNanoseconds(),
      server: generator.surroundings.serverUsage?())
  }

  private mutating func close(_ now: UInt64, _ generator: LoadGenerator) {
    phase = .after
    cpuNanoseconds = generator.surroundings.threadCPUNanoseconds() - start.cpuNanoseconds
    let elapsed = Double(now - start.nanoseconds)
    let idle = Double(idleNanoseconds - start.idleNanoseconds)
    busyShare = elapsed > 0 ? max(1 - idle / elapsed, 0) : 0
    guard let first = start.server, let last = generator.surroundings.serverUsage?() else { return }
    server = LoadReport.ServerShare(
      cpuNanoseconds: last.cpuNanoseconds - min(last.cpuNanoseconds, first.cpuNanoseconds),
      residentBytes: last.residentBytes)
  }
}
