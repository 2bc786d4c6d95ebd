internal import CCrescendoProto
internal import CProtobufC
package import Core

/// A `crescendo.v1.AllocateRequest` as a client builds it.
package struct AllocateRequestMessage: Sendable, Equatable {
  /// `Limits.allocationIDBytes` random bytes: the same again for the same allocation.
  package var requestID: [UInt8] = []
  package var slots: UInt32 = 0
  package var request = ScoreRequestMessage()

  package init() {}

  package func encoded() throws(ClientEncodingError) -> [UInt8] {
    var writer = FieldWriter()
    if !requestID.isEmpty { writer.element(1, requestID) }
    writer.number(2, UInt64(slots))
    writer.element(3, try request.encoded())
    return writer.bytes
  }
}

/// A `crescendo.v1.AllocateResponse` as it came.
package struct AllocateResponseMessage: Sendable, Equatable {
  package struct Placement: Sendable, Equatable {
    /// Counts from 0.
    package var slot: UInt32 = 0
    /// Of the item in the request.
    package var position: UInt32 = 0
    package var itemID: UInt64 = 0
    package var campaignKey: UInt64 = 0
    package var campaignID = ""
    package var score: Float = 0
    package var boost: Float = 0
    package var propensity: Double = 0
    /// Goes back with the exposure. Opaque.
    package var token: [UInt8] = []
    package var costMicros: Int64 = 0
    /// Milliseconds since 1970.
    package var expiresUnixMilliseconds: Int64 = 0

    package init() {}
  }

  package var requestID: [UInt8] = []
  package var provenance = ScoreResponseMessage.Provenance()
  /// The best first.
  package var placements: [Placement] = []
  /// The wire's number of a reason.
  package var unfilledReason: Int32 = 0

  package init() {}

  /// INTERNAL when the bytes are no such message.
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure) -> AllocateResponseMessage {
    let name = "crescendo.v1.AllocateResponse"
    return try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard let message = crescendo__v1__allocate_response__unpack(allocator, bytes.count, bytes)
      else { throw undecodable(name) }
      defer { crescendo__v1__allocate_response__free_unpacked(message, allocator) }
      let reader = TextReader(message: name)
      var response = AllocateResponseMessage()
      response.requestID = binary(message.pointee.request_id)
      if let provenance = message.pointee.provenance {
        response.provenance = try ScoreResponseMessage.convert(provenance.pointee, reader)
      }
      for element in array(message.pointee.placements, message.pointee.n_placements) {
        guard let element else { continue }
        response.placements.append(try Placement(element.pointee, reader))
      }
      response.unfilledReason = Int32(bitPattern: message.pointee.unfilled_reason.rawValue)
      return response
    }
  }
}

extension AllocateResponseMessage.Placement {
  fileprivate init(_ message: Crescendo__V1__Placement, _ reader: TextReader)
    throws(CallFailure)
  {
    slot = message.slot
    position = message.position
    itemID = message.item_id
    campaignKey = message.campaign_key
    campaignID = try reader.text(message.campaign_id, "placements.campaign_id")
    score = message.score
    boost = message.boost
    propensity = message.propensity
    token = binary(message.token)
    costMicros = message.cost_micros
    expiresUnixMilliseconds = message.expires_unix_ms
  }
}

/// `crescendo.v1.ReleaseRequest` and its answer.
package enum ReleaseMessages {
  package static func encodedRequest(tokens: [[UInt8]]) -> [UInt8] {
    var writer = FieldWriter()
    for token in tokens { writer.element(1, token) }
    return writer.bytes
  }

  /// The wire's numbers of a `ReleaseOutcome`, one per token. INTERNAL when the bytes are no such
  /// message.
  package static func decodedOutcomes(_ bytes: [UInt8]) throws(CallFailure) -> [Int32] {
    try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard let message = crescendo__v1__release_response__unpack(allocator, bytes.count, bytes)
      else { throw undecodable("crescendo.v1.ReleaseResponse") }
      defer { crescendo__v1__release_response__free_unpacked(message, allocator) }
      return numbers(message.pointee.outcomes, message.pointee.n_outcomes)
    }
  }
}

func binary(_ data: ProtobufCBinaryData) -> [UInt8] {
  array(data.data, data.len)
}
