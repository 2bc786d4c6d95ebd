internal import CKernels
internal import Core

/// Which campaigns promote which row.
// Unchecked: written in `init`, only read afterwards, freed in `deinit`.
final class Promotions: @unchecked Sendable {
  let rowCount: Int
  let rows: UnsafeMutablePointer<RowEntry>
  private(set) var overflow: UnsafeMutablePointer<Int32>
  private var overflowCount = 0
  /// By row; nil where no campaign has such a cap.
  private(set) var artists: [Int64]?
  private(set) var releases: [Int64]?
  private(set) var itemsKnown: [Int32] = []

  var bytes: Int { rowCount * MemoryLayout<RowEntry>.stride + overflowCount * 4 }

  /// One visit of a row for each of its items: at a hundred thousand campaigns each is a cache
  /// miss.
  init(
    _ campaigns: [CampaignDefinition], catalog: CampaignCatalog
  ) throws(CampaignSetError) {
    rowCount = catalog.rowCount
    let room = crescendo_allocate_table((rowCount + 1) * 16)
    rows = room.bindMemory(to: RowEntry.self, capacity: rowCount + 1)
    rows.initialize(repeating: RowEntry(campaigns: campaigns.count), count: rowCount + 1)
    overflow = .allocate(capacity: 1)
    let total = campaigns.reduce(0) { $0 + $1.campaign.items.count }
    guard total <= Limits.promotions else { throw .tooManyItems(total) }
    itemsKnown.reserveCapacity(campaigns.count)
    var spilled: [(row: Int32, campaign: Int32)] = []
    for (index, campaign) in campaigns.enumerated() {
      var known: Int32 = 0
      for item in campaign.campaign.items {
        guard let row = catalog.row(item), row >= 0, Int(row) < rowCount else { continue }
        guard let isNew = add(Int32(index), to: row, &spilled) else {
          throw .tooManyCampaignsOfItem(row: row, campaign: campaign.campaign.id)
        }
        if isNew { known += 1 }
      }
      itemsKnown.append(known)
    }
    place(spilled)
    artists = column(.userArtist, campaigns, catalog.artist, hash: \.artistHash)
    releases = column(.userRelease, campaigns, catalog.release, hash: \.releaseHash)
  }

  deinit {
    crescendo_free_table(rows)
    overflow.deallocate()
  }

  /// Campaigns come in rising order. The last slot always has the latest, so that an item that
  /// stands twice in a campaign is seen; what it pushes out is spilled. nil: too many.
  private func add(
    _ campaign: Int32, to row: Int32, _ spilled: inout [(row: Int32, campaign: Int32)]
  ) -> Bool? {
    let entry = rows + Int(row)
    let count = Int(entry.pointee.count)
    let last = RowEntry.inline - 1
    if count > 0, entry.pointee.campaigns[min(count - 1, last)] == campaign { return false }
    guard count < Limits.campaignsPerItem else { return nil }
    if count > last {
      spilled.append((row, entry.pointee.campaigns[last]))
      entry.pointee.campaigns[last] = campaign
    } else {
      entry.pointee.campaigns[count] = campaign
    }
    entry.pointee.count += 1
    return true
  }

  /// Lays out the rows that have more campaigns than slots: first two, the spilled ones, the last.
  private func place(_ spilled: [(row: Int32, campaign: Int32)]) {
    guard !spilled.isEmpty else { return }
    for row in 0..<rowCount where Int(rows[row].count) > RowEntry.inline {
      overflowCount += Int(rows[row].count)
    }
    overflow.deallocate()
    overflow = .allocate(capacity: overflowCount)
    overflow.initialize(repeating: 0, count: overflowCount)
    var next = 0
    for row in 0..<rowCount where Int(rows[row].count) > RowEntry.inline {
      let count = Int(rows[row].count)
      overflow[next] = rows[row].campaigns[0]
      overflow[next + 1] = rows[row].campaigns[1]
      overflow[next + count - 1] = rows[row].campaigns[2]
      rows[row].campaigns[0] = Int32(next)
      rows[row].campaigns[1] = Int32(next + 2)
      next += count
    }
    for (row, campaign) in spilled {
      let entry = rows + Int(row)
      overflow[Int(entry.pointee.campaigns[1])] = campaign
      entry.pointee.campaigns[1] += 1
    }
  }

  private func column(
    _ scope: CapScope, _ campaigns: [CampaignDefinition], _ number: (Int32) -> Int64?,
    hash: WritableKeyPath<RowEntry, UInt8>
  ) -> [Int64]? {
    let isCapped = campaigns.contains { $0.campaign.caps.contains { $0.scope == scope } }
    guard isCapped else { return nil }
    var column = [Int64](repeating: CampaignTables.missing, count: rowCount)
    for row in 0..<rowCount where rows[row].count > 0 {
      guard let known = number(Int32(row)) else { continue }
      column[row] = known
      rows[row][keyPath: hash] = CapFilter.hash(UInt64(bitPattern: known))
    }
    return column
  }
}
