/// The caps of all campaigns, as a user's shard counts by them: made once for all shards.
package final class CapRules: Sendable {
  /// Of artists and releases: all campaigns' rules.
  package let shared: CapKeeping
  /// Of each campaign that caps its own exposures, by key.
  package let own: [UInt64: CapKeeping]
  /// How far any of them looks back, seconds.
  package let longestWindowSeconds: UInt32

  package static let none = CapRules([])

  /// By campaign key; who has no rules may be left out.
  package init(_ rules: [(campaign: UInt64, rules: [CapRule])]) {
    shared = CapKeeping(rules: rules.flatMap { $0.rules.filter { $0.scope != .userCampaign } })
    var own: [UInt64: CapKeeping] = [:]
    var longest = shared.longestWindowSeconds
    for (campaign, rules) in rules {
      let keeping = CapKeeping(rules: rules.filter { $0.scope == .userCampaign })
      guard keeping.longestWindowSeconds > 0 else { continue }
      own[campaign] = keeping
      longest = max(longest, keeping.longestWindowSeconds)
    }
    self.own = own
    longestWindowSeconds = longest
  }
}
