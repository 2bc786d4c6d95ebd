internal import Core

/// A rule that an exposure must keep, and whose: the campaign's key, the artist's or the release's
/// id as its bit pattern.
package struct CapRequirement: Sendable, Equatable, BitwiseCopyable {
  package var rule: CapRule
  package var key: UInt64

  package init(rule: CapRule, key: UInt64) {
    self.rule = rule
    self.key = key
  }
}

/// One place where an exposure is counted: exactly, by its newest timestamps, or by the estimate
/// of one window.
package struct CapUse: Sendable, Equatable, BitwiseCopyable {
  package let scope: CapScope
  package let key: UInt64
  /// Timestamps kept, 1 to `Limits.capExactLimit`; 0 = an estimate.
  package let keep: UInt8
  /// At least 1. Of an estimate its window; else the longest of the live rules that count here
  /// exactly, after which a timestamp is dropped.
  package let windowSeconds: UInt32

  /// `keep`: the largest limit ≤ `Limits.capExactLimit` of the live rules that count here, and
  /// `windowSeconds` the longest window of these rules.
  package static func exact(_ scope: CapScope, key: UInt64, keep: Int, windowSeconds: UInt32)
    -> CapUse
  {
    precondition((1...Limits.capExactLimit).contains(keep) && windowSeconds >= 1)
    return CapUse(scope: scope, key: key, keep: UInt8(keep), windowSeconds: windowSeconds)
  }

  /// For the live rules of this scope and window whose limit is over `Limits.capExactLimit`.
  package static func estimate(_ scope: CapScope, key: UInt64, windowSeconds: UInt32) -> CapUse {
    precondition(windowSeconds >= 1)
    return CapUse(scope: scope, key: key, keep: 0, windowSeconds: windowSeconds)
  }

  var isEstimate: Bool { keep == 0 }
}

/// Ledger time in tenths of a second from a base, as caps keep it: 4 bytes for 13.6 years.
///
/// Both ends of a distance are rounded down, so that a distance of at most w whole seconds never
/// shows as more than w: an exposure counts at least as long as its window lasts.
package struct CapClock: Sendable, Equatable, BitwiseCopyable {
  /// Ledger milliseconds. At or before the oldest exposure that is put in; what is older counts as
  /// if it were of this moment.
  package let base: Int64

  package init(base: Int64) {
    self.base = base
  }

  /// A server's: from 2026 to 2039.
  package static let server = CapClock(base: 1_767_225_600_000)

  package func deciseconds(at milliseconds: Int64) -> UInt32 {
    let (distance, isOver) = milliseconds.subtractingReportingOverflow(base)
    if isOver { return milliseconds < base ? 0 : .max }
    return UInt32(clamping: max(distance, 0) / 100)
  }
}

/// What live rules ask to be kept of an exposure, by kind of scope.
package struct CapKeeping: Sendable, Equatable {
  private var keeps: [Int]
  private var exactWindows: [UInt32]
  private var windows: [[UInt32]]
  /// Of all rules; 0 = there is none.
  package private(set) var longestWindowSeconds: UInt32

  /// The rules that count alike: of one campaign for `userCampaign`, of all campaigns for artists
  /// and releases.
  package init(rules: [CapRule]) {
    keeps = Array(repeating: 0, count: CapScope.allCases.count)
    exactWindows = Array(repeating: 0, count: CapScope.allCases.count)
    var distinct = Array(repeating: Set<UInt32>(), count: CapScope.allCases.count)
    longestWindowSeconds = 0
    for rule in rules {
      let kind = Int(rule.scope.rawValue)
      longestWindowSeconds = max(longestWindowSeconds, rule.windowSeconds)
      if rule.limit <= Limits.capExactLimit {
        keeps[kind] = max(keeps[kind], Int(rule.limit))
        exactWindows[kind] = max(exactWindows[kind], rule.windowSeconds)
      } else {
        distinct[kind].insert(rule.windowSeconds)
      }
    }
    windows = distinct.map { CapKeeping.merged($0.sorted()) }
  }

  /// Timestamps; 0 = no rule of a small limit.
  package func keep(of scope: CapScope) -> Int { keeps[Int(scope.rawValue)] }

  /// How long timestamps are kept, seconds; 0 = no rule of a small limit.
  package func exactWindow(of scope: CapScope) -> UInt32 { exactWindows[Int(scope.rawValue)] }

  /// Of estimates, ascending, at most `Limits.capWindows`.
  package func windows(of scope: CapScope) -> [UInt32] { windows[Int(scope.rawValue)] }

  /// The rule as it is counted: with the window of its estimate. Of those that this was made of.
  package func counted(_ rule: CapRule) -> CapRule {
    var counted = rule
    if rule.limit > Limits.capExactLimit {
      let kept = windows(of: rule.scope).first { $0 >= rule.windowSeconds }
      counted.windowSeconds = kept ?? rule.windowSeconds
    }
    return counted
  }

  /// Adds where an exposure with this key is counted.
  package func append(_ scope: CapScope, key: UInt64, to uses: inout [CapUse]) {
    let kind = Int(scope.rawValue)
    if keeps[kind] > 0 {
      uses.append(
        .exact(scope, key: key, keep: keeps[kind], windowSeconds: exactWindows[kind]))
    }
    for window in windows[kind] {
      uses.append(.estimate(scope, key: key, windowSeconds: window))
    }
  }

  /// Of more windows than are kept, the two nearest by ratio become the longer of both: a rule
  /// that is counted over a longer window is kept too strictly, never too loosely.
  private static func merged(_ ascending: [UInt32]) -> [UInt32] {
    var windows = ascending
    while windows.count > Limits.capWindows {
      var nearest = 0
      for index in 1..<windows.count - 1 {
        let ratio = Double(windows[index + 1]) / Double(windows[index])
        if ratio < Double(windows[nearest + 1]) / Double(windows[nearest]) { nearest = index }
      }
      windows.remove(at: nearest)
    }
    return windows
  }
}
