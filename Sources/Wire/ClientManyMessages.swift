internal import CCrescendoProto
internal import CProtobufC
package import Core

/// `crescendo.v1.ScoreManyRequest`, around a `ScoreRequest` that is bytes already.
package enum ScoreManyRequestMessage {
  /// `timeoutMicroseconds`: from when the item arrives; 0 = the call's own deadline.
  package static func encoded(
    sequence: UInt64, timeoutMicroseconds: UInt32, request: [UInt8]
  ) -> [UInt8] {
    var writer = FieldWriter()
    writer.fixed64(1, sequence)
    writer.fixed32(2, timeoutMicroseconds)
    writer.message(3, FieldWriter(bytes: request))
    return writer.bytes
  }
}

/// A `crescendo.v1.ScoreManyResponse` as it came.
package struct ScoreManyResponseMessage: Sendable, Equatable {
  package var sequence: UInt64
  /// The wire's number of a status; 0 = OK.
  package var statusCode: Int32
  package var statusMessage: String
  /// Nil when the item failed.
  package var response: ScoreResponseMessage?

  /// INTERNAL when the bytes are no such message.
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure) -> ScoreManyResponseMessage {
    let name = "crescendo.v1.ScoreManyResponse"
    return try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard
        let message = crescendo__v1__score_many_response__unpack(allocator, bytes.count, bytes)
      else { throw undecodable(name) }
      defer { crescendo__v1__score_many_response__free_unpacked(message, allocator) }
      let reader = TextReader(message: name)
      return ScoreManyResponseMessage(
        sequence: message.pointee.sequence, statusCode: message.pointee.status_code,
        statusMessage: try reader.text(message.pointee.status_message, "status_message"),
        response: try message.pointee.response.map { response throws(CallFailure) in
          try ScoreResponseMessage.convert(response.pointee, reader)
        })
    }
  }
}

/// A `crescendo.v1.StreamScoresResponse` as it came.
package struct StreamScoresResponseMessage: Sendable, Equatable {
  package var positions: [UInt32]
  package var part: ScoreResponseMessage

  /// INTERNAL when the bytes are no such message, or have no part.
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure)
    -> StreamScoresResponseMessage
  {
    let name = "crescendo.v1.StreamScoresResponse"
    return try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard
        let message = crescendo__v1__stream_scores_response__unpack(
          allocator, bytes.count, bytes), let part = message.pointee.part
      else { throw undecodable(name) }
      defer { crescendo__v1__stream_scores_response__free_unpacked(message, allocator) }
      return StreamScoresResponseMessage(
        positions: array(message.pointee.positions, message.pointee.n_positions),
        part: try ScoreResponseMessage.convert(part.pointee, TextReader(message: name)))
    }
  }
}
