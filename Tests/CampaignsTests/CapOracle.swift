import Campaigns
import Core

/// Caps counted plainly: every timestamp of every scope in a list of its own.
struct CapOracle {
  private(set) var times: [[Int]]
  let base: Int64

  init(users: Int, base: Int64) {
    times = Array(repeating: [], count: users * CapPlacement.places)
    self.base = base
  }

  func deciseconds(_ now: Int64) -> Int { Int((now - base) / 100) }

  func allows(_ placement: CapPlacement, now: Int64) -> Bool {
    guard placement.isRuled else { return true }
    let instant = deciseconds(now)
    for (scope, place) in placement.places.enumerated() {
      for rule in CapPlacement.rulesByScope[scope] where !allows(rule, times[place], instant) {
        return false
      }
    }
    return true
  }

  private func allows(_ rule: CapRule, _ list: [Int], _ instant: Int) -> Bool {
    let window = Int(rule.windowSeconds) * 10
    var counted = 0
    if rule.limit <= 8 {
      for time in list where instant - time <= window { counted += 1 }
      return counted < Int(rule.limit)
    }
    let bucket = instant / window
    var previous = 0
    for time in list {
      if time / window == bucket { counted += 1 }
      if time / window == bucket - 1 { previous += 1 }
    }
    let overlapping = (previous * (window - instant % window) + window - 1) / window
    return overlapping + counted < Int(rule.limit)
  }

  mutating func reserve(_ placement: CapPlacement, now: Int64) {
    let instant = deciseconds(now)
    for place in placement.places {
      // What neither a window nor an estimate's bucket before can count any more.
      let oldest = instant - 2 * Int(CapPlacement.longest) * 10
      if let first = times[place].first, first < oldest {
        times[place].removeAll { $0 < oldest }
      }
      times[place].append(instant)
    }
  }

  mutating func release(_ placement: CapPlacement, reservedAt: Int64) {
    for place in placement.places {
      if let index = times[place].firstIndex(of: deciseconds(reservedAt)) {
        times[place].remove(at: index)
      }
    }
  }
}

/// A campaign's placement as the tests make it: which rules it must keep, and where it counts.
struct CapPlacement {
  var user: UInt64
  /// It keeps the rules of every scope that it counts in, as if all campaigns had them.
  var isRuled: Bool
  var requirements: [CapRequirement] = []
  var uses: [CapUse] = []
  /// Of the oracle, by scope.
  var places: [Int] = []

  static let rules: [CapRule] = [
    CapRule(scope: .userCampaign, limit: 3, windowSeconds: 900),
    CapRule(scope: .userCampaign, limit: 8, windowSeconds: 7_200),
    CapRule(scope: .userArtist, limit: 5, windowSeconds: 600),
    CapRule(scope: .userArtist, limit: 12, windowSeconds: 3_600),
    CapRule(scope: .userArtist, limit: 20, windowSeconds: 14_400),
    CapRule(scope: .userRelease, limit: 1, windowSeconds: 60),
  ]
  static let rulesByScope = CapScope.allCases.map { scope in rules.filter { $0.scope == scope } }
  static let keeping = CapKeeping(rules: rules)
  static let longest: UInt32 = 14_400
  static let keys = 4
  static var places: Int { CapScope.allCases.count * keys }

  init(user: Int, isRuled: Bool, using random: inout SplitMix64) {
    self.user = UInt64(user)
    self.isRuled = isRuled
    for (index, scope) in CapScope.allCases.enumerated() {
      let key = Int(random.next() % UInt64(CapPlacement.keys))
      places.append((user * CapScope.allCases.count + index) * CapPlacement.keys + key)
      // Around 0, as bit patterns of signed ids are.
      let pattern = UInt64(bitPattern: Int64(key - 2))
      CapPlacement.keeping.append(scope, key: pattern, to: &uses)
      guard isRuled else { continue }
      for rule in CapPlacement.rulesByScope[index] {
        requirements.append(CapRequirement(rule: rule, key: pattern))
      }
    }
  }
}

/// A table that `#expect` can take: it copies what it looks at.
final class CapBox {
  private var table: CapTable

  init(base: Int64 = 0, longest: UInt32, seed: UInt64 = 7, pageBits: Int = 12) {
    table = CapTable(
      clock: CapClock(base: base), longestWindowSeconds: longest, seed: seed, pageBits: pageBits)
  }

  var users: Int { table.users }
  var bytes: Int { table.bytes }
  var clock: CapClock { table.clock }

  func check(user: UInt64, _ requirement: CapRequirement, now: Int64) -> Bool {
    table.check(user: user, requirement, now: now)
  }

  func reserve(user: UInt64, _ uses: [CapUse], now: Int64) -> Bool {
    table.reserve(user: user, uses, now: now)
  }

  func checkAndReserve(
    user: UInt64, _ requirements: [CapRequirement], _ uses: [CapUse], now: Int64
  ) -> Bool {
    table.checkAndReserve(user: user, requirements, uses, now: now)
  }

  func release(user: UInt64, _ uses: [CapUse], reservedAt: Int64) {
    table.release(user: user, uses, reservedAt: reservedAt)
  }

  func copy(of user: UInt64) -> [UInt32] {
    let words = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: CapRecord.wordsMost)
    defer { words.deallocate() }
    return Array(words[..<table.copyScopes(of: user, into: words)])
  }

  func expire(now: Int64, budget: Int) -> Int { table.expire(now: now, budget: budget) }
}
