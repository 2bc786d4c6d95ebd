internal import Core

/// Where boosts are written, one value per candidate, little-endian, at any alignment.
// Unchecked: plain addresses; one loop writes to its own columns.
package struct BoostColumns: BitwiseCopyable, @unchecked Sendable {
  /// Floats, at least 0.
  package var boosts: UnsafeMutableRawPointer
  /// `BoostReason`, one byte each.
  package var reasons: UnsafeMutablePointer<UInt8>
  /// Keys, 8 bytes each: of the campaign that the reason is about; 0: none.
  package var keys: UnsafeMutableRawPointer
  /// Its index; −1: none.
  package var campaigns: UnsafeMutablePointer<Int32>?

  package init(
    boosts: UnsafeMutableRawPointer, reasons: UnsafeMutablePointer<UInt8>,
    keys: UnsafeMutableRawPointer, campaigns: UnsafeMutablePointer<Int32>? = nil
  ) {
    self.boosts = boosts
    self.reasons = reasons
    self.keys = keys
    self.campaigns = campaigns
  }

  @inline(__always)
  func write(_ position: Int, _ boost: Float, _ reason: BoostReason) {
    boosts.storeBytes(of: boost, toByteOffset: position &* 4, as: Float.self)
    reasons[position] = reason.number
  }

  /// `campaign`: its index; −1: none.
  @inline(__always)
  func write(_ position: Int, of campaign: Int32, key: UInt64) {
    keys.storeBytes(of: key, toByteOffset: position &* 8, as: UInt64.self)
    if let campaigns { campaigns[position] = campaign }
  }
}

extension BoostReason {
  /// `rawValue` without a call into Core.
  @inline(__always)
  var number: UInt8 {
    switch self {
    case .ok: 1
    case .unknownItem: 2
    case .overload: 4
    case .noCampaign: 10
    case .notInFlight: 11
    case .market: 12
    case .surface: 13
    case .segment: 14
    case .capped: 17
    case .budgetSpent: 18
    case .paced: 19
    case .holdout: 20
    case .tier: 21
    case .paused: 22
    case .worthless: 23
    case .surfaceOff: 24
    case .noCandidates: 25
    }
  }
}
