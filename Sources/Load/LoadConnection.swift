internal import Client
internal import Core
internal import HTTP2
internal import Wire

/// One HTTP/2 connection of the generator, without I/O and without a clock: bytes and times in,
/// bytes and records out. Its calls lie in slots that are made once.
///
/// `ClientConnection` is the client for everybody else: it keeps whole messages, metadata
/// and a timer for each call, which costs several times what a call costs here.
final class LoadConnection: LoadCarrier {
  typealias Call = UnsafeMutablePointer<LoadCall>

  /// A call that is over, still at its slot's address: whoever takes it takes it off lists.
  struct Ended {
    var call: Call
    var record: CallRecord
    /// The server's words for a status that is not OK, where they were kept.
    var text: String?
  }

  /// Nil once the connection is over.
  private var session: HTTP2Session?
  /// What the session's memory comes from: held until the session has given it back.
  private let memory: HTTP2Memory
  private let headers: LoadHeaders
  private let slots: UnsafeMutablePointer<LoadCall>
  private let slotCount: Int
  private var free: [Call] = []
  /// Calls that were concluded since `takeEnded`.
  private(set) var ended: [Ended] = []
  /// Calls whose stream is not closed.
  private(set) var openCount = 0
  /// Why no new call can be started.
  private(set) var refusal: String?
  private var nowNanoseconds: UInt64 = 0
  private var hasReceived = false
  private var text: String?
  private var texts = FailureTexts()

  init(headers: LoadHeaders, slotCount: Int, memory: HTTP2Memory)
    throws(HTTP2Session.ConnectionError)
  {
    self.memory = memory
    self.headers = headers
    self.slotCount = slotCount
    slots = .allocate(capacity: slotCount)
    slots.initialize(repeating: LoadCall(), count: slotCount)
    let slots = slots
    free = (0..<slotCount).reversed().map { slots + $0 }
    session = try HTTP2Session(
      .client, handlers: LoadConnection.handlers,
      context: Unmanaged.passUnretained(self).toOpaque(), limits: ClientOptions().http2,
      memory: memory)
  }

  deinit {
    session?.destroy()
    for index in 0..<slotCount { slots[index].buffer?.deallocate() }
    slots.deallocate()
  }

  /// Whether a call that is started now is sent now.
  var hasRoom: Bool {
    guard let session, refusal == nil, !free.isEmpty else { return false }
    return openCount < session.remoteConcurrentStreams
  }

  /// Starts a call; nil when the connection takes no more, and then `refusal` says why.
  func start(
    intendedNanoseconds: UInt64, body: RequestMix.Body, userID: UInt64, nowNanoseconds: UInt64
  ) -> Call? {
    guard let session, refusal == nil, let call = free.popLast() else { return nil }
    call.pointee.begin(
      intendedNanoseconds: intendedNanoseconds, sentNanoseconds: nowNanoseconds, body: body,
      userID: userID)
    do throws(HTTP2Session.ConnectionError) {
      call.pointee.stream = try session.submitRequest(headers.block, stream: call)
    } catch {
      // The stream ids of a connection are used up, or memory is.
      refusal = "no more calls on this connection: \(error)"
      free.append(call)
      return nil
    }
    call.pointee.isOpen = true
    openCount += 1
    return call
  }

  /// Whether `call` is one of this connection's slots.
  func owns(_ call: Call) -> Bool { call >= slots && call < slots + slotCount }

  /// The generator no longer waits for the call: DEADLINE_EXCEEDED here, RST_STREAM(CANCEL) there.
  func giveUp(_ call: Call, nowNanoseconds: UInt64) {
    var record = call.pointee.record(endedNanoseconds: nowNanoseconds)
    record.status = .deadlineExceeded
    record.isGivenUp = true
    text = nil
    session?.resetStream(call.pointee.stream, HTTP2ErrorCode.cancel)
    conclude(call, record)
  }

  /// Takes bytes of the server, all of them.
  func receive(_ bytes: UnsafeRawBufferPointer, nowNanoseconds: UInt64) {
    self.nowNanoseconds = nowNanoseconds
    guard let session, let base = bytes.baseAddress, !bytes.isEmpty else { return }
    if !hasReceived, let other = ClientConnection.otherProtocol(bytes) {
      return end(
        "the peer speaks \(other), not plaintext HTTP/2", nowNanoseconds: nowNanoseconds)
    }
    hasReceived = true
    do throws(HTTP2Session.ConnectionError) {
      try session.receive(base, count: bytes.count)
    } catch {
      end("the peer broke HTTP/2: \(error)", nowNanoseconds: nowNanoseconds)
    }
  }

  /// Appends what there is for the server to `output`, up to about `limitBytes`.
  func collectOutput(into output: inout [UInt8], limitBytes: Int, nowNanoseconds: UInt64) {
    guard let session else { return }
    do throws(HTTP2Session.ConnectionError) {
      while output.count < limitBytes, let bytes = try session.nextOutput() {
        output.append(contentsOf: bytes.bytes)
      }
    } catch {
      return end("HTTP/2 failed: \(error)", nowNanoseconds: nowNanoseconds)
    }
    // nghttp2 has said its last word, a GOAWAY: because of what the peer sent, or after it.
    if output.isEmpty, !session.wantsToRead, !session.wantsToWrite {
      end(refusal ?? "the peer does not keep to HTTP/2", nowNanoseconds: nowNanoseconds)
    }
  }

  /// The connection is over: its calls fail with UNAVAILABLE.
  func end(_ reason: String, nowNanoseconds: UInt64) {
    guard let session else { return }
    refusal = reason
    for index in 0..<slotCount where slots[index].isOpen {
      let call = slots + index
      if !call.pointee.isConcluded {
        var record = call.pointee.record(endedNanoseconds: nowNanoseconds)
        record.status = .unavailable
        keepText(reason)
        conclude(call, record)
      }
      close(call)
    }
    self.session = nil
    session.destroy()
  }

  /// Whether nothing more can come of it: ended, or drained after a GOAWAY.
  var isOver: Bool { session == nil || (refusal != nil && openCount == 0) }

  func tick(nowNanoseconds: UInt64) -> Bool { false }

  /// Empties `ended`, keeping its memory.
  func forgetEnded() {
    ended.removeAll(keepingCapacity: true)
  }

  private func conclude(_ call: Call, _ record: CallRecord) {
    call.pointee.isConcluded = true
    ended.append(Ended(call: call, record: record, text: record.status == .ok ? nil : text))
    text = nil
  }

  private func keepText(_ make: @autoclosure () -> String) {
    text = texts.kept(make()) ?? text
  }

  private func close(_ call: Call) {
    call.pointee.isOpen = false
    openCount -= 1
    free.append(call)
  }
}

// MARK: What the session tells

extension LoadConnection {
  @inline(__always)
  private static func at(_ context: UnsafeMutableRawPointer?) -> LoadConnection {
    guard let context else { preconditionFailure("a session without its connection") }
    return Unmanaged<LoadConnection>.fromOpaque(context).takeUnretainedValue()
  }

  private static let handlers = HTTP2Handlers(
    // Servers open no streams here: push is switched off in SETTINGS.
    streamOpened: { _, _ in nil },
    header: { context, stream, name, nameCount, value, valueCount in
      let call = stream.assumingMemoryBound(to: LoadCall.self)
      let name = ByteSlice(name, count: nameCount)
      let value = ByteSlice(value, count: valueCount)
      call.pointee.header(name, value)
      if nameCount == 12, !call.pointee.isConcluded, name.equals("grpc-message") {
        LoadConnection.at(context).keepText(ClientStatus.message(Array(value.bytes)))
      }
    },
    headersEnded: { context, stream, flags in
      let call = stream.assumingMemoryBound(to: LoadCall.self)
      let connection = LoadConnection.at(context)
      // Words of a block that ends nothing are not the next call's.
      if flags & HTTP2BlockFlags.endOfStream == 0 { connection.text = nil }
      guard !call.pointee.isConcluded else { return }
      call.pointee.headersEnded(isTooLarge: flags & HTTP2BlockFlags.tooLarge != 0)
      connection.endIfFaulty(call)
    },
    data: { context, stream, bytes, count in
      let call = stream.assumingMemoryBound(to: LoadCall.self)
      LoadConnection.at(context).session?.consume(call.pointee.stream, count: count)
      if !call.pointee.isConcluded {
        call.pointee.data(UnsafeRawBufferPointer(start: bytes, count: count))
        LoadConnection.at(context).endIfFaulty(call)
      }
    },
    streamEnded: { context, stream in
      let call = stream.assumingMemoryBound(to: LoadCall.self)
      LoadConnection.at(context).streamEnded(call)
    },
    streamClosed: { context, stream, errorCode in
      let call = stream.assumingMemoryBound(to: LoadCall.self)
      LoadConnection.at(context).streamClosed(call, errorCode)
    },
    readBody: { _, stream, buffer, capacity, end in
      stream.assumingMemoryBound(to: LoadCall.self).pointee.readBody(buffer, capacity, end)
    },
    goAway: { context, _, errorCode in
      let name = StatusMapping.name(resetCode: errorCode)
      // Calls above the last stream are closed by nghttp2 with REFUSED_STREAM.
      LoadConnection.at(context).refusal = "the server is closing the connection: \(name)"
    })

  /// What is wrong already is not waited for.
  private func endIfFaulty(_ call: Call) {
    guard call.pointee.fault != nil else { return }
    text = nil
    keepText(call.pointee.reason)
    conclude(call, call.pointee.record(endedNanoseconds: nowNanoseconds))
    session?.resetStream(call.pointee.stream, HTTP2ErrorCode.cancel)
  }

  private func streamEnded(_ call: Call) {
    guard !call.pointee.isConcluded else { return }
    let record = call.pointee.record(endedNanoseconds: nowNanoseconds)
    if text == nil, record.status != .ok { keepText(call.pointee.reason) }
    conclude(call, record)
    if call.pointee.sentBytes < call.pointee.bodyCount {
      session?.resetStream(call.pointee.stream, HTTP2ErrorCode.cancel)
    }
  }

  private func streamClosed(_ call: Call, _ errorCode: UInt32) {
    if !call.pointee.isConcluded {
      var record = call.pointee.record(endedNanoseconds: nowNanoseconds)
      // A server that gives up at the deadline cancels.
      let deadline = call.pointee.sentNanoseconds.addingReportingOverflow(
        headers.timeoutNanoseconds)
      let isLate = !deadline.overflow && nowNanoseconds >= deadline.partialValue
      record.status =
        errorCode == HTTP2ErrorCode.cancel && isLate
        ? .deadlineExceeded : StatusMapping.code(resetCode: errorCode)
      // What a GOAWAY leaves out, nghttp2 closes with REFUSED_STREAM.
      let reason = errorCode == HTTP2ErrorCode.refusedStream ? refusal : nil
      keepText(reason ?? StatusMapping.text(resetCode: errorCode))
      conclude(call, record)
    }
    close(call)
  }
}
