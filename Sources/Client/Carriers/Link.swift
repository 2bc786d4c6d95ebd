internal import Core
internal import EventLoop
internal import HTTP2
internal import Syscalls
internal import Wire

/// Who has a link.
protocol LinkOwner: AnyObject {
  /// Connected, and the server has said its SETTINGS or anything else.
  func linkIsReady(_ link: Link)
  /// GOAWAY: no new streams. Those that the server will not answer have been told.
  func linkIsDraining(_ link: Link, _ reason: String)
  /// A stream is gone, or the server allows more of them.
  func linkHasRoom(_ link: Link)
  /// Over; every stream has been told.
  func linkIsLost(_ link: Link, _ reason: String)
}

/// One TCP connection with HTTP/2 on it, and its streams. Loop-confined.
///
/// It is written at the end of a loop's turn, once for everything; what ends it is put off until
/// then, too, because nghttp2 may be at work further up the stack.
final class Link {
  enum State { case connecting, greeting, ready, over }

  let address: SocketAddress
  let runtime: ClientRuntime
  let descriptor: Int32
  let target: UnsafeMutablePointer<LinkTarget>
  var session: HTTP2Session?
  var state = State.connecting
  weak var owner: (any LinkOwner)?
  /// Streams that nghttp2 knows: it holds their addresses.
  var streams: [Int32: LinkStream] = [:]
  /// Bytes that the socket has not taken, from `outputStart`.
  var output: [UInt8] = []
  var outputStart = 0
  var watchesWriting = true
  /// Set when it is to end with this turn.
  var ending: String?
  var isDraining: Bool { drainReason != nil }
  private var drainReason: String?
  var lastReceivedNanoseconds: UInt64
  var isDirty = false

  /// Begins to connect. `address` is numeric; `authority` is what the server is called by.
  init(
    to address: SocketAddress, authority: SocketAddress, runtime: ClientRuntime,
    limits: HTTP2Limits
  ) throws(SystemError) {
    self.address = authority
    self.runtime = runtime
    self.lastReceivedNanoseconds = runtime.nowNanoseconds
    descriptor = try Sockets.beginConnecting(to: address)
    target = .allocate(capacity: 1)
    target.initialize(to: LinkTarget(target: PollTarget(ready: linkReady), link: nil))
    target.pointee.link = self
    do throws(SystemError) {
      try runtime.loop.watch(descriptor, [.reading, .writing], owner: target)
    } catch {
      Sockets.close(descriptor)
      target.deinitialize(count: 1)
      target.deallocate()
      throw error
    }
    do throws(HTTP2Session.ConnectionError) {
      session = try HTTP2Session(
        .client, handlers: linkHandlers, context: Unmanaged.passUnretained(self).toOpaque(),
        limits: limits, memory: nil)
    } catch {
      end("HTTP/2 failed: \(error)")
    }
  }

  deinit {
    precondition(session == nil, "a link is closed before it goes")
  }

  // MARK: Streams

  var nowNanoseconds: UInt64 { runtime.nowNanoseconds }
  var openStreams: Int { streams.count }
  var isReady: Bool { state == .ready && ending == nil && !isDraining }
  /// Streams that the server allows at a time; 100 until it has told.
  var streamsAllowed: Int { session?.remoteConcurrentStreams ?? 0 }

  /// Opens a stream; false when the connection can have no more: then it drains.
  func open(_ stream: LinkStream, _ headers: RequestHeaders) -> Bool {
    guard isReady, let session else { return false }
    do throws(HTTP2Session.ConnectionError) {
      let id = try headers.withHeaders { list throws(HTTP2Session.ConnectionError) in
        try session.submitRequest(
          list, stream: Unmanaged.passUnretained(stream).toOpaque(), hasBody: true)
      }
      streams[id] = stream
      stream.opened(id, on: self)
      runtime.markDirty(self)
      return true
    } catch {
      // The stream ids of a connection are used up, or memory is.
      drain("no more calls on this connection: \(error)")
      return false
    }
  }

  func consume(_ stream: Int32, _ count: Int) {
    session?.consumeStream(stream, count: count)
    runtime.markDirty(self)
  }

  func resume(_ stream: Int32) {
    session?.resumeBody(stream)
    runtime.markDirty(self)
  }

  func reset(_ stream: Int32, _ errorCode: UInt32) {
    session?.resetStream(stream, errorCode)
    runtime.markDirty(self)
  }

  func ping() {
    session?.submitPing()
    runtime.markDirty(self)
  }

  // MARK: The end

  /// No new streams.
  func drain(_ reason: String) {
    guard !isDraining else { return }
    drainReason = reason
    owner?.linkIsDraining(self, reason)
  }

  /// Over at the end of this turn, for a reason that streams which are still open are told.
  func end(_ reason: String) {
    guard state != .over, ending == nil else { return }
    ending = reason
    runtime.markDirty(self)
  }

  /// Says goodbye and ends: nothing is open any more.
  func close() {
    if let session {
      // What cannot be said any more need not be: the connection ends in any case.
      try? session.submitGoAway()
    }
    end(drainReason ?? "closed by this client")
  }

  /// At the end of a turn: writes what there is, and ends what is to end.
  func settle() {
    if state != .over, state != .connecting { flush() }
    guard let reason = ending, state != .over else { return }
    state = .over
    let open = streams
    streams = [:]
    session?.destroy()
    session = nil
    // Closing takes it out of epoll, too. Events of this turn have been handed out.
    Sockets.close(descriptor)
    target.deinitialize(count: 1)
    target.deallocate()
    for (_, stream) in open.sorted(by: { $0.key < $1.key }) {
      stream.detach()
      stream.closed(.lost(reason))
    }
    owner?.linkIsLost(self, reason)
  }
}

struct LinkTarget {
  /// First, because its address is the descriptor's token.
  var target: PollTarget
  weak var link: Link?
}

private func linkReady(_ owner: UnsafeMutableRawPointer, _ readiness: UInt32) {
  owner.assumingMemoryBound(to: LinkTarget.self).pointee.link?
    .ready(Readiness(rawValue: readiness))
}
