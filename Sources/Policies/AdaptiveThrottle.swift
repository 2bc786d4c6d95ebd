package import Core

/// Refuses calls on the client once the server refuses many: adaptive throttling of the book "Site
/// Reliability Engineering", chapter 21. Of the last two minutes
///
///     p = max(0, (requests - K × accepts) / (requests + 1))
///
/// is the share of calls that do not leave the client. K = 2: a server that takes half is let be.
///
/// Pure and O(1); one for each server. A call counts when it has ended: one that is still under
/// way was not refused, and a burst of first calls is no reason to refuse the next.
package struct AdaptiveThrottle: Sendable {
  private struct Bucket {
    var requests = 0
    var accepts = 0
  }

  private static let bucketCount = 24

  private let multiplier: Double
  private let rejectionMax: Double
  private let bucketNanoseconds: UInt64
  private var buckets: [Bucket]
  /// The number of the bucket that time stands in, from the clock's zero.
  private var newest: UInt64 = 0
  private var sum = Bucket()

  /// `multiplier`: K, at least 1. `windowNanoseconds`: what is remembered, to a 24th.
  ///
  /// `rejectionMax`: the bound of p, in 0...1. At 1 it is the book's formula alone: after an outage
  /// of the whole window one call of a window goes out, and as each that is accepted lets K more
  /// through, a client of 1,000 calls a second needs ten minutes to notice that the server is back.
  package init(
    multiplier: Double = 2, windowNanoseconds: UInt64 = 120_000_000_000, rejectionMax: Double = 0.9
  ) {
    precondition(multiplier >= 1 && multiplier.isFinite && (0...1).contains(rejectionMax))
    precondition(windowNanoseconds >= UInt64(AdaptiveThrottle.bucketCount))
    self.multiplier = multiplier
    self.rejectionMax = rejectionMax
    bucketNanoseconds = windowNanoseconds / UInt64(AdaptiveThrottle.bucketCount)
    buckets = Array(repeating: Bucket(), count: AdaptiveThrottle.bucketCount)
  }

  /// Whether the server took the call, for its overload: RESOURCE_EXHAUSTED and UNAVAILABLE are
  /// refusals, every other end is an answer.
  package static func isAccepted(_ code: StatusCode) -> Bool {
    code != .resourceExhausted && code != .unavailable
  }

  /// Calls of the window: those that ended and those that were refused here.
  package var requests: Int { sum.requests }
  package var accepts: Int { sum.accepts }

  /// p of the window as it stood at the last event.
  package var rejectionShare: Double {
    let excess = Double(sum.requests) - multiplier * Double(sum.accepts)
    return min(max(0, excess / Double(sum.requests + 1)), rejectionMax)
  }

  /// Whether a call may go out. If not, it counts as a request: callers who ask on and on are
  /// refused on and on. Draws a number only when p is above 0.
  package mutating func admits(now: UInt64, _ random: inout SplitMix64) -> Bool {
    advance(to: now)
    let share = rejectionShare
    guard share > 0, random.unit() < share else { return true }
    count(accepts: 0)
    return false
  }

  /// A call that was admitted has ended. One that its caller cancelled is not recorded.
  package mutating func record(isAccepted: Bool, now: UInt64) {
    advance(to: now)
    count(accepts: isAccepted ? 1 : 0)
  }

  private mutating func count(accepts: Int) {
    let index = Int(newest % UInt64(buckets.count))
    buckets[index].requests += 1
    buckets[index].accepts += accepts
    sum.requests += 1
    sum.accepts += accepts
  }

  /// Forgets what has left the window. An instant of the past counts as the newest bucket's.
  private mutating func advance(to now: UInt64) {
    let number = now / bucketNanoseconds
    guard number > newest else { return }
    for step in 1...min(number - newest, UInt64(buckets.count)) {
      let index = Int((newest + step) % UInt64(buckets.count))
      sum.requests -= buckets[index].requests
      sum.accepts -= buckets[index].accepts
      buckets[index] = Bucket()
    }
    newest = number
  }
}
