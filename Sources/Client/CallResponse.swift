internal import Core
internal import Wire

/// The answer to one call as it comes in: events in, at most one outcome out.
///
/// A streamed call's messages are kept until `takeMessages`; its outcome has none.
/// An outcome is final: whoever gets one feeds no further events.
struct CallResponse {
  private var head = ResponseHead()
  private var body: ClientMessageAssembler
  /// Of a streamed call.
  private var stream: ClientMessageStream?
  private var messages: [[UInt8]] = []
  private var hasMessages = false
  private let limitBytes: Int
  /// Of a body that is no gRPC message.
  private var skippedBytes = 0

  init(limitBytes: Int, isStreamed: Bool = false) {
    self.limitBytes = limitBytes
    if isStreamed { stream = ClientMessageStream(limitBytes: limitBytes) }
    self.body = ClientMessageAssembler(limitBytes: limitBytes)
  }

  mutating func header(_ name: ByteSlice, _ value: ByteSlice) {
    head.header(name, value)
  }

  mutating func headersEnded(isTooLarge: Bool) -> UnaryOutcome? {
    head.headersEnded(isTooLarge: isTooLarge).map { .failure($0) }
  }

  mutating func data(_ bytes: UnsafeRawBufferPointer) -> UnaryOutcome? {
    guard head.isGRPC else {
      // A page of some proxy: what follows it may still say more, but not for ever.
      skippedBytes += bytes.count
      return skippedBytes > limitBytes ? .failure(head.withoutStatus) : nil
    }
    do throws(CallFailure) {
      if stream == nil {
        try body.append(bytes)
      } else {
        try stream?.append(bytes) { messages.append($0) }
        hasMessages = hasMessages || !messages.isEmpty
      }
      return nil
    } catch {
      return .failure(head.failed(error.code, error.message, .client))
    }
  }

  /// The whole messages of a streamed call that have come since.
  mutating func takeMessages() -> [[UInt8]] {
    defer { messages = [] }
    return messages
  }

  /// The server has ended its half.
  mutating func streamEnded() -> UnaryOutcome? {
    if let stream { return streamedEnd(stream) }
    if let failure = head.failure(bodyIsEmpty: body.isEmpty) { return .failure(failure) }
    guard let message = body.message else {
      return .failure(
        body.isEmpty
          ? head.failed(.unimplemented, "the server answered OK without a message", .connection)
          : head.failed(
            .internalError, "the answer ends in the middle of its message", .connection))
    }
    return .success(
      UnaryAnswer(message: message, headers: head.headers, trailers: head.trailingMetadata))
  }

  private func streamedEnd(_ stream: ClientMessageStream) -> UnaryOutcome {
    if let failure = head.failure(bodyIsEmpty: !hasMessages && stream.isEmpty) {
      return .failure(failure)
    }
    guard stream.isEmpty else {
      return .failure(
        head.failed(
          .internalError, "the answer ends in the middle of a message", .connection))
    }
    return .success(
      UnaryAnswer(message: [], headers: head.headers, trailers: head.trailingMetadata))
  }

  /// The stream is gone before it ended.
  func streamReset(errorCode: UInt32, deadlineHasPassed: Bool) -> UnaryOutcome {
    .failure(head.reset(errorCode: errorCode, deadlineHasPassed: deadlineHasPassed))
  }
}
