internal import Core
internal import Wire

/// The answer to one unary call as it comes in: events in, at most one outcome out.
///
/// An outcome is final: whoever gets one feeds no further events.
struct UnaryResponse {
  private var head = ResponseHead()
  private var body: ClientMessageAssembler
  private let limitBytes: Int
  /// Of a body that is no gRPC message.
  private var skippedBytes = 0

  init(limitBytes: Int) {
    self.limitBytes = limitBytes
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
      try body.append(bytes)
      return nil
    } catch {
      return .failure(head.failed(error.code, error.message, .client))
    }
  }

  /// The server has ended its half.
  mutating func streamEnded() -> UnaryOutcome? {
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

  /// The stream is gone before it ended.
  func streamReset(errorCode: UInt32, deadlineHasPassed: Bool) -> UnaryOutcome {
    .failure(head.reset(errorCode: errorCode, deadlineHasPassed: deadlineHasPassed))
  }
}
