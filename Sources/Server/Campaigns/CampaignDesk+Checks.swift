internal import Allocation
internal import Campaigns
internal import Core
internal import Crypto
internal import Ledger
internal import Wire

/// What the money that is out says to a document. On the desk's thread.
extension CampaignDesk {
  func key(of id: String) -> UInt64 {
    CampaignKey.of(id) { bytes in bytes.withUnsafeBytes { SHA256.digest(of: $0) } }
  }

  func stateFaults(_ document: CampaignDocument) throws(CallFailure) -> FileFaults? {
    let keys = document.campaigns.map { ($0.id, key(of: $0.id)) }
    let totals = try ask { store throws(StoreFailure) in
      keys.map { ($0.0, store.totals(of: $0.1)?.committed) }
    }
    var committed: [String: Micros] = [:]
    for (id, amount) in totals { committed[id] = amount }
    let known = committed
    let check = CampaignStateCheck(
      policy: policy, campaignsStored: definitions.count, itemsStored: itemCount,
      committed: { known[$0] }, holder: { [self] in idOfKey[$0] },
      itemCount: { [self] in definitions[$0]?.campaign.items.count },
      digest: { bytes in bytes.withUnsafeBytes { SHA256.digest(of: $0) } })
    return check.faults(document)
  }

  /// More was spent between the check and the commit.
  func refusals(_ document: CampaignDocument, _ refused: [UInt64: Micros]) -> FileFaults {
    var faults: [FileFault] = []
    for (index, campaign) in document.campaigns.enumerated() {
      guard let least = refused[key(of: campaign.id)] else { continue }
      faults.append(
        FileFault(
          line: document.places[index].budgetLine, field: "campaigns[\(index)].budget.amount",
          reason: "\(campaign.budget) is below what is settled, leased and reserved, \(least)"))
    }
    return FileFaults(kept: Array(faults.prefix(Limits.campaignFaults)), leftOut: 0)
  }
}
