package import Core

/// A document against what a server holds: its money, and the keys that are taken.
package struct CampaignStateCheck {
  /// nil before the first document was applied.
  package var policy: CampaignPolicy?
  /// Settled, leased and reserved of a campaign; nil if it is not known.
  package var committed: (_ id: String) -> Micros?
  /// The id that has a key; nil if it is free.
  package var holder: (_ key: UInt64) -> String?
  /// How many items a stored campaign promotes; nil if there is none of this id.
  package var itemCount: (_ id: String) -> Int?
  package var campaignsStored: Int
  package var itemsStored: Int
  /// SHA-256.
  package var digest: (_ bytes: [UInt8]) -> [UInt8]

  package init(
    policy: CampaignPolicy?, campaignsStored: Int, itemsStored: Int,
    committed: @escaping (_ id: String) -> Micros?,
    holder: @escaping (_ key: UInt64) -> String?,
    itemCount: @escaping (_ id: String) -> Int?,
    digest: @escaping (_ bytes: [UInt8]) -> [UInt8]
  ) {
    self.policy = policy
    self.campaignsStored = campaignsStored
    self.itemsStored = itemsStored
    self.committed = committed
    self.holder = holder
    self.itemCount = itemCount
    self.digest = digest
  }

  /// All that keeps the document from being applied; nil if nothing does.
  package func faults(_ document: CampaignDocument) -> FileFaults? {
    var log = FaultLog()
    currency(document, &log)
    var keys: [UInt64: String] = [:]
    var (campaigns, items) = (campaignsStored, itemsStored)
    for (index, campaign) in document.campaigns.enumerated() {
      let place = document.places[index]
      let key = CampaignKey.of(campaign.id, digest: digest)
      let taken = holder(key) ?? keys[key]
      keys[key] = campaign.id
      if let taken, taken != campaign.id {
        let reason = "its key, the start of its SHA-256, is that of \(quoted(taken)): rename it"
        log.add(
          FileFault(line: place.idLine, field: "campaigns[\(index)].id", reason: reason))
      }
      if let least = committed(campaign.id), campaign.budget < least {
        let reason =
          "\(campaign.budget) is below what is settled, leased and reserved already, \(least)"
        log.add(
          FileFault(
            line: place.budgetLine, field: "campaigns[\(index)].budget.amount", reason: reason))
      }
      let known = itemCount(campaign.id)
      (campaigns, items) = (
        campaigns + (known == nil ? 1 : 0), items + campaign.items.count - (known ?? 0)
      )
    }
    room(document, campaigns, items, &log)
    return log.faults
  }

  private func currency(_ document: CampaignDocument, _ log: inout FaultLog) {
    switch (document.policy.currency, policy?.currency) {
    case (nil, nil):
      let reason = "it is missing: the server has no currency yet"
      log.add(FileFault(line: 1, field: "currency", reason: reason))
    case (let new?, let old?) where new != old:
      let reason = "\(new) is not the server's currency, \(old), which holds for all its campaigns"
      log.add(FileFault(line: document.currencyLine ?? 1, field: "currency", reason: reason))
    default: break
    }
  }

  private func room(
    _ document: CampaignDocument, _ campaigns: Int, _ items: Int, _ log: inout FaultLog
  ) {
    let line = document.places.last?.line ?? 1
    if campaigns > Limits.campaigns {
      let reason =
        "with those it has, the server had \(campaigns) campaigns; \(Limits.campaigns) is the most"
      log.add(FileFault(line: line, field: "campaigns", reason: reason))
    }
    if items > Limits.campaignItems {
      let reason =
        "with those it has, the server promoted \(items) items; \(Limits.campaignItems) is the most"
      log.add(FileFault(line: line, field: "campaigns", reason: reason))
    }
  }
}

/// What stands for a campaign in answers (`campaign_keys`).
package enum CampaignKey {
  /// The first 8 bytes, little-endian, of the SHA-256 of `id`.
  package static func of(_ id: String, digest: (_ bytes: [UInt8]) -> [UInt8]) -> UInt64 {
    digest(Array(id.utf8)).prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
