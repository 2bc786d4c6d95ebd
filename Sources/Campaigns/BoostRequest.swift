internal import Core

/// A request's view of all campaigns: every address that the loop over candidates needs. Valid as
/// long as the board and what `scopes` lies in.
// Unchecked: plain addresses into immutable objects and the caller's buffers.
package struct BoostRequest: BitwiseCopyable, @unchecked Sendable {
  let tables: CampaignTables
  let set: Unmanaged<CampaignSet>
  let hot: UnsafePointer<CampaignHot>
  let open: OpenCampaigns
  let standings: UnsafePointer<CampaignStanding>
  let posteriors: UnsafePointer<BetaPosterior>?
  package let audience: Audience
  let scopes: UserScopes
  let filter: CapFilter
  let nowDeciseconds: Int64
  package let seed: UInt64
}

extension CampaignBoard {
  /// - Parameters:
  ///   - audience: of `set`.
  ///   - ledgerMilliseconds: now, by the clock of the user's scopes.
  ///   - seed: of the draws of this request; the same seed gives the same answer.
  package func request(
    audience: Audience, scopes: UserScopes, ledgerMilliseconds: Int64, seed: UInt64
  ) -> BoostRequest {
    BoostRequest(
      tables: set.tables, set: .passUnretained(set), hot: hot, open: open, standings: standings,
      posteriors: posteriors, audience: audience, scopes: scopes,
      filter: CapFilter(scopes, set: set, nowDeciseconds: ledgerMilliseconds / 100),
      nowDeciseconds: ledgerMilliseconds / 100, seed: seed)
  }
}

extension BoostRequest {
  @inline(__always)
  func isKnown(_ row: Int32) -> Bool {
    UInt32(bitPattern: row) < UInt32(truncatingIfNeeded: tables.rowCount)
  }

  /// Whether one of the campaign's caps allows no more; of an anonymous user every cap.
  func isCapped(
    _ campaign: Int, _ row: Int32, _ entry: RowEntry, _ filter: UnsafePointer<UInt64>
  ) -> Bool {
    let record = tables.records[campaign]
    guard record.capCount > 0 else { return false }
    guard audience.user != 0 else { return true }
    if tables.count <= CapFilter.campaigns,
      CapFilter.mayBind(filter, .userCampaign, campaign, entry)
    {
      return true
    }
    for index in 0..<Int(record.capCount) {
      let rule = tables.caps[Int(record.capStart) + index]
      // A row's artist is a cache miss, so the bit comes first.
      guard CapFilter.mayBind(filter, rule.scope, campaign, entry),
        let key = capKey(rule.scope, record, row)
      else { continue }
      if scopes.isExhausted(rule, key: key, nowDeciseconds: nowDeciseconds) { return true }
    }
    return false
  }

  /// What a cap counts by; nil: the row has no such number, and the cap does not bind.
  func capKey(_ scope: CapScope, _ record: CampaignRecord, _ row: Int32) -> UInt64? {
    switch scope {
    case .userCampaign: record.key
    case .userArtist: tables.number(tables.artists, row).map { UInt64(bitPattern: $0) }
    case .userRelease: tables.number(tables.releases, row).map { UInt64(bitPattern: $0) }
    }
  }

  /// What the calibrated score of a campaign whose value is drawn is multiplied with: what a draw
  /// of its goal rate is to the rate that the model expects of it. Its mean is 1 before anything is
  /// heard, and from then on goes to what is heard ÷ what was expected.
  func factor(_ campaign: Int, seed: UInt64) -> Double {
    let posterior = posteriors.map { $0[campaign] } ?? .uniform
    var random = SplitMix64(seed: splitmix64(seed ^ tables.keys[campaign]))
    return posterior.sample(using: &random) / posterior.expected
  }

  /// A value that is drawn stays a probability: at most 1, as prices take for granted.
  @inline(__always)
  static func drawn(_ value: Double, factor: Double) -> Double {
    min(value * factor, max(value, 1))
  }

  /// value · worth − price · cost, micros; what is no number counts as the least.
  @inline(__always)
  static func gain(value: Double, worth: Double, charge: Double) -> Double {
    let gain = value * worth - charge
    return gain == gain ? gain : -.infinity
  }
}

extension BoostRequest {
  /// Whether it reads this set.
  package func isOf(_ set: CampaignSet) -> Bool { tables.records == set.tables.records }
}
