/// How much of the model a score has seen: `crescendo.v1.Fidelity`, number for number.
package enum Fidelity: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case unspecified = 0
  case none = 1
  case prior = 2
  case partial = 3
  case full = 4
}

/// Why a position has the fidelity that it has: `crescendo.v1.Reason`, number for number.
package enum Reason: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case unspecified = 0
  case ok = 1
  case unknownItem = 2
  case deadline = 3
  case overload = 4
}

/// Why a position has the boost that it has, or a slot is empty: `crescendo.v1.Reason`, number for
/// number.
package enum BoostReason: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case ok = 1
  case unknownItem = 2
  /// Of slots alone.
  case overload = 4
  case noCampaign = 10
  case notInFlight = 11
  case market = 12
  case surface = 13
  case segment = 14
  case capped = 17
  case budgetSpent = 18
  case paced = 19
  case holdout = 20
  case tier = 21
  case paused = 22
  case worthless = 23
  case surfaceOff = 24
  /// Of slots alone.
  case noCandidates = 25
}

/// What became of a reported exposure: `crescendo.v1.ExposureOutcome`, number for number.
package enum ExposureOutcome: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case settled = 1
  case duplicate = 2
  case settledLate = 3
  case unpaid = 4
  case forged = 5
  case expired = 6
  case unknownReservation = 7
  case invalidTime = 8
  case goalAdded = 9
}

/// What became of a placement that was given back: `crescendo.v1.ReleaseOutcome`, number for
/// number.
package enum ReleaseOutcome: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case released = 1
  case alreadyReleased = 2
  case settled = 3
  case forged = 4
  case unknown = 5
}
