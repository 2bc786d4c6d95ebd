internal import Core

/// How far the caps of a document look back when they begin to hold: exposures are counted by the
/// rules that hold when they happen, those of the campaign for `userCampaign`, those of all
/// campaigns for artists and releases.
struct CapLookBack {
  private struct Keeping {
    var before: CapKeeping
    var after: CapKeeping
  }

  /// Of the document's campaigns that are stored.
  private var own: [String: Keeping] = [:]
  /// Nil: nothing of the document counts there, or there are no campaigns before it.
  private var shared: Keeping?

  /// - Parameters:
  ///   - stored: a campaign as it was before.
  ///   - all: the campaigns before; asked for where caps of artists or releases are.
  init(
    _ document: CampaignDocument, stored: (_ id: String) -> Campaign?, all: () -> [Campaign]
  ) {
    var after = Set<CapRule>()
    for campaign in document.campaigns where !campaign.caps.isEmpty {
      after.formUnion(CapLookBack.shared(campaign))
      guard let before = stored(campaign.id) else { continue }
      own[campaign.id] = Keeping(
        before: CapLookBack.own(before), after: CapLookBack.own(campaign))
    }
    guard !after.isEmpty else { return }
    let campaigns = all()
    guard !campaigns.isEmpty else { return }
    let changed = Set(document.campaigns.map(\.id))
    var before = Set<CapRule>()
    for campaign in campaigns where !campaign.caps.isEmpty {
      let rules = CapLookBack.shared(campaign)
      before.formUnion(rules)
      if !changed.contains(campaign.id) { after.formUnion(rules) }
    }
    shared = Keeping(
      before: CapKeeping(rules: Array(before)), after: CapKeeping(rules: Array(after)))
  }

  private static func shared(_ campaign: Campaign) -> [CapRule] {
    campaign.caps.filter { $0.scope != .userCampaign }
  }

  private static func own(_ campaign: Campaign) -> CapKeeping {
    CapKeeping(rules: campaign.caps.filter { $0.scope == .userCampaign })
  }

  /// How old an exposure may be at most that this rule counts when it begins to hold, seconds; 0 =
  /// none before counts. Nil: its whole window, or there are no exposures that it could count.
  func seconds(_ rule: CapRule, of campaign: String) -> UInt32? {
    guard let keeping = rule.scope == .userCampaign ? own[campaign] : shared else { return nil }
    if rule.limit > Limits.capExactLimit {
      // Of each window there is a sum of its own.
      let window = keeping.after.counted(rule).windowSeconds
      return keeping.before.windows(of: rule.scope).contains(window) ? nil : 0
    }
    let kept = keeping.before.exactWindow(of: rule.scope)
    return kept < rule.windowSeconds ? kept : nil
  }
}
