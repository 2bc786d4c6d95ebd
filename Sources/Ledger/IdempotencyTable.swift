internal import Core

/// Which requests have been answered, or are about to be.
package struct IdempotencyTable: Sendable {
  package enum Outcome: Sendable, Equatable {
    /// It is noted now as pending: `complete` or `abandon` follows.
    case new
    /// The same request is on its way to the storage; its answer will do for both.
    case pending
    /// The storage has its answer.
    case durable
    /// The id was used for another request.
    case conflict
    /// As many requests are kept as may be.
    case full
  }

  private struct Entry: Sendable {
    var user: UInt64
    var requestID: RequestID
    var digest: RequestID
    var isDurable: Bool

    func isOf(_ user: UInt64, _ requestID: RequestID) -> Bool {
      self.user == user && self.requestID == requestID
    }
  }

  private let seed: UInt64
  private let bound: Int
  private var entries = ExpiringTable<Entry>()

  /// - Parameter seed: random, so that no client can choose ids that collide.
  package init(seed: UInt64, bound: Int = Limits.idempotentRequests) {
    self.seed = seed
    self.bound = bound
  }

  package var count: Int { entries.count }

  /// - Parameters:
  ///   - digest: of the whole request.
  ///   - expires: ledger time until which the answer is kept, if it is new.
  package mutating func begin(
    user: UInt64, requestID: RequestID, digest: RequestID, at now: Int64, expires: Int64
  ) -> Outcome {
    expire(upTo: now, limit: 64)
    let key = hash(user, requestID)
    if let entry = entries[key] {
      // Another request of the same hash, one in 2⁶⁴: it has no place.
      guard entry.isOf(user, requestID) else { return .full }
      if !isOver(key, at: now) {
        guard entry.digest == digest else { return .conflict }
        return entry.isDurable ? .durable : .pending
      }
      entries.remove(key)
    }
    guard entries.count < bound else { return .full }
    let entry = Entry(user: user, requestID: requestID, digest: digest, isDurable: false)
    entries.insert(key, entry, expires: expires)
    return .new
  }

  /// The answer of a pending request is durable.
  package mutating func complete(user: UInt64, requestID: RequestID) {
    entries.update(hash(user, requestID)) { entry in
      if entry.isOf(user, requestID) { entry.isDurable = true }
    }
  }

  /// A pending request came to nothing: it may be tried again.
  package mutating func abandon(user: UInt64, requestID: RequestID) {
    let key = hash(user, requestID)
    if let entry = entries[key], entry.isOf(user, requestID), !entry.isDurable {
      entries.remove(key)
    }
  }

  /// What the storage has, whatever the bound; false = another request has the same hash.
  package mutating func restore(_ allocation: StoredAllocation, expires: Int64) -> Bool {
    let key = hash(allocation.user, allocation.requestID)
    guard entries[key] == nil else { return false }
    let entry = Entry(
      user: allocation.user, requestID: allocation.requestID, digest: allocation.digest,
      isDurable: true)
    entries.insert(key, entry, expires: expires)
    return true
  }

  /// Forgets at most `limit` whose time is over. What is pending stays.
  package mutating func expire(upTo now: Int64, limit: Int) {
    var count = 0
    while count < limit, let first = entries.first, first.expires <= now, first.record.isDurable {
      entries.remove(first.id)
      count += 1
    }
  }

  private func isOver(_ key: UInt64, at now: Int64) -> Bool {
    guard let entry = entries[key], entry.isDurable else { return false }
    return (entries.expiry(of: key) ?? .max) <= now
  }

  private func hash(_ user: UInt64, _ requestID: RequestID) -> UInt64 {
    splitmix64(splitmix64(splitmix64(seed ^ user) ^ requestID.high) ^ requestID.low)
  }
}
