internal import Campaigns
internal import Core
internal import Engine
internal import Signals

/// What the snapshot that is served knows.
extension CampaignDesk {
  /// The names that campaigns may speak of. A snapshot without a category knows all of them.
  var vocabulary: CampaignVocabulary {
    let (manifest, items) = (serving.snapshot.manifest, serving.snapshot.items)
    return CampaignVocabulary(
      markets: manifest.categories["market"].map { Set($0) },
      surfaces: manifest.categories["surface"].map { Set($0) },
      tiers: manifest.categories["tier"].map { Set($0) },
      hasArtists: CampaignDesk.numbers("artist", items) != nil,
      hasReleases: CampaignDesk.numbers("release", items) != nil)
  }

  var items: CampaignCatalog {
    let items = serving.snapshot.items
    return CampaignCatalog(
      rowCount: items.rowCount,
      row: { name in
        let row =
          UInt64(name).map { items.row(ofID: $0) }
          ?? Array(name.utf8).withUnsafeBytes { items.row(ofURI: $0) }
        return row < 0 ? nil : Int32(row)
      },
      artist: CampaignDesk.numbers("artist", items) ?? { _ in nil },
      release: CampaignDesk.numbers("release", items) ?? { _ in nil })
  }

  /// The values of an I64 column; nil: there is none.
  private static func numbers(_ name: String, _ items: SignalTable) -> ((Int32) -> Int64?)? {
    guard let column = items.column(named: name), column.type == .i64 else { return nil }
    // Exact: a table with integers beyond 2⁵³ is refused.
    return { row in Int64(column.values.value(Int(row))) }
  }

  // MARK: Of all campaigns

  var rules: [(campaign: UInt64, rules: [CapRule])] {
    ordered.filter { !$0.campaign.caps.isEmpty }.map { ($0.key, $0.campaign.caps) }
  }

  var costs: [UInt64: Micros] {
    var costs: [UInt64: Micros] = [:]
    costs.reserveCapacity(ordered.count)
    for definition in ordered { costs[definition.key] = definition.campaign.cost }
    return costs
  }
}
