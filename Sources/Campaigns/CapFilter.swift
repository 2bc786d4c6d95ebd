/// Which caps a user may have reached, 256 bits for each scope: most of what is asked for the user
/// has never had, and the answer is a bit instead of a cache miss. A bit that is set proves
/// nothing.
struct CapFilter: BitwiseCopyable {
  static var words: Int { 12 }
  private var bits = InlineArray<12, UInt64>(repeating: 0)

  /// The top eight bits of Knuth's multiplicative hash (TAOCP 3, 6.4).
  @inline(__always)
  static func hash(_ key: UInt64) -> UInt8 {
    UInt8(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 56)
  }

  /// Campaigns are known by their index here; those that the set does not have are left out.
  init(_ scopes: UserScopes, set: CampaignSet) {
    for record in scopes.records where record.count > 0 {
      switch record.scope {
      case .userCampaign:
        guard let index = set.index(ofKey: record.key) else { continue }
        insert(.userCampaign, CapFilter.hash(UInt64(index)))
      case .userArtist, .userRelease:
        insert(record.scope, CapFilter.hash(record.key))
      }
    }
  }

  private mutating func insert(_ scope: CapScope, _ hash: UInt8) {
    bits[Int(scope.rawValue) * 4 + Int(hash >> 6)] |= 1 << UInt64(hash & 63)
  }

  func copy(to words: UnsafeMutablePointer<UInt64>) {
    for index in 0..<CapFilter.words { words[index] = bits[index] }
  }

  /// In the lowest bit, of a copy of the filter.
  @inline(__always)
  static func bit(_ words: UnsafePointer<UInt64>, _ scope: CapScope, _ hash: UInt8) -> UInt64 {
    words[Int(scope.rawValue) &* 4 &+ Int(hash >> 6)] >> UInt64(hash & 63)
  }

  func mayBind(_ scope: CapScope, _ campaign: Int, _ entry: RowEntry) -> Bool {
    let hash =
      switch scope {
      case .userCampaign: CapFilter.hash(UInt64(truncatingIfNeeded: campaign))
      case .userArtist: entry.artistHash
      case .userRelease: entry.releaseHash
      }
    return bits[Int(scope.rawValue) * 4 + Int(hash >> 6)] >> UInt64(hash & 63) & 1 != 0
  }
}
