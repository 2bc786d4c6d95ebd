/// Which caps a user may have reached, 256 bits for each scope: most of what is asked for the user
/// has never had, and the answer is a bit instead of a cache miss. A bit that is set proves
/// nothing.
struct CapFilter: BitwiseCopyable {
  private var words = InlineArray<12, UInt64>(repeating: 0)

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
    words[Int(scope.rawValue) * 4 + Int(hash >> 6)] |= 1 << UInt64(hash & 63)
  }

  @inline(__always)
  private func bit(_ scope: CapScope, _ hash: UInt8) -> UInt64 {
    words[Int(scope.rawValue) * 4 + Int(hash >> 6)] >> UInt64(hash & 63)
  }

  /// Whether any scope may.
  @inline(__always)
  func mayBind(_ campaign: Int, _ entry: RowEntry) -> Bool {
    let hash = CapFilter.hash(UInt64(truncatingIfNeeded: campaign))
    return
      (bit(.userCampaign, hash) | bit(.userArtist, entry.artistHash)
      | bit(.userRelease, entry.releaseHash)) & 1 != 0
  }

  func mayBind(_ scope: CapScope, _ campaign: Int, _ entry: RowEntry) -> Bool {
    let bits =
      switch scope {
      case .userCampaign: bit(scope, CapFilter.hash(UInt64(truncatingIfNeeded: campaign)))
      case .userArtist: bit(scope, entry.artistHash)
      case .userRelease: bit(scope, entry.releaseHash)
      }
    return bits & 1 != 0
  }
}
