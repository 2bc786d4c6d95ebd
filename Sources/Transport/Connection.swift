internal import Core
internal import EventLoop
internal import Glibc
internal import HTTP2
internal import Syscalls

/// One client's connection, on one loop for all its life.
struct Connection {
  /// First, because the connection's address is its descriptor's token.
  var target: PollTarget
  let descriptor: Int32
  let loop: UnsafeMutablePointer<LoopState>
  var session: HTTP2Session
  var streams: UnsafeMutablePointer<ServerStream>?
  var streamCount = 0
  /// Bytes of incomplete and of waiting messages that its streams hold.
  var bufferedBytes = 0
  /// Bytes of answers that its streams hold.
  var chargedBytes = 0
  /// Some of its streams wait until these are fewer.
  var hasWaiting = false

  /// Bytes that the socket has refused, from `pendingSent` on. nghttp2 is asked for no more while
  /// there are any, so that they never exceed one turn's buffer.
  var pending: UnsafeMutableRawPointer?
  var pendingCount = 0
  var pendingSent = 0
  /// When some of them went last.
  var progressNanoseconds: UInt64 = 0

  var isDirty = false
  var isDead = false
  /// Its socket took nothing for the stall time.
  var isStalled = false
  var nextDirty: UnsafeMutablePointer<Connection>?
  var nextDead: UnsafeMutablePointer<Connection>?
  var previous: UnsafeMutablePointer<Connection>?
  var next: UnsafeMutablePointer<Connection>?
}

typealias ConnectionPointer = UnsafeMutablePointer<Connection>

extension ConnectionPointer {
  /// Takes an accepted descriptor; it is watched from now on and closed with the connection.
  static func open(_ descriptor: Int32, loop: UnsafeMutablePointer<LoopState>) throws
    -> ConnectionPointer
  {
    let connection = ConnectionPointer.allocate(capacity: 1)
    do {
      let session = try HTTP2Session(
        .server, handlers: serverHandlers, context: connection, limits: loop.pointee.http2Limits,
        memory: loop.pointee.http2Memory)
      connection.initialize(
        to: Connection(
          target: PollTarget(ready: connectionReady), descriptor: descriptor, loop: loop,
          session: session))
      do {
        try loop.pointee.eventLoop.watch(descriptor, .reading, owner: connection)
      } catch {
        session.destroy()
        throw error
      }
    } catch {
      connection.deallocate()
      throw error
    }
    loop.link(connection)
    // Nothing is said before the client has: SETTINGS ahead of it would spoil the answer to one
    // that does not speak HTTP/2.
    return connection
  }

  /// To be written at the end of this turn.
  func markDirty() {
    guard !pointee.isDirty else { return }
    pointee.isDirty = true
    pointee.nextDirty = pointee.loop.pointee.dirty
    pointee.loop.pointee.dirty = self
  }

  /// To be closed at the end of this turn: events of the same turn may still name it.
  func markDead() {
    guard !pointee.isDead else { return }
    pointee.isDead = true
    pointee.nextDead = pointee.loop.pointee.dead
    pointee.loop.pointee.dead = self
  }

  // MARK: Reading

  /// One read into the loop's buffer; then everything that it completed.
  func read() {
    let loop = pointee.loop
    do {
      switch try Sockets.read(
        pointee.descriptor, into: loop.pointee.readBuffer, capacity: Limits.serving.readBufferBytes)
      {
      case .notReady:
        return
      case .endOfStream:
        markDead()
      case .bytes(let count):
        try take(loop.pointee.readBuffer, count)
      }
    } catch let error as HTTP2Session.ConnectionError {
      loop.pointee.counters.protocolErrors += 1
      if error.isBadPreface {
        answerHTTP1()
      } else {
        // What nghttp2 has to say about it (GOAWAY) still goes out, if the socket takes it.
        flush()
      }
      markDead()
    } catch {
      loop.pointee.counters.socketErrors += 1
      markDead()
    }
  }

  private func take(_ bytes: UnsafeRawPointer, _ count: Int) throws {
    let loop = pointee.loop
    loop.pointee.nowNanoseconds = loop.pointee.eventLoop.clock.monotonicNanoseconds()
    loop.pointee.counters.bytesReceived += UInt64(count)
    markDirty()
    // Also after an error: what came before it is whole, and nothing may stay in the list.
    defer { loop.settleTouchedStreams() }
    try pointee.session.receive(bytes, count: count)
  }

  /// A browser or a probe that speaks HTTP/1.1 gets an answer that it can show.
  private func answerHTTP1() {
    let answer: StaticString = """
      HTTP/1.1 426 Upgrade Required\r\nconnection: close\r\nupgrade: h2c\r\n\
      content-type: text/plain\r\ncontent-length: 61\r\n\r\n\
      this port speaks gRPC over HTTP/2 with prior knowledge only.\n
      """
    // The connection ends either way; a socket that does not take it changes nothing.
    _ = try? Sockets.write(
      pointee.descriptor, from: answer.utf8Start, count: answer.utf8CodeUnitCount)
  }

  // MARK: Writing

  /// Everything that the session has to say, in as few writes as the socket allows.
  func flush() {
    do {
      if pointee.pendingCount > pointee.pendingSent, try !writePending() {
        return pointee.loop.startTick()
      }
      while try writeTurn() {}
      if !pointee.session.wantsToRead && !pointee.session.wantsToWrite
        && pointee.pendingCount == pointee.pendingSent
      {
        markDead()
      } else if isBlocked {
        pointee.loop.startTick()
      }
    } catch {
      pointee.loop.pointee.counters.socketErrors += 1
      markDead()
    }
  }

  /// Fills the loop's write buffer and writes it. True when there may be more.
  private func writeTurn() throws -> Bool {
    let loop = pointee.loop
    let buffer = loop.pointee.writeBuffer
    var used = 0
    // One frame at a time comes out, of at most 16 KiB and its header.
    while used + LoopState.frameRoomBytes <= Limits.serving.writeBufferBytes {
      guard let output = try pointee.session.nextOutput(), let base = output.base else { break }
      (buffer + used).copyMemory(from: base, byteCount: output.count)
      used += output.count
    }
    guard used > 0 else { return false }
    loop.pointee.counters.writes += 1
    var sent = 0
    if case .bytes(let count) = try Sockets.write(pointee.descriptor, from: buffer, count: used) {
      sent = count
    }
    loop.pointee.counters.bytesSent += UInt64(sent)
    if sent < used {
      try keepPending(buffer + sent, used - sent)
      return false
    }
    return used + LoopState.frameRoomBytes > Limits.serving.writeBufferBytes
  }

  private func keepPending(_ bytes: UnsafeRawPointer, _ count: Int) throws {
    if pointee.pending == nil {
      pointee.pending = .allocate(byteCount: Limits.serving.writeBufferBytes, alignment: 16)
    }
    pointee.pending?.copyMemory(from: bytes, byteCount: count)
    pointee.pendingCount = count
    pointee.pendingSent = 0
    pointee.progressNanoseconds = pointee.loop.pointee.eventLoop.clock.monotonicNanoseconds()
    // A client whose socket takes nothing is not read either, until it does: what it asks for could
    // only pile up.
    try pointee.loop.pointee.eventLoop.changeInterest(
      pointee.descriptor, .writing, owner: self)
  }

  /// Whether all pending bytes have gone.
  private func writePending() throws -> Bool {
    guard let pending = pointee.pending else { return true }
    let left = pointee.pendingCount - pointee.pendingSent
    guard
      case .bytes(let sent) = try Sockets.write(
        pointee.descriptor, from: pending + pointee.pendingSent, count: left)
    else { return false }
    pointee.pendingSent += sent
    pointee.progressNanoseconds = pointee.loop.pointee.eventLoop.clock.monotonicNanoseconds()
    pointee.loop.pointee.counters.bytesSent += UInt64(sent)
    guard pointee.pendingSent == pointee.pendingCount else { return false }
    pending.deallocate()
    pointee.pending = nil
    pointee.pendingCount = 0
    pointee.pendingSent = 0
    try pointee.loop.pointee.eventLoop.changeInterest(pointee.descriptor, .reading, owner: self)
    return true
  }

  // MARK: The end

  /// Ends every stream (their services hear of it), closes the socket and frees the memory.
  func close(_ source: CancellationSource) {
    let loop = pointee.loop
    while let stream = pointee.streams {
      stream.ended(source)
    }
    pointee.session.destroy()
    // Closing takes it out of epoll, too.
    Sockets.close(pointee.descriptor)
    pointee.pending?.deallocate()
    loop.unlink(self)
    deinitialize(count: 1)
    deallocate()
  }
}

private func connectionReady(_ owner: UnsafeMutableRawPointer, _ readiness: UInt32) {
  let connection = owner.assumingMemoryBound(to: Connection.self)
  guard !connection.pointee.isDead else { return }
  let readiness = Readiness(rawValue: readiness)
  if readiness.contains(.writing) { connection.markDirty() }
  if readiness.isReadable { connection.read() }
}
