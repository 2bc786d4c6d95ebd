package import Core

/// A placement as the server has it: `crescendo.v1.Placement`.
package struct PlacementRecord: BitwiseCopyable {
  package var slot: UInt32
  package var position: UInt32
  package var itemID: UInt64
  package var campaignKey: UInt64
  /// UTF-8.
  package var campaignID: ByteSlice
  package var score: Float
  package var boost: Float
  package var propensity: Double
  package var token: ByteSlice
  package var cost: Micros
  package var expiresUnixMilliseconds: Int64

  package init(
    slot: UInt32, position: UInt32, itemID: UInt64, campaignKey: UInt64, campaignID: ByteSlice,
    score: Float, boost: Float, propensity: Double, token: ByteSlice, cost: Micros,
    expiresUnixMilliseconds: Int64
  ) {
    self.slot = slot
    self.position = position
    self.itemID = itemID
    self.campaignKey = campaignKey
    self.campaignID = campaignID
    self.score = score
    self.boost = boost
    self.propensity = propensity
    self.token = token
    self.cost = cost
    self.expiresUnixMilliseconds = expiresUnixMilliseconds
  }
}

/// `crescendo.v1.AllocateResponse`: the same values always give the same bytes, the fields in the
/// order of their numbers.
package enum AllocateResponseEncoder {
  /// Of a placement beside its texts: the tags, eleven fields at their longest, and its own head.
  private static let placementBytes = 96

  package static func encode(
    requestID: ByteSlice, provenance: ProvenanceTemplate, details: ProvenanceDetails,
    placements: [PlacementRecord], unfilledReason: BoostReason
  ) -> [UInt8] {
    var capacity = 64 + requestID.count + provenance.byteCount(details)
    for placement in placements {
      capacity += placementBytes + placement.campaignID.count + placement.token.count
    }
    var writer = FieldWriter(capacity: capacity)
    writer.slice(1, requestID)
    writer.element(2, provenance.encoded(details))
    for placement in placements {
      writer.message(3) { write(placement, &$0) }
    }
    writer.number(4, UInt64(unfilledReason.rawValue))
    return writer.bytes
  }

  private static func write(_ placement: PlacementRecord, _ writer: inout FieldWriter) {
    writer.number(1, UInt64(placement.slot))
    writer.fixed32(2, placement.position)
    writer.fixed64(3, placement.itemID)
    writer.fixed64(4, placement.campaignKey)
    writer.slice(5, placement.campaignID)
    writer.float(6, placement.score)
    writer.float(7, placement.boost)
    writer.double(8, placement.propensity)
    writer.slice(9, placement.token)
    writer.signed(10, placement.cost.value)
    writer.fixed64(11, UInt64(bitPattern: placement.expiresUnixMilliseconds))
  }
}

/// `crescendo.v1.ReleaseResponse`.
package enum ReleaseResponseEncoder {
  /// One outcome per token, in the order of the request.
  package static func encode(_ outcomes: [ReleaseOutcome]) -> [UInt8] {
    var writer = FieldWriter(capacity: 8 + outcomes.count)
    writer.numbers(1, outcomes.lazy.map { UInt64($0.rawValue) })
    return writer.bytes
  }
}
