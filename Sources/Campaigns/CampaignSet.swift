package import Core

/// What a campaign's caps and draws need beyond `CampaignHot`.
struct CampaignRecord: BitwiseCopyable {
  /// Milliseconds since 1970, half-open, within `Instants`.
  var flightStart: Int64
  var flightEnd: Int64
  /// Micros.
  var worth: Double
  var cost: Double
  var key: UInt64
  /// Where its rules lie in `CampaignTables.caps`.
  var capStart: UInt32
  var capCount: UInt32
  /// `CheckBits`.
  var flags: UInt16
}

/// The campaigns of a row: 16 bytes, so that the usual row costs one cache miss.
struct RowEntry: BitwiseCopyable {
  var count: UInt16 = 0
  /// `CapFilter.hash` of the row's artist and release.
  var artistHash: UInt8 = 0
  var releaseHash: UInt8 = 0
  /// Rising; of more than three campaigns the first is their place in `CampaignTables.overflow`.
  /// A place that is free has the number of campaigns, which is no campaign's index.
  var campaigns: InlineArray<3, Int32>

  static var inline: Int { 3 }

  init(campaigns count: Int) { campaigns = InlineArray(repeating: Int32(count)) }
}

/// The addresses of a set's memory: what the loop takes along instead of the object.
// Unchecked: nothing behind these addresses is written after the set's `init`.
struct CampaignTables: BitwiseCopyable, @unchecked Sendable {
  var count: Int
  var rowCount: Int
  var records: UnsafePointer<CampaignRecord>
  /// By index.
  var keys: UnsafePointer<UInt64>
  /// By row, and an empty one after the last.
  var rows: UnsafePointer<RowEntry>
  var overflow: UnsafePointer<Int32>
  /// By row, where a cap needs them.
  var artists: UnsafePointer<Int64>?
  var releases: UnsafePointer<Int64>?
  var caps: UnsafePointer<CapRule>
  /// One bit for each campaign: it has caps; its value is drawn. nil: none.
  var capped: UnsafePointer<UInt64>?
  var drawn: UnsafePointer<UInt64>?

  /// The smallest limit of any cap, by `CapScope`; without caps the largest number.
  var leastLimits: InlineArray<3, UInt32>

  /// Of a bit for each campaign.
  var words: Int { OpenBits.words(campaigns: count) }

  static var missing: Int64 { .min }
}

/// Times are kept in 47 bits: milliseconds from the year −260 to 4199; beyond is the end.
enum Instants {
  static var last: Int64 { 1 << 46 }

  static func clamped(_ milliseconds: Int64) -> Int64 { max(-last, min(milliseconds, last)) }
}

/// All campaigns of a server, compiled for one catalog: immutable, read by every thread.
///
/// A campaign's index is its place by id. The campaigns of an item lie in its row's entry, and who
/// may get a campaign in one bit for each market, surface, tier and segment. What else the loop
/// needs of it lies in half a cache line of the board, since a part of that changes.
// Unchecked: written in `init`, only read afterwards, freed in `deinit`.
package final class CampaignSet: @unchecked Sendable {
  package let count: Int
  package let rowCount: Int
  package let policy: CampaignPolicy
  /// By index.
  package let ids: [String]
  /// Items of a campaign that the catalog has, by index.
  package let itemsKnown: [Int32]
  private let costs: [Micros]
  /// Whether any campaign's value is drawn.
  package let hasExploration: Bool

  let tables: CampaignTables
  let markets: NameBits
  let surfaces: NameBits
  let tiers: NameBits
  let segments: NameBits
  let surfaceNames: NameTable
  let surfaceBoosts: [SurfaceBoost]
  private let indexOfKey: [UInt64: Int32]
  private let memory: FlatMemory
  private let promotions: Promotions

  /// Takes time in proportion to campaigns and items; asks `catalog` once for every item.
  package init(
    _ definitions: [CampaignDefinition], policy: CampaignPolicy, catalog: CampaignCatalog
  ) throws(CampaignSetError) {
    guard definitions.count <= Limits.campaigns else { throw .tooManyCampaigns(definitions.count) }
    let sorted = CampaignSet.sorted(definitions)
    ids = sorted.map(\.campaign.id)
    costs = sorted.map(\.campaign.cost)
    indexOfKey = try CampaignSet.keys(sorted)
    count = sorted.count
    rowCount = catalog.rowCount
    self.policy = policy
    let names = Limits.campaignNames
    markets = try NameBits("markets", sorted.map(\.campaign.markets), limit: names)
    surfaces = try NameBits("surfaces", sorted.map(\.campaign.surfaces), limit: names)
    tiers = try NameBits("tiers", sorted.map(\.campaign.tiers), limit: names)
    segments = try NameBits(
      "segments", sorted.map(\.campaign.segments), limit: Limits.campaignSegments)
    let surfaceList = policy.surfaces.keys.sorted()
    surfaceNames = NameTable(surfaceList)
    surfaceBoosts = surfaceList.map { policy.surfaces[$0] ?? SurfaceBoost() }
    hasExploration = sorted.contains { $0.campaign.exploration == .thompson }

    let memory = FlatMemory()
    self.memory = memory
    let promotions = try Promotions(sorted, catalog: catalog)
    itemsKnown = promotions.itemsKnown
    let (records, caps) = CampaignSet.records(sorted)
    self.promotions = promotions
    tables = CampaignTables(
      count: sorted.count, rowCount: catalog.rowCount, records: memory.copy(records),
      keys: memory.copy(sorted.map(\.key)), rows: UnsafePointer(promotions.rows),
      overflow: UnsafePointer(promotions.overflow),
      artists: promotions.artists.map { memory.copy($0) },
      releases: promotions.releases.map { memory.copy($0) }, caps: memory.copy(caps),
      capped: CampaignSet.bits(records, CheckBits.caps).map { memory.copy($0) },
      drawn: CampaignSet.bits(records, CheckBits.drawn).map { memory.copy($0) },
      leastLimits: CampaignSet.leastLimits(caps))
  }

  /// Of no campaigns.
  package static func empty(_ catalog: CampaignCatalog) -> CampaignSet {
    do throws(CampaignSetError) {
      return try CampaignSet([], policy: CampaignPolicy(currency: "XTS"), catalog: catalog)
    } catch {
      preconditionFailure("no campaigns are too many: \(error)")
    }
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

  /// The number of the artist or release of a promoted row, where some campaign of the set has a
  /// cap for it; nil: missing.
  package func scopeNumber(_ scope: CapScope, row: Int32) -> Int64? {
    guard row >= 0, Int(row) < rowCount else { return nil }
    let numbers: UnsafePointer<Int64>? =
      switch scope {
      case .userCampaign: nil
      case .userArtist: tables.artists
      case .userRelease: tables.releases
      }
    guard let number = numbers?[Int(row)], number != CampaignTables.missing else { return nil }
    return number
  }

  /// What one exposure costs.
  package func cost(_ index: Int32) -> Micros {
    costs[Int(index)]
  }

  package func key(_ index: Int32) -> UInt64 { tables.records[Int(index)].key }

  /// The rules of a campaign's caps; they lie in the set.
  package func caps(_ index: Int32) -> UnsafeBufferPointer<CapRule> {
    let record = tables.records[Int(index)]
    return UnsafeBufferPointer(
      start: tables.caps + Int(record.capStart), count: Int(record.capCount))
  }

  /// The campaigns that promote a row, by index; they lie in the set.
  package func campaigns(ofRow row: Int32) -> UnsafeBufferPointer<Int32> {
    guard row >= 0, Int(row) < rowCount else { return UnsafeBufferPointer(start: nil, count: 0) }
    return tables.campaigns(ofRow: Int(row))
  }

  /// Bytes that the set holds for the loop, names not counted.
  package var flatBytes: Int {
    memory.bytes + promotions.bytes + markets.bytes + surfaces.bytes + tiers.bytes
      + segments.bytes
  }
}

extension CampaignTables {
  /// nil: missing.
  @inline(__always)
  func number(_ column: UnsafePointer<Int64>?, _ row: Int32) -> Int64? {
    guard let column, column[Int(row)] != CampaignTables.missing else { return nil }
    return column[Int(row)]
  }

  @inline(__always)
  func campaigns(ofRow row: Int) -> UnsafeBufferPointer<Int32> {
    let entry = rows + row
    let count = Int(entry.pointee.count)
    guard count > RowEntry.inline else {
      let first = UnsafeRawPointer(entry) + 4
      return UnsafeBufferPointer(
        start: first.assumingMemoryBound(to: Int32.self), count: count)
    }
    return UnsafeBufferPointer(start: overflow + Int(entry.pointee.campaigns[0]), count: count)
  }
}
