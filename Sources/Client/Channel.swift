package import Core
internal import Glibc
internal import HTTP2
package import Syscalls

/// A connection to one server that makes one call after the other and blocks until each is done.
///
/// One thread at a time. A channel whose connection is over says UNAVAILABLE to every call.
package final class Channel {
  private let descriptor: Int32
  private let poller: Epoll
  let connection: ClientConnection
  let clock: Clock
  /// Bytes of HTTP/2 that the socket has not taken, from `outputStart`.
  private var output: [UInt8] = []
  private var outputStart = 0
  private var watchesWriting = false
  private let readBuffer: UnsafeMutableRawPointer

  /// One read, bytes: sixteen thousand scores; more comes with the next read.
  private static let readBufferBytes = 64 << 10

  /// Connects within `timeoutNanoseconds` (name resolution, which the system bounds, not counted).
  package static func connect(
    to address: SocketAddress, timeoutNanoseconds: UInt64, clock: Clock = .system,
    options: ClientOptions = ClientOptions()
  ) throws(ClientError) -> Channel {
    do throws(SystemError) {
      let descriptor = try Sockets.connect(
        to: address, timeoutMilliseconds: Channel.milliseconds(timeoutNanoseconds))
      do throws(SystemError) {
        let poller = try Epoll(capacity: 1)
        try poller.add(descriptor, .reading, token: nil)
        return Channel(descriptor, poller, try makeConnection(address, options), clock)
      } catch {
        Sockets.close(descriptor)
        throw error
      }
    } catch {
      throw .unreachable(error)
    }
  }

  private static func makeConnection(_ address: SocketAddress, _ options: ClientOptions)
    throws(SystemError) -> ClientConnection
  {
    do throws(HTTP2Session.ConnectionError) {
      return try ClientConnection(authority: address.description, options: options)
    } catch {
      // Nothing has been said yet, so that memory is all that can be missing.
      throw SystemError(call: "nghttp2", number: ENOMEM, subject: address.description)
    }
  }

  private init(
    _ descriptor: Int32, _ poller: consuming Epoll, _ connection: ClientConnection, _ clock: Clock
  ) {
    self.descriptor = descriptor
    self.poller = poller
    self.connection = connection
    self.clock = clock
    self.readBuffer = .allocate(byteCount: Channel.readBufferBytes, alignment: 16)
  }

  deinit {
    Sockets.close(descriptor)
    readBuffer.deallocate()
  }

  /// Calls `path` (`/package.Service/Method`) with one message and waits for the answer. Without a
  /// timeout it waits for as long as the connection lives.
  package func call(
    path: String, message: [UInt8], timeoutNanoseconds: UInt64?, metadata: [MetadataEntry] = []
  ) throws(ClientError) -> UnaryAnswer {
    let id = try connection.start(
      path: path, message: message, timeoutNanoseconds: timeoutNanoseconds, metadata: metadata,
      nowNanoseconds: clock.monotonicNanoseconds())
    while true {
      flush()
      if let outcome = connection.takeOutcome(id) {
        switch outcome {
        case .success(let answer): return answer
        case .failure(let failed): throw .failed(failed)
        }
      }
      turn(untilNanoseconds: distantFutureNanoseconds)
    }
  }

  /// Waits for the socket, a call's deadline or `untilNanoseconds`, and takes what has come.
  func turn(untilNanoseconds: UInt64) {
    do throws(SystemError) {
      try waitForSocket(untilNanoseconds: untilNanoseconds)
      try readOnce()
    } catch {
      connection.end("the connection is lost: \(error.reason)")
    }
    connection.expire(nowNanoseconds: clock.monotonicNanoseconds())
  }

  /// Writes what there is, as far as the socket takes it.
  func flush() {
    do throws(SystemError) {
      repeat {
        collectOutput()
        guard outputStart < output.count else { break }
      } while try writeOnce()
      try watchWriting(outputStart < output.count)
    } catch {
      connection.end("the connection is lost: \(error.reason)")
    }
  }

  private func collectOutput() {
    if outputStart == output.count {
      output.removeAll(keepingCapacity: true)
      outputStart = 0
    }
    while output.count - outputStart < Limits.serving.writeBufferBytes,
      let slice = connection.nextOutput()
    {
      output.append(contentsOf: slice.bytes)
    }
  }

  /// False when the socket takes no more.
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

  private func watchWriting(_ wanted: Bool) throws(SystemError) {
    guard wanted != watchesWriting else { return }
    try poller.modify(descriptor, wanted ? [.reading, .writing] : .reading, token: nil)
    watchesWriting = wanted
  }

  private func waitForSocket(untilNanoseconds: UInt64) throws(SystemError) {
    var timeout: Int32 = -1
    let deadline = min(
      connection.nextDeadlineNanoseconds ?? distantFutureNanoseconds, untilNanoseconds)
    if deadline != distantFutureNanoseconds {
      let now = clock.monotonicNanoseconds()
      timeout = deadline > now ? Channel.milliseconds(deadline - now) : 0
    }
    _ = try poller.wait(timeoutMilliseconds: timeout)
  }

  private func readOnce() throws(SystemError) {
    switch try Sockets.read(descriptor, into: readBuffer, capacity: Channel.readBufferBytes) {
    case .bytes(let count):
      connection.receive(
        UnsafeRawBufferPointer(start: readBuffer, count: count),
        nowNanoseconds: clock.monotonicNanoseconds())
    case .notReady: break
    case .endOfStream: connection.end("the server closed the connection")
    }
  }

  /// Rounded up, so that a wait never ends just before its time.
  private static func milliseconds(_ nanoseconds: UInt64) -> Int32 {
    let whole = nanoseconds / 1_000_000
    return Int32(clamping: nanoseconds % 1_000_000 == 0 ? whole : whole + 1)
  }
}
