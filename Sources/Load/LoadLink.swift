internal import Core
internal import HTTP2
internal import Syscalls

/// A connection of the generator with its socket.
final class LoadLink {
  let connection: any LoadCarrier
  let descriptor: Int32
  /// Bytes of HTTP/2 that the socket has not taken, from `outputStart`.
  private var output: [UInt8] = []
  private var outputStart = 0
  private var watchesWriting = false
  /// Something was started, read or given up since the last flush.
  var isDirty = true

  init(
    to address: SocketAddress, timeoutMilliseconds: Int32, headers: LoadHeaders, slotCount: Int,
    memory: HTTP2Memory, poller: borrowing Epoll, framing: LoadFraming, nowNanoseconds: UInt64
  ) throws(SystemError) {
    do throws(HTTP2Session.ConnectionError) {
      connection =
        switch framing {
        case .grpc:
          try LoadConnection(headers: headers, slotCount: slotCount, memory: memory)
        case .session:
          try LoadSession(
            headers, slotCount: slotCount, memory: memory, nowNanoseconds: nowNanoseconds)
        }
    } catch {
      // Nothing has been said yet, so that memory is all that can be missing.
      throw SystemError(call: "nghttp2", number: 12, subject: address.description)
    }
    descriptor = try Sockets.connect(to: address, timeoutMilliseconds: timeoutMilliseconds)
    try poller.add(descriptor, .reading, token: Unmanaged.passUnretained(self).toOpaque())
  }

  deinit {
    Sockets.close(descriptor)
  }

  /// Reads once; what is left is told again.
  func read(_ buffer: UnsafeMutableRawPointer, capacity: Int, clock: Clock) {
    isDirty = true
    do throws(SystemError) {
      switch try Sockets.read(descriptor, into: buffer, capacity: capacity) {
      case .bytes(let count):
        connection.receive(
          UnsafeRawBufferPointer(start: buffer, count: count),
          nowNanoseconds: clock.monotonicNanoseconds())
      case .notReady: break
      case .endOfStream: end("the server closed the connection", clock)
      }
    } catch {
      end("the connection is lost: \(error.reason)", clock)
    }
  }

  /// Writes what there is, as far as the socket takes it.
  func flush(_ poller: borrowing Epoll, clock: Clock) {
    isDirty = false
    do throws(SystemError) {
      repeat {
        if outputStart == output.count {
          output.removeAll(keepingCapacity: true)
          outputStart = 0
          connection.collectOutput(
            into: &output, limitBytes: Limits.serving.writeBufferBytes,
            nowNanoseconds: clock.monotonicNanoseconds())
        }
        guard outputStart < output.count else { break }
      } while try writeOnce()
      let wanted = outputStart < output.count
      if wanted != watchesWriting {
        try poller.modify(
          descriptor, wanted ? [.reading, .writing] : .reading,
          token: Unmanaged.passUnretained(self).toOpaque())
        watchesWriting = wanted
      }
    } catch {
      end("the connection is lost: \(error.reason)", clock)
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

  private func end(_ reason: String, _ clock: Clock) {
    connection.end(reason, nowNanoseconds: clock.monotonicNanoseconds())
  }
}
