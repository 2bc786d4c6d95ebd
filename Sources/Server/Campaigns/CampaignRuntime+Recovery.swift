internal import Allocation
internal import Campaigns
internal import Core
internal import Ledger

/// From what is stored to what is served.
extension CampaignRuntime {
  /// Caps, reservations and budgets as they were.
  static func recover(_ parts: Parts, _ desk: CampaignDesk, _ shards: [UserShard])
    throws(CampaignStartError) -> RecoveredLedger
  {
    for shard in shards { shard.keep(desk.caps) }
    let count = UInt64(shards.count)
    let shardOf: @Sendable (UInt64) -> Int = { Int(splitmix64($0) % count) }
    let recovered: RecoveredLedger
    do throws(RecoveryError) {
      recovered = try Recovery.recover(
        parts.storage,
        RecoverySetup(
          shards: shards.count, shardOf: shardOf, reading: parts.reading, seed: parts.seed)
      ) { event in
        shards[shardOf(event.placement.user)].restore(event)
      }
    } catch {
      throw CampaignStartError("\(error)")
    }
    for (index, shard) in shards.enumerated() {
      shard.resume(recovered.shards[index], recovered.requests[index])
    }
    return recovered
  }

  /// Notes and campaigns come first of all that is stored.
  static func campaigns(_ storage: any Storage) throws(CampaignStartError)
    -> [StoredCampaign]
  {
    var campaigns: [StoredCampaign] = []
    do throws(StorageError) {
      try storage.recover { record, _ in
        switch record {
        case .note: return true
        case .campaign(let campaign):
          campaigns.append(campaign)
          return true
        case .allocation, .entry: return false
        }
      }
    } catch {
      throw CampaignStartError("\(error)")
    }
    return campaigns
  }

  /// What was settled when, for the picture of a campaign's spend.
  static func restoreSpend(
    _ storage: any Storage, _ desk: CampaignDesk, _ pace: PaceKeeper
  ) throws(CampaignStartError) {
    var flights: [UInt64: Range<Int64>] = [:]
    for definition in desk.definitions.values {
      flights[definition.key] = definition.campaign.flight
    }
    do throws(StorageError) {
      try storage.recover { record, _ in
        guard case .entry(let entry) = record, let flight = flights[entry.campaign],
          entry.kind == .settle || entry.kind == .settleLate
        else { return true }
        pace.restore(entry.campaign, entry.amount, at: entry.at, in: flight)
        return true
      }
    } catch {
      throw CampaignStartError("\(error)")
    }
  }
}
