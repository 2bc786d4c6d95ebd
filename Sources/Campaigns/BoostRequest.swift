internal import Core

/// A request's view of all campaigns: every address that the loop over candidates needs. Valid as
/// long as the board and what `scopes` lies in.
// Unchecked: plain addresses into immutable objects and the caller's buffers.
package struct BoostRequest: BitwiseCopyable, @unchecked Sendable {
  let tables: CampaignTables
  let hot: UnsafePointer<CampaignHot>
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
      tables: set.tables, hot: hot, standings: standings, posteriors: posteriors,
      audience: audience, scopes: scopes, filter: CapFilter(scopes, set: set),
      nowDeciseconds: ledgerMilliseconds / 100, seed: seed)
  }
}

/// A campaign's answer for one candidate.
struct Verdict: BitwiseCopyable {
  var stage: CheckStage
  var value: Double
  /// Micros; what `allocation.md` §1 says.
  var gain: Double
}

extension BoostRequest {
  @inline(__always)
  func isKnown(_ row: Int32) -> Bool {
    UInt32(bitPattern: row) < UInt32(truncatingIfNeeded: tables.rowCount)
  }

  /// Whether one of the campaign's caps allows no more; of an anonymous user every cap.
  func isCapped(_ campaign: Int, _ row: Int32, _ entry: RowEntry) -> Bool {
    let record = tables.records[campaign]
    guard record.capCount > 0 else { return false }
    guard audience.user != 0 else { return true }
    for index in 0..<Int(record.capCount) {
      let rule = tables.caps[Int(record.capStart) + index]
      // A row's artist is a cache miss, so the bit comes first.
      guard filter.mayBind(rule.scope, campaign, entry),
        let key = capKey(rule.scope, record, row)
      else { continue }
      if scopes.isExhausted(rule, key: key, nowDeciseconds: nowDeciseconds) { return true }
    }
    return false
  }

  /// What a cap counts by; nil: the row has no such number, and the cap does not bind.
  func capKey(_ scope: CapScope, _ record: CampaignRecord, _ row: Int32) -> UInt64? {
    let number: Int64?
    switch scope {
    case .userCampaign: return record.key
    case .userArtist: number = tables.artists?[Int(row)]
    case .userRelease: number = tables.releases?[Int(row)]
    }
    guard let number, number != CampaignTables.missing else { return nil }
    return UInt64(bitPattern: number)
  }

  /// What a calibrated score is multiplied with; 1 where nothing is drawn.
  func factor(_ campaign: Int, _ record: CampaignRecord, seed: UInt64) -> Double {
    guard record.flags & CheckBits.drawn != 0 else { return 1 }
    let posterior = posteriors.map { $0[campaign] } ?? .uniform
    var random = SplitMix64(seed: splitmix64(seed ^ record.key))
    return posterior.sample(using: &random) / posterior.mean
  }

  /// value · worth − price · cost, micros; what is no number counts as the least.
  @inline(__always)
  static func gain(value: Double, worth: Double, charge: Double) -> Double {
    let gain = value * worth - charge
    return gain == gain ? gain : -.infinity
  }

  /// All checks of one campaign, one after the other: what the loop computes by blocks.
  func verdict(_ campaign: Int, row: Int32, calibrated: Double) -> Verdict {
    let record = tables.records[campaign]
    let own = hot[campaign]
    var stage = CheckStage(failures: failures(campaign, own))
    if stage == .eligible, isCapped(campaign, row, tables.rows[Int(row)]) { stage = .capped }
    let value = calibrated * factor(campaign, record, seed: seed)
    let gain = BoostRequest.gain(value: value, worth: own.worth, charge: own.charge)
    return Verdict(stage: stage, value: value, gain: gain)
  }

  private func failures(_ campaign: Int, _ hot: CampaignHot) -> UInt16 {
    func isFor(_ bits: UnsafePointer<UInt64>) -> Bool {
      bits[campaign >> 6] >> UInt64(campaign & 63) & 1 != 0
    }
    let time = audience.timeUnixMilliseconds
    var failures = UInt16(truncatingIfNeeded: hot.opening)
    if time < hot.opening >> 16 || time >= hot.flightEnd { failures |= CheckBits.flight }
    if !isFor(audience.marketBits) { failures |= CheckBits.market }
    if !isFor(audience.surfaceBits) { failures |= CheckBits.surface }
    if !isFor(audience.tierBits) { failures |= CheckBits.tier }
    let segments = 0..<audience.segmentCount
    if !segments.contains(where: { isFor(audience.segmentBits[$0]) }) {
      failures |= CheckBits.segment
    }
    return failures
  }
}
