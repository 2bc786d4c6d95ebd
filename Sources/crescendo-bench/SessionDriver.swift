import Client
import Core
import Foundation
import Syscalls
import Wire

/// Calls `Score` over sessions, closed loop: every connection keeps so many calls in flight. One
/// thread; prints one line of JSON.
final class SessionDriver {
  struct Plan {
    var port: UInt16
    var connections: Int
    var inFlight: Int
    /// A `ScoreRequest`, and how many candidates it has.
    var message: [UInt8]
    var candidates: Int
    /// Ends after so long, or after so many calls.
    var seconds: Double
    var callsMax = Int.max
    var withoutChecksums = false
    /// Never sleeps in epoll.
    var isBusy: Bool
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private let plan: Plan
  private let poller: Epoll
  private var links: [SessionLink] = []
  private let readBuffer = UnsafeMutableRawPointer.allocate(
    byteCount: SessionDriver.readBufferBytes, alignment: 64)
  private(set) var calls = 0
  private var microseconds: [Int] = Array(repeating: 0, count: SessionDriver.latencyCells)

  private static let readBufferBytes = 256 << 10
  /// Latencies are counted by tenths of a microsecond, up to a hundred milliseconds.
  private static let latencyCells = 1_000_000

  static func run(_ plan: Plan) throws {
    let driver = try SessionDriver(plan)
    try driver.drive()
  }

  private init(_ plan: Plan) throws {
    self.plan = plan
    poller = try Epoll()
    for _ in 0..<plan.connections {
      let link = try SessionLink(plan)
      try poller.add(
        link.descriptor, .reading, token: Unmanaged.passUnretained(link).toOpaque())
      links.append(link)
    }
  }

  deinit {
    readBuffer.deallocate()
  }

  private func drive() throws {
    let end = Clock.system.monotonicNanoseconds() + UInt64(plan.seconds * 1e9)
    var (began, cpu, isWarm) = (Clock.system.monotonicNanoseconds(), threadCPUNanoseconds(), false)
    for link in links { try link.flush(poller) }
    while true {
      let count = try poller.wait(timeoutMilliseconds: plan.isBusy ? 0 : -1)
      if count == 0 { relaxCPU() }
      let now = Clock.system.monotonicNanoseconds()
      if now >= end || calls >= plan.callsMax { break }
      for index in 0..<count {
        guard let token = poller.event(index).token else { continue }
        let link = Unmanaged<SessionLink>.fromOpaque(token).takeUnretainedValue()
        try link.read(readBuffer, SessionDriver.readBufferBytes)
        try link.turn(plan, now) { began in
          calls += 1
          note(now - began)
        }
        try link.flush(poller)
      }
      // What the first calls cost is not what calls cost.
      if !isWarm, calls >= 1_000, plan.callsMax == .max {
        (began, cpu, isWarm, calls) = (now, threadCPUNanoseconds(), true, 0)
        microseconds = Array(repeating: 0, count: SessionDriver.latencyCells)
      }
    }
    report(
      seconds: Double(Clock.system.monotonicNanoseconds() - began) / 1e9,
      cpu: threadCPUNanoseconds() - cpu)
  }

  private func note(_ nanoseconds: UInt64) {
    microseconds[min(Int(nanoseconds / 100), SessionDriver.latencyCells - 1)] += 1
  }

  private func percentile(_ share: Double) -> Double {
    var left = Int(Double(calls) * share)
    for (cell, count) in microseconds.enumerated() {
      left -= count
      if left < 0 { return Double(cell) / 10 }
    }
    return .infinity
  }

  private func report(seconds: Double, cpu: UInt64) {
    let perCall = Double(cpu) / 1_000 / Double(max(calls, 1))
    print(
      "{\"calls\": \(calls), \"seconds\": \(seconds), \"client_cpu_us_per_call\": \(perCall), "
        + "\"p50_us\": \(percentile(0.5)), \"p99_us\": \(percentile(0.99))}")
  }
}

/// One connection with its socket and its slots: when each call in flight began.
final class SessionLink {
  let descriptor: Int32
  private let connection: SessionConnection
  private let slots: UnsafeMutablePointer<UInt64>
  private let slotCount: Int
  private var free: [UnsafeMutableRawPointer] = []
  private var output: [UInt8] = []
  private var outputStart = 0
  private var watchesWriting = false
  private var method: UInt16 = 0

  init(_ plan: SessionDriver.Plan) throws {
    descriptor = try Sockets.connect(
      to: SocketAddress(host: "127.0.0.1", port: plan.port), timeoutMilliseconds: 5_000)
    var bounds = SessionClient.Bounds()
    bounds.withoutChecksums = plan.withoutChecksums
    connection = try SessionConnection(
      authority: "127.0.0.1:\(plan.port)", bounds: bounds,
      nowNanoseconds: Clock.system.monotonicNanoseconds())
    slotCount = plan.inFlight
    slots = .allocate(capacity: slotCount)
    slots.initialize(repeating: 0, count: slotCount)
    for index in 0..<slotCount { free.append(UnsafeMutableRawPointer(slots + index)) }
  }

  deinit {
    Sockets.close(descriptor)
    slots.deallocate()
  }

  func read(_ buffer: UnsafeMutableRawPointer, _ capacity: Int) throws {
    switch try Sockets.read(descriptor, into: buffer, capacity: capacity) {
    case .bytes(let count):
      connection.receive(
        UnsafeRawBufferPointer(start: buffer, count: count),
        nowNanoseconds: Clock.system.monotonicNanoseconds())
    case .notReady: break
    case .endOfStream: connection.lose("the server closed the connection")
    }
  }

  /// Takes what came, and begins as many calls as have ended; `ended` is told when each began.
  func turn(_ plan: SessionDriver.Plan, _ now: UInt64, _ ended: (UInt64) -> Void) throws {
    while let step = connection.next(nowNanoseconds: now) {
      switch step {
      case .opened:
        guard let id = connection.session.method("\(WireNames.scorePath)") else {
          throw SessionDriver.Failure(description: "the server has no Score")
        }
        method = id
      case .answered(let context, let message, _):
        guard let context, let scan = ClientScoreScan(message.bytes),
          scan.isAnswer(candidateCount: plan.candidates)
        else { throw SessionDriver.Failure(description: "an answer is no answer") }
        free.append(context)
        ended(context.load(as: UInt64.self))
      case .room: break
      case .failed(let failure): throw SessionDriver.Failure(description: failure.text)
      case .ended(_, let end): throw SessionDriver.Failure(description: end.text.text)
      default: throw SessionDriver.Failure(description: "the session ends")
      }
    }
    while let slot = free.last, method > 0, connection.session.hasRoom() {
      let start = SessionCallStart(
        method: method, work: UInt32(plan.candidates), timeoutMicroseconds: 10_000_000,
        messageBytes: plan.message.count, context: slot)
      guard let call = connection.session.begin(start) else {
        throw SessionDriver.Failure(description: "the message is too long")
      }
      plan.message.withUnsafeBytes { bytes in
        if let base = bytes.baseAddress, !bytes.isEmpty {
          call.message.copyMemory(from: base, byteCount: bytes.count)
        }
      }
      connection.session.seal(now: now)
      slot.storeBytes(of: now, as: UInt64.self)
      free.removeLast()
    }
  }

  func flush(_ poller: borrowing Epoll) throws {
    while true {
      if outputStart == output.count {
        output.removeAll(keepingCapacity: true)
        outputStart = 0
        connection.collectOutput(into: &output, limitBytes: 256 << 10)
      }
      guard outputStart < output.count else { break }
      let result = try output.withUnsafeBytes { bytes in
        try bytes.baseAddress.map {
          try Sockets.write(descriptor, from: $0 + outputStart, count: bytes.count - outputStart)
        } ?? .notReady
      }
      guard case .bytes(let count) = result else { break }
      outputStart += count
    }
    let wanted = outputStart < output.count
    if wanted != watchesWriting {
      try poller.modify(
        descriptor, wanted ? [.reading, .writing] : .reading,
        token: Unmanaged.passUnretained(self).toOpaque())
      watchesWriting = wanted
    }
  }
}
