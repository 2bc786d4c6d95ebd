internal import Core
internal import HTTP2

/// What a streamed call has to say next.
package enum StreamEvent: Sendable, Equatable {
  case message([UInt8])
  /// The server has ended the call with OK.
  case ended
}

extension ClientConnection {
  /// Starts a call with messages both ways. It has no deadline.
  package func startStream(path: String, metadata: [MetadataEntry] = [], nowNanoseconds: UInt64)
    throws(ClientError) -> CallID
  {
    try start(
      path: path, timeoutNanoseconds: nil, metadata: metadata, nowNanoseconds: nowNanoseconds,
      isStreamed: true, body: [])
  }

  /// Adds a message to what is to be sent; nothing after the last one, and nothing when the call
  /// has ended.
  package func send(_ message: [UInt8], on id: CallID) throws(ClientError) {
    let framed = try framed(message)
    append(framed, isLast: false, to: id)
  }

  /// The client has said all.
  package func finish(_ id: CallID) {
    append([], isLast: true, to: id)
  }

  private func append(_ framed: [UInt8], isLast: Bool, to id: CallID) {
    guard let call = calls[id.stream], !call.isConcluded else { return }
    call.append(framed, isLast: isLast)
    session?.resumeBody(id.stream)
  }

  /// The messages that have come since, in order.
  package func takeMessages(of id: CallID) -> [[UInt8]] {
    leftMessages.removeValue(forKey: id.stream)
      ?? calls[id.stream]?.response.takeMessages() ?? []
  }
}

extension Channel {
  /// A call with messages both ways. One reader and writer at a time; its channel makes no other
  /// call meanwhile.
  package final class Stream {
    private let channel: Channel
    private let id: ClientConnection.CallID
    /// Come and not taken.
    private var received: [[UInt8]] = []

    fileprivate init(_ channel: Channel, _ id: ClientConnection.CallID) {
      self.channel = channel
      self.id = id
    }

    /// Hands a message over and writes as much as the socket takes. What it does not take is kept:
    /// whoever sends bounds it by waiting for answers.
    package func send(_ message: [UInt8]) throws(ClientError) {
      try channel.connection.send(message, on: id)
      channel.flush()
    }

    /// The client has said all.
    package func finish() {
      channel.connection.finish(id)
      channel.flush()
    }

    /// Waits for what the server says next; DEADLINE_EXCEEDED when nothing comes for so long.
    package func next(timeoutNanoseconds: UInt64) throws(ClientError) -> StreamEvent {
      let until = channel.clock.monotonicNanoseconds()
        .addingReportingOverflow(timeoutNanoseconds)
      while true {
        channel.flush()
        received += channel.connection.takeMessages(of: id)
        if !received.isEmpty { return .message(received.removeFirst()) }
        switch channel.connection.takeOutcome(id) {
        case .success?: return .ended
        case .failure(let failed)?: throw .failed(failed)
        case nil: break
        }
        guard until.overflow || channel.clock.monotonicNanoseconds() < until.partialValue else {
          throw .failed(
            FailedCall(
              CallFailure(.deadlineExceeded, "no answer within the timeout"), origin: .client))
        }
        channel.turn(
          untilNanoseconds: until.overflow ? distantFutureNanoseconds : until.partialValue)
      }
    }
  }

  /// Starts a call of `path` with messages both ways.
  package func openStream(path: String) throws(ClientError) -> Stream {
    Stream(
      self,
      try connection.startStream(path: path, nowNanoseconds: clock.monotonicNanoseconds()))
  }
}
