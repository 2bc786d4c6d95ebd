/// The exposures of one user in one scope that a cap may still count.
// Unchecked: a plain address; it is valid as long as the `UserScopes` that it comes with.
package struct ScopeRecord: BitwiseCopyable, @unchecked Sendable {
  package var scope: CapScope
  /// A campaign's key, or the artist's or release's number, bit for bit.
  package var key: UInt64
  package var count: Int
  /// `count` times of reservations and exposures, tenths of a second of ledger time, in any order.
  package var deciseconds: UnsafePointer<UInt32>

  package init(
    scope: CapScope, key: UInt64, count: Int, deciseconds: UnsafePointer<UInt32>
  ) {
    self.scope = scope
    self.key = key
    self.count = count
    self.deciseconds = deciseconds
  }
}

/// What one user has had, flat: read by the loop over candidates, which asks of each cap whether
/// it is at its limit. The user's shard fills the buffer; whoever hands it out says how long it
/// lives.
// Unchecked: a plain address; the buffer's owner promises that nobody writes to it meanwhile.
package struct UserScopes: BitwiseCopyable, @unchecked Sendable {
  private let records: UnsafeBufferPointer<ScopeRecord>
  /// One bit of 64 for every key of a scope: most caps are for things the user has never had.
  private var filters: InlineArray<3, UInt64>

  /// Of a user who has had nothing.
  package static var none: UserScopes { UserScopes(UnsafeBufferPointer(start: nil, count: 0)) }

  /// At most one record of a scope and key.
  package init(_ records: UnsafeBufferPointer<ScopeRecord>) {
    self.records = records
    filters = InlineArray(repeating: 0)
    for record in records {
      filters[Int(record.scope.rawValue)] |= UserScopes.bit(record.key)
    }
  }

  @inline(__always)
  private static func bit(_ key: UInt64) -> UInt64 {
    // The top six bits of Knuth's multiplicative hash (TAOCP 3, 6.4).
    1 << ((key &* 0x9E37_79B9_7F4A_7C15) >> 58)
  }

  /// Whether the user has had anything of this kind.
  @inline(__always)
  package func hasAny(_ scope: CapScope) -> Bool { filters[Int(scope.rawValue)] != 0 }

  /// Whether the rule allows no further exposure of `key` at `nowDeciseconds` of ledger time: it
  /// has at least `limit` that are at most the window old. Both times are cut to tenths, so an
  /// exposure counts up to a tenth longer than the window, never shorter; one from the future
  /// counts, too.
  @inline(__always)
  package func isExhausted(_ rule: CapRule, key: UInt64, nowDeciseconds: Int64) -> Bool {
    guard filters[Int(rule.scope.rawValue)] & UserScopes.bit(key) != 0 else { return false }
    return isExhaustedByRecord(rule, key, nowDeciseconds)
  }

  private func isExhaustedByRecord(_ rule: CapRule, _ key: UInt64, _ now: Int64) -> Bool {
    let oldest = now - Int64(rule.windowSeconds) * 10
    for record in records where record.key == key && record.scope == rule.scope {
      guard record.count >= Int(rule.limit) else { continue }
      var counted: UInt32 = 0
      for index in 0..<record.count where Int64(record.deciseconds[index]) >= oldest {
        counted += 1
      }
      if counted >= rule.limit { return true }
    }
    return false
  }
}
