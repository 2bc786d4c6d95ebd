internal import Core
internal import EventLoop
internal import HTTP2
internal import Syscalls

/// The link's bytes, in and out.
extension Link {
  func ready(_ readiness: Readiness) {
    guard state != .over, ending == nil else { return }
    if state == .connecting {
      guard !readiness.isDisjoint(with: [.writing, .failed]) else { return }
      if let failure = Sockets.connectionFailure(descriptor, address) {
        return end("\(failure)")
      }
      state = .greeting
      runtime.markDirty(self)
    }
    if readiness.contains(.writing) { runtime.markDirty(self) }
    if !readiness.isDisjoint(with: [.reading, .failed]) { read() }
  }

  private func read() {
    do throws(SystemError) {
      switch try Sockets.read(
        descriptor, into: runtime.readBuffer, capacity: Limits.clientReadBytes)
      {
      case .bytes(let count):
        receive(UnsafeRawBufferPointer(start: runtime.readBuffer, count: count))
      case .notReady: break
      case .endOfStream: end("the server closed the connection")
      }
    } catch {
      end("the connection is lost: \(error.reason)")
    }
  }

  private func receive(_ bytes: UnsafeRawBufferPointer) {
    guard let session, let base = bytes.baseAddress, !bytes.isEmpty else { return }
    lastReceivedNanoseconds = runtime.nowNanoseconds
    if state == .greeting, let other = ClientConnection.otherProtocol(bytes) {
      return end("the peer speaks \(other), not plaintext HTTP/2")
    }
    let wasFull = streams.count >= streamsAllowed
    do throws(HTTP2Session.ConnectionError) {
      try session.receive(base, count: bytes.count)
    } catch {
      end("the peer broke HTTP/2: \(error)")
    }
    runtime.markDirty(self)
    if state == .greeting, ending == nil {
      state = .ready
      owner?.linkIsReady(self)
    } else if wasFull, streams.count < streamsAllowed {
      owner?.linkHasRoom(self)
    }
  }

  func flush() {
    do throws(SystemError) {
      repeat {
        collectOutput()
        guard outputStart < output.count else { break }
      } while try writeOnce()
      let wanted = outputStart < output.count
      guard wanted != watchesWriting else { return }
      try runtime.loop.changeInterest(
        descriptor, wanted ? [.reading, .writing] : .reading, owner: target)
      watchesWriting = wanted
    } catch {
      end("the connection is lost: \(error.reason)")
    }
  }

  private func collectOutput() {
    if outputStart == output.count {
      output.removeAll(keepingCapacity: true)
      outputStart = 0
    }
    guard let session else { return }
    do throws(HTTP2Session.ConnectionError) {
      while output.count - outputStart < Limits.serving.writeBufferBytes {
        guard let slice = try session.nextOutput() else {
          // nghttp2 has said its last word, a GOAWAY: because of what the peer sent, or after it.
          if !session.wantsToRead, !session.wantsToWrite {
            end(isDraining ? "the server ended the connection" : "the peer broke HTTP/2")
          }
          return
        }
        output.append(contentsOf: slice.bytes)
      }
    } catch {
      end("HTTP/2 failed: \(error)")
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

  // MARK: What the session tells

  func received(_ stream: LinkStream, _ bytes: UnsafeRawBufferPointer) {
    session?.consumeConnection(count: bytes.count)
    stream.data(bytes)
  }

  func streamClosed(_ stream: LinkStream, _ errorCode: UInt32) {
    let keep = streams.removeValue(forKey: stream.id)
    stream.detach()
    keep?.closed(.code(errorCode))
    owner?.linkHasRoom(self)
  }

  func goAway(_ lastStream: Int32, _ errorCode: UInt32) {
    let name = StatusMapping.name(resetCode: errorCode)
    let reason = "the server is closing the connection: \(name)"
    drain(reason)
    for (id, stream) in streams.sorted(by: { $0.key < $1.key }) where id > lastStream {
      stream.closed(.notSeen(reason))
    }
  }
}

private func link(_ context: UnsafeMutableRawPointer?) -> Link {
  guard let context else { preconditionFailure("a session without its link") }
  return Unmanaged<Link>.fromOpaque(context).takeUnretainedValue()
}

private func stream(_ address: UnsafeMutableRawPointer) -> LinkStream {
  Unmanaged<LinkStream>.fromOpaque(address).takeUnretainedValue()
}

let linkHandlers = HTTP2Handlers(
  // Servers open no streams here: push is switched off in SETTINGS.
  streamOpened: { _, _ in nil },
  header: { _, address, name, nameCount, value, valueCount in
    stream(address).header(
      ByteSlice(name, count: nameCount), ByteSlice(value, count: valueCount))
  },
  headersEnded: { _, address, flags in stream(address).headersEnded(flags) },
  data: { context, address, bytes, count in
    link(context).received(
      stream(address), UnsafeRawBufferPointer(start: bytes, count: count))
  },
  streamEnded: { _, address in stream(address).ended() },
  streamClosed: { context, address, errorCode in
    link(context).streamClosed(stream(address), errorCode)
  },
  readBody: { _, address, buffer, capacity, end in
    stream(address).readBody(buffer, capacity, end)
  },
  goAway: { context, lastStream, errorCode in
    link(context).goAway(lastStream, errorCode)
  })
