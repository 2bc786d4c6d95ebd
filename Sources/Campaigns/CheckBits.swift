package import Core

/// The checks of a campaign against a request, one bit each, in their order: the lowest bit that
/// is set is the check that keeps the campaign out.
enum CheckBits {
  static let flight: UInt8 = 1 << 0
  static let market: UInt8 = 1 << 1
  static let surface: UInt8 = 1 << 2
  static let tier: UInt8 = 1 << 3
  static let segment: UInt8 = 1 << 4
  static let spent: UInt8 = 1 << 5
  static let failures: UInt8 = 0x3F
  /// Flags of a record, carried along: the segments have to be compared.
  static let segments: UInt8 = 1 << 6
  /// It has caps, or its value is drawn.
  static let special: UInt8 = 1 << 7
  /// In a record alone: its value is drawn.
  static let drawn: UInt32 = 1 << 8
}

/// How far a campaign came in the order of checks.
package enum CheckStage: UInt8, Sendable, CaseIterable, BitwiseCopyable, Comparable {
  case notInFlight = 0
  case market = 1
  case surface = 2
  case tier = 3
  case segment = 4
  case budgetSpent = 5
  case capped = 6
  /// Nothing keeps it out: gain decides.
  case eligible = 7

  @inline(__always)
  package static func < (left: CheckStage, right: CheckStage) -> Bool {
    left.rawValue < right.rawValue
  }

  /// The stage of the lowest bit that is set.
  @inline(__always)
  init(failures: UInt8) {
    let bits = failures & CheckBits.failures
    self =
      bits == 0
      ? .eligible : unsafeBitCast(UInt8(truncatingIfNeeded: bits.trailingZeroBitCount), to: Self.self)
  }

  /// The reason of a boost of zero; of an eligible campaign `ok`.
  @inline(__always)
  package var reason: BoostReason {
    switch self {
    case .notInFlight: .notInFlight
    case .market: .market
    case .surface: .surface
    case .tier: .tier
    case .segment: .segment
    case .budgetSpent: .budgetSpent
    case .capped: .capped
    case .eligible: .ok
    }
  }
}
