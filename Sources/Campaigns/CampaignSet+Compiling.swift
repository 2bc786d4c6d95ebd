internal import Core

extension CampaignSet {
  /// By id; those that are so already, as a server keeps them, need no sorting.
  static func sorted(_ definitions: [CampaignDefinition]) -> [CampaignDefinition] {
    let isSorted = definitions.indices.dropFirst().allSatisfy {
      definitions[$0 - 1].campaign.id < definitions[$0].campaign.id
    }
    return isSorted ? definitions : definitions.sorted { $0.campaign.id < $1.campaign.id }
  }

  /// The index of every key; ids and keys are there once.
  static func keys(_ sorted: [CampaignDefinition]) throws(CampaignSetError) -> [UInt64: Int32] {
    var indexes: [UInt64: Int32] = [:]
    indexes.reserveCapacity(sorted.count)
    for (index, entry) in sorted.enumerated() {
      if index > 0, sorted[index - 1].campaign.id == entry.campaign.id {
        throw .idTwice(entry.campaign.id)
      }
      let before = indexes.updateValue(Int32(index), forKey: entry.key)
      if before != nil { throw .keyTwice(entry.campaign.id) }
    }
    return indexes
  }

  /// A bit for each campaign with this flag; nil: none has it.
  static func bits(_ records: [CampaignRecord], _ flag: UInt16) -> [UInt64]? {
    var words = [UInt64](repeating: 0, count: OpenBits.words(campaigns: records.count))
    var has = false
    for (index, record) in records.enumerated() where record.flags & flag != 0 {
      words[index >> 6] |= 1 << UInt64(index & 63)
      has = true
    }
    return has ? words : nil
  }

  static func leastLimits(_ caps: [CapRule]) -> InlineArray<3, UInt32> {
    var limits = InlineArray<3, UInt32>(repeating: .max)
    for rule in caps {
      let scope = Int(rule.scope.rawValue)
      limits[scope] = min(limits[scope], rule.limit)
    }
    return limits
  }

  static func records(_ sorted: [CampaignDefinition]) -> ([CampaignRecord], [CapRule]) {
    var caps: [CapRule] = []
    var records: [CampaignRecord] = []
    records.reserveCapacity(sorted.count)
    for definition in sorted {
      let campaign = definition.campaign
      var flags: UInt16 = definition.isPaused ? CheckBits.paused : 0
      if !campaign.caps.isEmpty { flags |= CheckBits.caps }
      if campaign.exploration == .thompson { flags |= CheckBits.drawn }
      for rule in campaign.caps {
        switch rule.scope {
        case .userCampaign: flags |= CheckBits.byCampaign
        case .userArtist: flags |= CheckBits.byArtist
        case .userRelease: flags |= CheckBits.byRelease
        }
      }
      records.append(
        CampaignRecord(
          flightStart: Instants.clamped(campaign.flight.lowerBound),
          flightEnd: Instants.clamped(campaign.flight.upperBound),
          worth: Double(campaign.worth.value), cost: Double(campaign.cost.value),
          key: definition.key, capStart: UInt32(caps.count), capCount: UInt32(campaign.caps.count),
          flags: flags))
      caps += campaign.caps
    }
    return (records, caps)
  }
}
