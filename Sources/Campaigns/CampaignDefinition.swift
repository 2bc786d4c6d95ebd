/// A campaign as it is served: what its file says, and what is decided beside it. It never changes
/// and is shared, for at a hundred thousand campaigns copies are most of what a change costs.
package final class CampaignDefinition: Sendable {
  package let campaign: Campaign
  package let key: UInt64
  package let isPaused: Bool

  package init(campaign: Campaign, key: UInt64, isPaused: Bool) {
    (self.campaign, self.key, self.isPaused) = (campaign, key, isPaused)
  }

  package func paused(_ isPaused: Bool) -> CampaignDefinition {
    CampaignDefinition(campaign: campaign, key: key, isPaused: isPaused)
  }
}

extension [CampaignDefinition] {
  /// Both in the order of their ids, each id once: those of `changed` instead of those of the same
  /// id here. No more work than going over them once, where nothing changes.
  package func replacing(with changed: [CampaignDefinition]) -> [CampaignDefinition] {
    let changed = changed.sorted { $0.campaign.id < $1.campaign.id }
    var all: [CampaignDefinition] = []
    all.reserveCapacity(count + changed.count)
    var next = 0
    for one in self {
      while next < changed.count, changed[next].campaign.id < one.campaign.id {
        all.append(changed[next])
        next += 1
      }
      guard next < changed.count, changed[next].key == one.key else {
        all.append(one)
        continue
      }
      all.append(changed[next])
      next += 1
    }
    return all + changed[next...]
  }
}
