internal import Core
package import Wire

extension Channel {
  /// `PromotionScoreService/Score`. The answer has one score per candidate, and every other column
  /// is empty or has one value per candidate; anything else is INTERNAL.
  package func score(
    _ request: ScoreRequestMessage, timeoutNanoseconds: UInt64?, metadata: [MetadataEntry] = []
  ) throws(ClientError) -> ScoreResponseMessage {
    let answer = try call(
      path: "\(WireNames.scorePath)",
      message: try encoding { () throws(ClientEncodingError) in try request.encoded() },
      timeoutNanoseconds: timeoutNanoseconds, metadata: metadata)
    let response = try decoding(answer) { bytes throws(CallFailure) in
      try ScoreResponseMessage.decoded(bytes)
    }
    return try response.checked(for: request)
  }

  /// `grpc.health.v1.Health/Check` of `service`; empty = the whole server.
  package func checkHealth(
    service: String, timeoutNanoseconds: UInt64?, metadata: [MetadataEntry] = []
  ) throws(ClientError) -> HealthStatus {
    let answer = try call(
      path: "\(WireNames.healthCheckPath)",
      message: try encoding { () throws(ClientEncodingError) in
        try HealthMessages.encodedRequest(service: service)
      },
      timeoutNanoseconds: timeoutNanoseconds, metadata: metadata)
    return try decoding(answer) { bytes throws(CallFailure) in
      try HealthMessages.decodedResponse(bytes)
    }
  }
}

extension SessionChannel {
  /// As `Channel.score`, with nothing else under way.
  package func score(_ request: ScoreRequestMessage, timeout: Duration) throws(ClientError)
    -> ScoreResponseMessage
  {
    let message = try encoding { () throws(ClientEncodingError) in try request.encoded() }
    var outcome: Result<[UInt8], CallFailure>?
    do throws(SessionChannelError) {
      let hasBegun = try submit(
        path: "\(WireNames.scorePath)", message: message, work: request.candidateCount,
        timeout: timeout, tag: 0)
      guard hasBegun else { throw .lost("the server gives no credit") }
      // The server keeps the deadline; a little more shows its answer instead of ours.
      let patience = timeout + .milliseconds(50)
      try poll(timeout: patience) { answer in
        outcome =
          answer.code == 0
          ? .success(Array(answer.message))
          : .failure(answer.failure)
      }
    } catch {
      throw .failed(FailedCall(CallFailure(.unavailable, "\(error)"), origin: .connection))
    }
    switch outcome {
    case nil:
      let late = CallFailure(.deadlineExceeded, "no answer within the timeout")
      throw .failed(FailedCall(late, origin: .client))
    case .failure(let failure)?: throw .failed(FailedCall(failure, origin: .server))
    case .success(let bytes)?:
      let answer = UnaryAnswer(message: bytes, headers: [], trailers: [])
      let response = try decoding(answer) { bytes throws(CallFailure) in
        try ScoreResponseMessage.decoded(bytes)
      }
      return try response.checked(for: request)
    }
  }
}

extension DirectAnswer {
  fileprivate var failure: CallFailure {
    CallFailure(
      StatusCode(rawValue: code) ?? .unknown, text,
      retryPushbackMilliseconds: pushbackMilliseconds)
  }
}

extension ScoreResponseMessage {
  fileprivate func checked(for request: ScoreRequestMessage) throws(ClientError) -> Self {
    guard let mismatch = mismatch(candidateCount: request.candidateCount) else { return self }
    let text = "the answer to \(request.candidateCount) candidates has \(mismatch)"
    throw .failed(FailedCall(CallFailure(.internalError, text), origin: .client))
  }
}

func encoding(_ body: () throws(ClientEncodingError) -> [UInt8])
  throws(ClientError) -> [UInt8]
{
  do throws(ClientEncodingError) {
    return try body()
  } catch {
    throw .invalidRequest("\(error)")
  }
}

func decoding<Message>(
  _ answer: UnaryAnswer, _ body: ([UInt8]) throws(CallFailure) -> Message
) throws(ClientError) -> Message {
  do throws(CallFailure) {
    return try body(answer.message)
  } catch {
    throw .failed(FailedCall(error, origin: .client, trailers: answer.trailers))
  }
}
