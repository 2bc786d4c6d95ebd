package import Core

/// The checks of a campaign against a request, one bit each, in their order: the lowest bit that
/// is set is the check that keeps the campaign out.
enum CheckBits {
  static var flight: UInt16 { 1 << 0 }
  static var paused: UInt16 { 1 << 1 }
  static var market: UInt16 { 1 << 2 }
  static var surface: UInt16 { 1 << 3 }
  static var tier: UInt16 { 1 << 4 }
  static var segment: UInt16 { 1 << 5 }
  static var spent: UInt16 { 1 << 6 }
  static var failures: UInt16 { 0x7F }
  /// Not failures, but what is left to look at: it has caps,
  static var caps: UInt16 { 1 << 7 }
  /// its value is drawn.
  static var drawn: UInt16 { 1 << 8 }
  /// It has a cap that this user may have reached.
  static var bind: UInt16 { 1 << 9 }
  /// Its caps count by user × campaign, artist, release.
  static var byCampaign: UInt16 { 1 << 10 }
  static var byArtist: UInt16 { 1 << 11 }
  static var byRelease: UInt16 { 1 << 12 }
}

/// How far a campaign came in the order of checks.
package enum CheckStage: UInt8, Sendable, CaseIterable, BitwiseCopyable, Comparable {
  case notInFlight = 0
  case paused = 1
  case market = 2
  case surface = 3
  case tier = 4
  case segment = 5
  case budgetSpent = 6
  case capped = 7
  /// Nothing keeps it out: gain decides.
  case eligible = 8

  @inline(__always)
  package static func < (left: CheckStage, right: CheckStage) -> Bool {
    left.rawValue < right.rawValue
  }

  /// The stage of the lowest bit that is set.
  @inline(__always)
  init(failures: UInt16) {
    let bits = failures & CheckBits.failures
    self =
      bits == 0
      ? .eligible
      : unsafeBitCast(UInt8(truncatingIfNeeded: bits.trailingZeroBitCount), to: Self.self)
  }

  /// The reason of a boost of zero; of an eligible campaign `ok`.
  @inline(__always)
  package var reason: BoostReason {
    switch self {
    case .notInFlight: .notInFlight
    case .paused: .paused
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
