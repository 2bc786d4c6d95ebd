package import Campaigns
package import Core
package import Ledger

/// An `Allocate` as a loop has worked it out: every pair of a candidate and a campaign that may
/// have it, but for what only the user's shard knows.
package struct AllocationRequest {
  package var user: UInt64
  package var requestID: RequestID
  /// Of the whole request.
  package var digest: RequestID
  package var slots: Int
  /// Holds what `request` points into.
  package var board: CampaignBoard
  package var request: BoostRequest
  package var options: [SlotOption]
  /// How many candidates have no boost, by reason, as far as the loop knows.
  package var reasons: [BoostReason: Int]
  /// The id of an item of a row.
  package var item: (_ row: Int32) -> UInt64
  /// The answer's bytes.
  package var encode: (_ placements: [GrantedPlacement], _ unfilled: BoostReason) -> [UInt8]
  /// How often it has waited for leases.
  package var rounds = 0

  package init(
    user: UInt64, requestID: RequestID, digest: RequestID, slots: Int, board: CampaignBoard,
    request: BoostRequest, options: [SlotOption], reasons: [BoostReason: Int],
    item: @escaping (Int32) -> UInt64,
    encode: @escaping ([GrantedPlacement], BoostReason) -> [UInt8]
  ) {
    self.user = user
    self.requestID = requestID
    self.digest = digest
    self.slots = slots
    self.board = board
    self.request = request
    self.options = options
    self.reasons = reasons
    self.item = item
    self.encode = encode
  }
}

/// A placement whose cost and caps are reserved.
package struct GrantedPlacement {
  package var choice: SlotChoice.Placement
  package var item: UInt64
  package var reservation: Reservation
  package var token: [UInt8]
}

/// What a shard did with an allocation.
package enum AllocationStep {
  /// It is in the outbox; this answer goes out once that is durable.
  case placed([UInt8])
  /// It was answered before, or is about to be: the store has the answer once everything is
  /// durable that went to it before.
  case repeated
  /// The id was used for another request.
  case conflict
  /// Leases are wanted (`takeWishes`); to be asked again when they have been granted or refused.
  case waits
  /// More is reserved, or remembered, than a shard may hold.
  case full
}
