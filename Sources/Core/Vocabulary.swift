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

/// Why a position has the boost that it has: `crescendo.v1.Reason`, number for number.
package enum BoostReason: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case ok = 1
  case unknownItem = 2
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
}
