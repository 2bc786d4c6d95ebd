internal import Core
internal import Glibc
internal import HTTP2
package import Syscalls
internal import Wire

/// Why a `SessionChannel` cannot go on.
public enum SessionChannelError: Error, Sendable, Equatable {
  /// No connection could be made, for this reason.
  case unreachable(String)
  /// What answers there speaks no session, or opens none now: use gRPC.
  case notSpoken(String)
  /// The session is over; make another channel. Each call that was under way has been answered
  /// with UNAVAILABLE.
  case lost(String)
  /// The request is longer than the server takes.
  case tooLong
}

/// One session to one server, for those who count nanoseconds: synchronous, without retries, and
/// without an allocation for a call. `PromotionScoreClient` is the client for everybody else.
///
/// Many calls may be under way: `submit` begins one and returns, `poll` hands over the answers that
/// have come, in any order. One thread at a time; whoever holds a channel calls `poll` at least
/// every few seconds, for the server's heartbeat is answered there.
public final class SessionChannel {
  /// How a channel waits, and what it may hold.
  public struct Options: Sendable {
    /// Looks for answers without sleeping: about 60 µs sooner, and a core is busy meanwhile.
    public var busyPolls = false
    /// For the connection and the server's HELLO.
    public var connectTimeout: Duration = .seconds(5)
    /// Calls that may be under way, at most; the server may allow fewer.
    public var callsMax = 1_024
    /// Goes without checksums if the server does, too: for TLS and local sockets only.
    public var withoutChecksums = false

    public init() {}
  }

  private let connection: SessionConnection
  private let descriptor: Int32
  private let poller: Epoll
  private let busyPolls: Bool
  private let readBuffer: UnsafeMutableRawPointer
  private var output: [UInt8] = []
  private var outputStart = 0
  private var watchesWriting = false
  private var scoreMethod: UInt16?
  private var failure: SessionFailure?

  /// One read, bytes: what 256 answers of 500 scores take.
  private static let readBufferBytes = 256 << 10

  /// Connects to `HOST:PORT` (`[::1]:7001` for IPv6), opens the session and waits for its HELLO.
  public convenience init(_ target: String, options: Options = Options())
    throws(SessionChannelError)
  {
    guard let address = SocketAddress(target) else {
      throw .unreachable("\"\(target)\" is not HOST:PORT")
    }
    try self.init(address, options)
  }

  package init(_ address: SocketAddress, _ options: Options) throws(SessionChannelError) {
    let began = Clock.system.monotonicNanoseconds()
    let limit = options.connectTimeout.nanoseconds
    do throws(SystemError) {
      descriptor = try Sockets.connect(
        to: address, timeoutMilliseconds: Int32(clamping: limit / 1_000_000))
      poller = try Epoll(capacity: 1)
      try poller.add(descriptor, .reading, token: nil)
    } catch {
      throw .unreachable(error.reason)
    }
    var bounds = SessionClient.Bounds()
    bounds.calls = max(options.callsMax, 1)
    bounds.withoutChecksums = options.withoutChecksums
    do throws(HTTP2Session.ConnectionError) {
      connection = try SessionConnection(
        authority: address.description, bounds: bounds, nowNanoseconds: began)
    } catch {
      throw .unreachable("\(error)")
    }
    busyPolls = options.busyPolls
    readBuffer = .allocate(byteCount: SessionChannel.readBufferBytes, alignment: 64)
    while connection.session.state == .opening {
      guard Clock.system.monotonicNanoseconds() - began < limit else {
        throw .notSpoken("no HELLO within \(options.connectTimeout)")
      }
      do throws(SessionChannelError) {
        try poll(timeout: options.connectTimeout) { _ in }
      } catch {
        // Rows C3 to C11: whatever it is, gRPC is what is left.
        if case .lost(let reason) = error { throw .notSpoken(reason) }
        throw error
      }
    }
  }

  deinit {
    Sockets.close(descriptor)
    readBuffer.deallocate()
  }

  /// Whether `submit` would begin a call now. While it would not, `poll` makes room.
  public var hasRoom: Bool { failure == nil && connection.session.hasRoom() }

  /// The server goes away, or takes no more calls here: begin calls on another channel, and poll
  /// this one until `callsUnderWay` is 0.
  public var isDraining: Bool {
    connection.isGoingAway || connection.session.state == .draining
  }

  /// Calls whose answer has not come.
  public var callsUnderWay: Int { connection.session.openCalls }

  // MARK: Calls

  /// Begins `PromotionScoreService/Score` for `items` (decimal ids as in the snapshot), `user` 0 =
  /// anonymous. False: there is no room now. `tag` comes back with the answer. `timeout` is rounded
  /// down to microseconds, at least one, at most 71 minutes.
  public func submit(
    user: UInt64, items: UnsafeBufferPointer<UInt64>, timeout: Duration, tag: UInt
  ) throws(SessionChannelError) -> Bool {
    if let failure { throw SessionChannel.error(failure) }
    guard let method = scoreMethod else { throw .notSpoken("the session has no Score") }
    guard hasRoom else { return false }
    var start = SessionCallStart(
      method: method, work: UInt32(clamping: items.count),
      timeoutMicroseconds: SessionChannel.microseconds(timeout),
      messageBytes: PlainScoreRequest.byteCount(user: user, items: items.count),
      context: UnsafeMutableRawPointer(bitPattern: tag &+ 1))
    start.isUnary = true
    guard let call = connection.session.begin(start) else { throw .tooLong }
    PlainScoreRequest.write(user: user, items: items, to: call.message)
    connection.session.seal(now: Clock.system.monotonicNanoseconds())
    return true
  }

  /// As `submit`, for any unary method and a message that is encoded already.
  package func submit(
    path: String, message: [UInt8], work: Int, timeout: Duration, tag: UInt
  ) throws(SessionChannelError) -> Bool {
    if let failure { throw SessionChannel.error(failure) }
    guard let method = connection.session.method(path) else {
      throw .notSpoken("the session has no \(path)")
    }
    guard hasRoom else { return false }
    let start = SessionCallStart(
      method: method, work: UInt32(clamping: work),
      timeoutMicroseconds: SessionChannel.microseconds(timeout), messageBytes: message.count,
      context: UnsafeMutableRawPointer(bitPattern: tag &+ 1))
    guard let call = connection.session.begin(start) else { throw .tooLong }
    message.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress, !bytes.isEmpty {
        call.message.copyMemory(from: base, byteCount: bytes.count)
      }
    }
    connection.session.seal(now: Clock.system.monotonicNanoseconds())
    return true
  }

  /// Sends what was submitted, waits for an answer for up to `timeout` (zero: only looks), and
  /// hands over all that have come. Answers live until `body` returns.
  public func poll(timeout: Duration, _ body: (borrowing DirectAnswer) -> Void)
    throws(SessionChannelError)
  {
    let began = Clock.system.monotonicNanoseconds()
    let limit = timeout.nanoseconds
    flush()
    var handed = take(began, body)
    while !handed, failure == nil {
      let now = Clock.system.monotonicNanoseconds()
      let spent = now - min(now, began)
      guard spent < limit || limit == 0 else { break }
      connection.session.tick(now: now)
      wait(left: limit - min(limit, spent), now)
      flush()
      handed = take(now, body)
      if limit == 0 { break }
    }
    flush()
    if let failure, !handed { throw SessionChannel.error(failure) }
  }

  private static func error(_ failure: SessionFailure) -> SessionChannelError {
    failure.isNotSpoken ? .notSpoken(failure.text) : .lost(failure.text)
  }

  private static func microseconds(_ timeout: Duration) -> UInt32 {
    UInt32(clamping: max(timeout.nanoseconds / 1_000, 1))
  }

  /// The steps that are there; whether a call ended, or the session became ready or over.
  private func take(_ now: UInt64, _ body: (borrowing DirectAnswer) -> Void) -> Bool {
    var handed = false
    while let step = connection.next(nowNanoseconds: now) {
      switch step {
      case .opened:
        scoreMethod = connection.session.method("\(WireNames.scorePath)")
        handed = true
      case .room, .draining: break
      case .message(let context, let message):
        // A unary answer without LAST: END follows.
        body(DirectAnswer(context, message, isLast: false))
      case .answered(let context, let message, let record):
        handed = true
        body(DirectAnswer(context, message, record))
      case .ended(let context, let end):
        handed = true
        body(DirectAnswer(context, end))
      case .notStarted(let context), .lost(let context):
        handed = true
        body(DirectAnswer(lost: context))
      case .failed(let failure):
        self.failure = failure
      }
    }
    return handed
  }

  // MARK: The socket

  private func wait(left: UInt64, _ now: UInt64) {
    do throws(SystemError) {
      if !busyPolls {
        let due = connection.session.nextDue
        let nanoseconds = min(left, due - min(due, now))
        let whole = nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1)
        _ = try poller.wait(timeoutMilliseconds: Int32(clamping: whole))
      }
      switch try Sockets.read(
        descriptor, into: readBuffer, capacity: SessionChannel.readBufferBytes)
      {
      case .bytes(let count):
        connection.receive(
          UnsafeRawBufferPointer(start: readBuffer, count: count),
          nowNanoseconds: Clock.system.monotonicNanoseconds())
      case .notReady: if busyPolls { relaxCPU() }
      case .endOfStream: connection.lose("the server closed the connection")
      }
    } catch {
      connection.lose("the connection is lost: \(error.reason)")
    }
  }

  private func flush() {
    do throws(SystemError) {
      while true {
        if outputStart == output.count {
          output.removeAll(keepingCapacity: true)
          outputStart = 0
          connection.collectOutput(
            into: &output, limitBytes: Limits.serving.writeBufferBytes)
        }
        guard outputStart < output.count, try writeOnce() else { break }
      }
      let wanted = outputStart < output.count
      guard wanted != watchesWriting else { return }
      try poller.modify(descriptor, wanted ? [.reading, .writing] : .reading, token: nil)
      watchesWriting = wanted
    } catch {
      connection.lose("the connection is lost: \(error.reason)")
    }
  }

  private func writeOnce() throws(SystemError) -> Bool {
    let result = try output.withUnsafeBufferPointer { bytes throws(SystemError) in
      guard let base = bytes.baseAddress else { return TransferResult.bytes(0) }
      return try Sockets.write(
        descriptor, from: base + outputStart, count: bytes.count - outputStart)
    }
    guard case .bytes(let count) = result else { return false }
    outputStart += count
    return true
  }
}
