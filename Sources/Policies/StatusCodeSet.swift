package import Core

/// A set of status codes: one bit each.
package struct StatusCodeSet: Sendable, Equatable, ExpressibleByArrayLiteral {
  private var bits: UInt32 = 0

  package init(arrayLiteral codes: StatusCode...) {
    for code in codes { insert(code) }
  }

  package mutating func insert(_ code: StatusCode) {
    bits |= 1 << UInt32(code.rawValue)
  }

  package func contains(_ code: StatusCode) -> Bool {
    bits & 1 << UInt32(code.rawValue) != 0
  }
}
