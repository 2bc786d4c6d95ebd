internal import Core

/// What the loop over candidates reads of a campaign: one cache line.
struct CampaignRecord: BitwiseCopyable {
  /// Milliseconds since 1970, half-open; of a paused campaign an interval without instants.
  var flightStart: Int64
  var flightEnd: Int64
  /// Micros.
  var worth: Double
  var cost: Double
  var key: UInt64
  /// Where its rules lie in `CampaignTables.caps`.
  var capStart: UInt32
  var capCount: UInt32
  /// Where its segments lie in `CampaignTables.segments`, in rising order.
  var segmentStart: UInt32
  var segmentCount: UInt32
  /// `CheckBits.segments` and `CheckBits.special` where they apply.
  var flags: UInt32
  var scopes: UInt32
}

/// The addresses of a set's memory: what the loop takes along instead of the object.
// Unchecked: nothing behind these addresses is written after the set's `init`.
struct CampaignTables: BitwiseCopyable, @unchecked Sendable {
  var count: Int
  var rowCount: Int
  var records: UnsafePointer<CampaignRecord>
  /// The campaigns of row r: `rowCampaigns[rowStarts[r] ..< rowStarts[r + 1]]`, rising.
  var rowStarts: UnsafePointer<UInt32>
  var rowCampaigns: UnsafePointer<Int32>
  /// The artist and the release of row r at `rowStarts[r]`, where a cap needs them.
  var artists: UnsafePointer<Int64>?
  var releases: UnsafePointer<Int64>?
  var caps: UnsafePointer<CapRule>
  var segments: UnsafePointer<Int32>

  static let missing = Int64.min
}

/// All campaigns of a server, compiled for one catalog: immutable, read by every thread.
///
/// A campaign's index is its place by id. An item's campaigns lie side by side in one array, what
/// the loop needs of a campaign in one cache line, and who may get it in one bit for each market,
/// surface and tier.
// Unchecked: written in `init`, only read afterwards, freed in `deinit`.
package final class CampaignSet: @unchecked Sendable {
  package let count: Int
  package let rowCount: Int
  package let policy: CampaignPolicy
  /// By index.
  package let ids: [String]
  /// Items of a campaign that the catalog has, by index.
  package let itemsKnown: [Int32]
  /// Whether any campaign's value is drawn.
  package let hasExploration: Bool

  let tables: CampaignTables
  let markets: NameBits
  let surfaces: NameBits
  let tiers: NameBits
  let segmentNames: NameTable
  let surfaceNames: NameTable
  let surfaceBoosts: [SurfaceBoost]
  private let indexOfKey: [UInt64: Int32]
  private let memory: FlatMemory

  /// Takes time in proportion to campaigns and items; asks `catalog` once for every item.
  package init(
    _ entries: [(campaign: Campaign, key: UInt64, isPaused: Bool)], policy: CampaignPolicy,
    catalog: CampaignCatalog
  ) throws(CampaignSetError) {
    guard entries.count <= Limits.campaigns else { throw .tooManyCampaigns(entries.count) }
    let order = entries.indices.sorted { entries[$0].campaign.id < entries[$1].campaign.id }
    let sorted = order.map { entries[$0] }
    ids = sorted.map(\.campaign.id)
    indexOfKey = try CampaignSet.keys(sorted)
    count = sorted.count
    rowCount = catalog.rowCount
    self.policy = policy
    markets = try NameBits("markets", sorted.map(\.campaign.markets))
    surfaces = try NameBits("surfaces", sorted.map(\.campaign.surfaces))
    tiers = try NameBits("tiers", sorted.map(\.campaign.tiers))
    let surfaceList = policy.surfaces.keys.sorted()
    surfaceNames = NameTable(surfaceList)
    surfaceBoosts = surfaceList.map { policy.surfaces[$0] ?? SurfaceBoost() }
    hasExploration = sorted.contains { $0.campaign.exploration == .thompson }

    let memory = FlatMemory()
    self.memory = memory
    let segments = SegmentLists(sorted.map(\.campaign.segments))
    segmentNames = NameTable(segments.names)
    let promotions = try Promotions(sorted.map(\.campaign), catalog: catalog)
    itemsKnown = promotions.itemsKnown
    let (records, caps) = CampaignSet.records(sorted, segments: segments)
    tables = CampaignTables(
      count: sorted.count, rowCount: catalog.rowCount, records: memory.copy(records),
      rowStarts: memory.copy(promotions.rowStarts),
      rowCampaigns: memory.copy(promotions.rowCampaigns),
      artists: promotions.artists.map { memory.copy($0) },
      releases: promotions.releases.map { memory.copy($0) }, caps: memory.copy(caps),
      segments: memory.copy(segments.members))
  }

  package func index(ofKey key: UInt64) -> Int32? { indexOfKey[key] }

  package func index(ofID id: String) -> Int32? {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if ids[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low < count && ids[low] == id ? Int32(low) : nil
  }

  package func key(_ index: Int32) -> UInt64 { tables.records[Int(index)].key }

  /// The rules of a campaign's caps; they lie in the set.
  package func caps(_ index: Int32) -> UnsafeBufferPointer<CapRule> {
    let record = tables.records[Int(index)]
    return UnsafeBufferPointer(
      start: tables.caps + Int(record.capStart), count: Int(record.capCount))
  }

  /// The number of the artist or release of a promoted row, where some campaign of the set has a
  /// cap for it; nil: missing.
  package func scopeNumber(_ scope: CapScope, row: Int32) -> Int64? {
    guard row >= 0, Int(row) < rowCount else { return nil }
    let start = Int(tables.rowStarts[Int(row)])
    guard start < Int(tables.rowStarts[Int(row) + 1]) else { return nil }
    let number =
      switch scope {
      case .userCampaign: CampaignTables.missing
      case .userArtist: tables.artists?[start] ?? CampaignTables.missing
      case .userRelease: tables.releases?[start] ?? CampaignTables.missing
      }
    return number == CampaignTables.missing ? nil : number
  }

  /// The campaigns that promote a row, by index.
  package func campaigns(ofRow row: Int32) -> UnsafeBufferPointer<Int32> {
    guard row >= 0, Int(row) < rowCount else { return UnsafeBufferPointer(start: nil, count: 0) }
    let start = Int(tables.rowStarts[Int(row)])
    let end = Int(tables.rowStarts[Int(row) + 1])
    return UnsafeBufferPointer(start: tables.rowCampaigns + start, count: end - start)
  }

  /// Bytes that the set holds for the loop, names not counted.
  package var flatBytes: Int { memory.bytes + markets.bytes + surfaces.bytes + tiers.bytes }
}
