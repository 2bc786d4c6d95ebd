internal import Campaigns
internal import Core

/// What users have had, and whether an answer was one too many. Only exact limits are judged.
///
/// A rule counts what was placed by campaigns that knew of it: what was there before is not known.
struct CapOracle {
  private struct Rule {
    var rule: CapRule
    /// The campaigns' version from which it holds.
    var since: Int
  }

  private struct Trace {
    /// 0: an exposure after its release.
    var reservation: UInt64
    var campaign: UInt64
    var artist: Int64
    var release: Int64
    var at: Int64
    var version: Int
  }

  private var rules: [UInt64: [Rule]] = [:]
  private var traces: [UInt64: [Trace]] = [:]
  private var longest: Int64 = 0
  private(set) var checked = 0

  mutating func define(_ campaign: UInt64, _ caps: [CapRule], version: Int) {
    guard rules[campaign] == nil else { return }
    rules[campaign] = caps.filter { $0.limit <= Limits.capExactLimit }.map {
      Rule(rule: $0, since: version)
    }
    for cap in caps { longest = max(longest, Int64(cap.windowSeconds) * 1_000) }
  }

  /// Counts a placement; what it breaks, in words.
  mutating func place(_ placed: AnsweredRequest.Placed, of answer: AnsweredRequest) -> String? {
    let own = Trace(
      reservation: placed.reservation, campaign: placed.campaign, artist: placed.artist,
      release: placed.release, at: answer.at, version: answer.version)
    let user = answer.name.user
    var all = traces[user] ?? []
    if let first = all.first, first.at < own.at - longest {
      all.removeAll { $0.at < own.at - longest }
    }
    all.append(own)
    traces[user] = all
    for rule in rules[placed.campaign] ?? [] {
      checked += 1
      let count = all.count { counts($0, own, rule) }
      if count > Int(rule.rule.limit) {
        return "user \(user) had \(count) within \(rule.rule), with reservation "
          + "\(placed.reservation) of campaign \(placed.campaign)"
      }
    }
    return nil
  }

  private func counts(_ trace: Trace, _ own: Trace, _ rule: Rule) -> Bool {
    guard trace.at >= own.at - Int64(rule.rule.windowSeconds) * 1_000 else { return false }
    switch rule.rule.scope {
    case .userCampaign: return trace.campaign == own.campaign
    case .userArtist:
      return own.artist != .min && trace.artist == own.artist && trace.version >= rule.since
    case .userRelease:
      return own.release != .min && trace.release == own.release && trace.version >= rule.since
    }
  }

  /// It was not shown, and counts no more.
  mutating func release(_ reservation: UInt64, of user: UInt64) {
    traces[user]?.removeAll { $0.reservation == reservation }
  }

  /// It was shown after all. A token says neither artist nor release.
  mutating func late(_ placement: Oracle.Placement, at: Int64) {
    traces[placement.user, default: []].append(
      Trace(
        reservation: 0, campaign: placement.campaign, artist: .min, release: .min, at: at,
        version: 0))
  }
}
