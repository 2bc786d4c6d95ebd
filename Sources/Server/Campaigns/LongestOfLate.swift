internal import Core

/// The largest of what was recorded within the last `longestCommitMilliseconds`, or within twice as
/// long: whoever looks once a minute sees it.
struct LongestOfLate {
  private var current: UInt64 = 0
  private var previous: UInt64 = 0
  private var turned: Int64 = .min

  mutating func record(_ value: UInt64, at now: Int64) {
    turn(now)
    current = max(current, value)
  }

  mutating func value(at now: Int64) -> UInt64 {
    turn(now)
    return max(current, previous)
  }

  private mutating func turn(_ now: Int64) {
    let part = now / Limits.longestCommitMilliseconds
    guard part != turned else { return }
    previous = part == turned &+ 1 ? current : 0
    current = 0
    turned = part
  }
}
