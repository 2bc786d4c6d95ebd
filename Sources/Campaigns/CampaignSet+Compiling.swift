internal import Core

extension CampaignSet {
  typealias Entry = (campaign: Campaign, key: UInt64, isPaused: Bool)

  /// The index of every key; ids and keys are there once.
  static func keys(_ sorted: [Entry]) throws(CampaignSetError) -> [UInt64: Int32] {
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

  static func records(
    _ sorted: [Entry], segments: SegmentLists
  ) -> ([CampaignRecord], [CapRule]) {
    var caps: [CapRule] = []
    var records: [CampaignRecord] = []
    records.reserveCapacity(sorted.count)
    for (index, (campaign, key, isPaused)) in sorted.enumerated() {
      var flags: UInt32 = 0
      if campaign.segments != nil { flags |= UInt32(CheckBits.segments) }
      if !campaign.caps.isEmpty || campaign.exploration == .thompson {
        flags |= UInt32(CheckBits.special)
      }
      if campaign.exploration == .thompson { flags |= CheckBits.drawn }
      let scopes = campaign.caps.reduce(UInt32(0)) { $0 | 1 << UInt32($1.scope.rawValue) }
      records.append(
        CampaignRecord(
          flightStart: isPaused ? .max : campaign.flight.lowerBound,
          flightEnd: isPaused ? .min : campaign.flight.upperBound,
          worth: Double(campaign.worth.value), cost: Double(campaign.cost.value), key: key,
          capStart: UInt32(caps.count), capCount: UInt32(campaign.caps.count),
          segmentStart: segments.starts[index],
          segmentCount: segments.starts[index + 1] - segments.starts[index], flags: flags,
          scopes: scopes))
      caps += campaign.caps
    }
    return (records, caps)
  }
}

/// The segments of all campaigns as numbers.
struct SegmentLists {
  private(set) var names: [String] = []
  /// Of campaign i: `members[starts[i] ..< starts[i + 1]]`, rising, each once.
  private(set) var members: [Int32] = []
  private(set) var starts: [UInt32] = [0]

  init(_ lists: [[String]?]) {
    var numbers: [String: Int32] = [:]
    for list in lists {
      var own: [Int32] = []
      for name in list ?? [] {
        if let number = numbers[name] {
          own.append(number)
        } else {
          own.append(Int32(names.count))
          numbers[name] = Int32(names.count)
          names.append(name)
        }
      }
      own.sort()
      for (place, number) in own.enumerated() where place == 0 || own[place - 1] != number {
        members.append(number)
      }
      starts.append(UInt32(members.count))
    }
  }
}

/// Which campaigns promote which row.
struct Promotions {
  private(set) var rowStarts: [UInt32]
  private(set) var rowCampaigns: [Int32]
  /// Beside the first of a row's campaigns; nil where no campaign has such a cap.
  private(set) var artists: [Int64]?
  private(set) var releases: [Int64]?
  private(set) var itemsKnown: [Int32]

  init(_ campaigns: [Campaign], catalog: CampaignCatalog) throws(CampaignSetError) {
    let total = campaigns.reduce(0) { $0 + $1.items.count }
    guard total <= Limits.promotions else { throw .tooManyItems(total) }
    // Rows of all campaigns one after another, each row of a campaign once.
    var rows: [Int32] = []
    rows.reserveCapacity(total)
    itemsKnown = []
    itemsKnown.reserveCapacity(campaigns.count)
    rowStarts = [UInt32](repeating: 0, count: catalog.rowCount + 1)
    var lastOfRow = [Int32](repeating: -1, count: catalog.rowCount)
    for (index, campaign) in campaigns.enumerated() {
      let before = rows.count
      for item in campaign.items {
        guard let row = catalog.row(item), row >= 0, Int(row) < catalog.rowCount,
          lastOfRow[Int(row)] != Int32(index)
        else { continue }
        lastOfRow[Int(row)] = Int32(index)
        rows.append(row)
        rowStarts[Int(row) + 1] += 1
        if rowStarts[Int(row) + 1] > UInt32(Limits.campaignsPerItem) {
          throw .tooManyCampaignsOfItem(row: row, campaign: campaign.id)
        }
      }
      itemsKnown.append(Int32(rows.count - before))
    }
    for row in 0..<catalog.rowCount { rowStarts[row + 1] += rowStarts[row] }
    rowCampaigns = [Int32](repeating: 0, count: rows.count)
    // Campaigns come in rising order, so each row's list rises, too.
    var next = rowStarts
    var place = 0
    for (index, known) in itemsKnown.enumerated() {
      for row in rows[place..<place + Int(known)] {
        rowCampaigns[Int(next[Int(row)])] = Int32(index)
        next[Int(row)] += 1
      }
      place += Int(known)
    }
    artists = column(.userArtist, campaigns, catalog.rowCount, catalog.artist)
    releases = column(.userRelease, campaigns, catalog.rowCount, catalog.release)
  }

  private func column(
    _ scope: CapScope, _ campaigns: [Campaign], _ rowCount: Int, _ number: (Int32) -> Int64?
  ) -> [Int64]? {
    guard campaigns.contains(where: { $0.caps.contains { $0.scope == scope } }) else { return nil }
    var column = [Int64](repeating: CampaignTables.missing, count: rowCampaigns.count)
    for row in 0..<rowCount where rowStarts[row] < rowStarts[row + 1] {
      column[Int(rowStarts[row])] = number(Int32(row)) ?? CampaignTables.missing
    }
    return column
  }
}
