/// How much of the model a score has seen: `crescendo.v1.Fidelity`, number for number.
package enum Fidelity: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case unspecified = 0
  case none = 1
  case prior = 2
  case partial = 3
  case full = 4
}

/// Why a position has the fidelity or the boost that it has: `crescendo.v1.Reason`, number for
/// number. Those of boosts come with campaigns.
package enum Reason: UInt8, Sendable, CaseIterable, BitwiseCopyable {
  case unspecified = 0
  case ok = 1
  case unknownItem = 2
  case deadline = 3
  case overload = 4
}
