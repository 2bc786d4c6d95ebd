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
  let records: UnsafeBufferPointer<ScopeRecord>
  /// As the user's shard keeps it, and when it is judged, by its clock.
  private(set) var caps: (record: CapRecord, now: UInt32)?

  /// Of a user who has had nothing.
  package static var none: UserScopes { UserScopes(UnsafeBufferPointer(start: nil, count: 0)) }

  package init(_ records: UnsafeBufferPointer<ScopeRecord>) {
    self.records = records
  }

  /// - Parameter now: when caps are judged, by the clock of the record's table.
  package init(_ record: CapRecord, now: UInt32) {
    self.init(UnsafeBufferPointer(start: nil, count: 0))
    caps = (record, now)
  }

  /// Calls `body` with the scope and key of all that the user has had so often that a cap may
  /// allow no more: `leastLimits` are the smallest limits, by scope.
  @inline(__always)
  func forEach(atLeast leastLimits: InlineArray<3, UInt32>, _ body: (CapScope, UInt64) -> Void) {
    for record in records where record.count >= leastLimits[Int(record.scope.rawValue)] {
      body(record.scope, record.key)
    }
    caps?.record.forEach { entry in
      let scope = entry.scope
      if entry.isEstimate || entry.isForgotten || entry.count >= leastLimits[Int(scope.rawValue)] {
        body(scope, entry.key)
      }
      return true
    }
  }

  /// Whether the rule allows no further exposure of `key` at `nowDeciseconds` of ledger time: it
  /// has at least `limit` that are at most the window old. Both times are cut to tenths, so an
  /// exposure counts up to a tenth longer than the window, never shorter; one from the future
  /// counts, too.
  package func isExhausted(_ rule: CapRule, key: UInt64, nowDeciseconds: Int64) -> Bool {
    if let caps {
      return !caps.record.allows(CapRequirement(rule: rule, key: key), at: caps.now)
    }
    let oldest = nowDeciseconds - Int64(rule.windowSeconds) * 10
    var counted = 0
    for record in records where record.key == key && record.scope == rule.scope {
      for index in 0..<record.count where Int64(record.deciseconds[index]) >= oldest {
        counted += 1
      }
    }
    return counted >= Int(rule.limit)
  }
}
