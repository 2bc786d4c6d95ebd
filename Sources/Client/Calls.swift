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
    if let mismatch = response.mismatch(candidateCount: request.candidateCount) {
      let text = "the answer to \(request.candidateCount) candidates has \(mismatch)"
      throw .failed(FailedCall(CallFailure(.internalError, text), origin: .client))
    }
    return response
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

private func encoding(_ body: () throws(ClientEncodingError) -> [UInt8])
  throws(ClientError) -> [UInt8]
{
  do throws(ClientEncodingError) {
    return try body()
  } catch {
    throw .invalidRequest("\(error)")
  }
}

private func decoding<Message>(
  _ answer: UnaryAnswer, _ body: ([UInt8]) throws(CallFailure) -> Message
) throws(ClientError) -> Message {
  do throws(CallFailure) {
    return try body(answer.message)
  } catch {
    throw .failed(FailedCall(error, origin: .client, trailers: answer.trailers))
  }
}
