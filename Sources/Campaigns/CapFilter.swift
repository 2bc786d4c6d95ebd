/// Which caps a user may have reached: most of what is asked for the user has never had, and the
/// answer is a bit instead of cache misses. A bit that is set proves nothing.
struct CapFilter: BitwiseCopyable {
  /// 1,024 bits by a campaign's index, 256 by an artist's hash, 256 by a release's.
  static var words: Int { 24 }
  /// Of so many campaigns none shares its bit with another.
  static var campaigns: Int { 1_024 }
  private var bits = InlineArray<24, UInt64>(repeating: 0)

  private init() {}

  /// The top eight bits of Knuth's multiplicative hash (TAOCP 3, 6.4).
  @inline(__always)
  static func hash(_ key: UInt64) -> UInt8 {
    UInt8(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 56)
  }

  @inline(__always)
  static func place(campaign: Int) -> Int { campaign & (campaigns - 1) }
  @inline(__always)
  static func place(artist entry: RowEntry) -> Int { place(artist: entry.artistHash) }
  @inline(__always)
  static func place(artist hash: UInt8) -> Int { 1_024 + Int(hash) }
  @inline(__always)
  static func place(release entry: RowEntry) -> Int { place(release: entry.releaseHash) }
  @inline(__always)
  static func place(release hash: UInt8) -> Int { 1_280 + Int(hash) }

  /// Campaigns are known by their index here; those that the set does not have are left out, and
  /// so are those whose caps the user has not reached.
  init(_ scopes: UserScopes, set: CampaignSet, nowDeciseconds: Int64) {
    var filter = CapFilter()
    scopes.forEach(atLeast: set.tables.leastLimits) { scope, key in
      switch scope {
      case .userCampaign:
        guard let index = set.index(ofKey: key),
          CapFilter.isCapped(
            set.caps(index), by: key, scopes, nowDeciseconds: nowDeciseconds)
        else { return }
        filter.insert(CapFilter.place(campaign: Int(index)))
      case .userArtist: filter.insert(1_024 + Int(CapFilter.hash(key)))
      case .userRelease: filter.insert(1_280 + Int(CapFilter.hash(key)))
      }
    }
    self = filter
  }

  /// Whether a cap of user × campaign allows no more of the campaign with this key.
  static func isCapped(
    _ caps: UnsafeBufferPointer<CapRule>, by key: UInt64, _ scopes: UserScopes,
    nowDeciseconds: Int64
  ) -> Bool {
    for rule in caps where rule.scope == .userCampaign {
      if scopes.isExhausted(rule, key: key, nowDeciseconds: nowDeciseconds) { return true }
    }
    return false
  }

  private mutating func insert(_ place: Int) {
    bits[place >> 6] |= 1 << UInt64(place & 63)
  }

  func copy(to words: UnsafeMutablePointer<UInt64>) {
    for index in 0..<CapFilter.words { words[index] = bits[index] }
  }

  /// In the lowest bit, of a copy of the filter.
  @inline(__always)
  static func bit(_ words: UnsafePointer<UInt64>, _ place: Int) -> UInt64 {
    words[place >> 6] >> UInt64(truncatingIfNeeded: place & 63)
  }

  /// Whether there is anything by artist or release.
  var hasRows: Bool {
    var any: UInt64 = 0
    for word in 16..<CapFilter.words { any |= bits[word] }
    return any != 0
  }

  /// Of a copy of the filter.
  @inline(__always)
  static func mayBind(
    _ words: UnsafePointer<UInt64>, _ scope: CapScope, _ campaign: Int, _ entry: RowEntry
  ) -> Bool {
    let place =
      switch scope {
      case .userCampaign: CapFilter.place(campaign: campaign)
      case .userArtist: CapFilter.place(artist: entry)
      case .userRelease: CapFilter.place(release: entry)
      }
    return bit(words, place) & 1 != 0
  }
}
