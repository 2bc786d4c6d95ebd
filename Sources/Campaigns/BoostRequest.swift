internal import Core

/// A request's view of all campaigns: every address that the loop over candidates needs. Valid as
/// long as the board and what `scopes` lies in.
// Unchecked: plain addresses into immutable objects and the caller's buffers.
package struct BoostRequest: BitwiseCopyable, @unchecked Sendable {
  let tables: CampaignTables
  let standings: UnsafePointer<CampaignStanding>
  let posteriors: UnsafePointer<BetaPosterior>?
  package let audience: Audience
  let scopes: UserScopes
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
      tables: set.tables, standings: standings, posteriors: posteriors, audience: audience,
      scopes: scopes, nowDeciseconds: ledgerMilliseconds / 100, seed: seed)
  }
}

/// A campaign's answer for one candidate.
struct Verdict: BitwiseCopyable {
  var stage: CheckStage
  /// Micros; what `allocation.md` §1 says.
  var gain: Double
}

extension BoostRequest {
  /// Where the campaigns of a row lie; empty for a row that is not there.
  @inline(__always)
  func places(ofRow row: Int32) -> Range<Int> {
    guard UInt32(bitPattern: row) < UInt32(truncatingIfNeeded: tables.rowCount) else {
      return 0..<0
    }
    let start = Int(tables.rowStarts[Int(row)])
    return start..<max(start, Int(tables.rowStarts[Int(row) + 1]))
  }

  /// The checks that need no more than the record, as `CheckBits`, with the record's flags.
  @inline(__always)
  func checks(_ campaign: Int, _ record: CampaignRecord, _ standing: CampaignStanding) -> UInt8 {
    let word = campaign >> 6
    let bit = UInt64(campaign & 63)
    let time = audience.timeUnixMilliseconds
    let isOut: UInt8 =
      (time < record.flightStart ? CheckBits.flight : 0)
      | (time >= record.flightEnd ? CheckBits.flight : 0)
    let market = UInt8(truncatingIfNeeded: ~(audience.marketBits[word] >> bit) & 1)
    let surface = UInt8(truncatingIfNeeded: ~(audience.surfaceBits[word] >> bit) & 1)
    let tier = UInt8(truncatingIfNeeded: ~(audience.tierBits[word] >> bit) & 1)
    return isOut | market << 1 | surface << 2 | tier << 3 | standing.blocks
      | UInt8(truncatingIfNeeded: record.flags)
  }

  /// Adds the check of segments where the record asks for it.
  func checksWithSegments(_ checks: UInt8, _ record: CampaignRecord) -> UInt8 {
    sharesSegment(record) ? checks : checks | CheckBits.segment
  }

  private func sharesSegment(_ record: CampaignRecord) -> Bool {
    let own = tables.segments + Int(record.segmentStart)
    for index in 0..<audience.segmentCount {
      let wanted = audience.segments[index]
      var low = 0
      var high = Int(record.segmentCount)
      while low < high {
        let middle = (low + high) / 2
        if own[middle] < wanted { low = middle + 1 } else { high = middle }
      }
      if low < Int(record.segmentCount), own[low] == wanted { return true }
    }
    return false
  }

  /// Whether one of the campaign's caps allows no more; of an anonymous user every cap.
  func isCapped(_ record: CampaignRecord, rowStart: Int) -> Bool {
    guard record.capCount > 0 else { return false }
    guard audience.user != 0 else { return true }
    let rules = tables.caps + Int(record.capStart)
    for index in 0..<Int(record.capCount) {
      let rule = rules[index]
      // The common user has nothing of the kind, and the row's number is a cache miss.
      guard scopes.hasAny(rule.scope), let key = capKey(rule.scope, record, rowStart) else {
        continue
      }
      if scopes.isExhausted(rule, key: key, nowDeciseconds: nowDeciseconds) { return true }
    }
    return false
  }

  /// What a cap counts by; nil: the row has no such number, and the cap does not bind.
  @inline(__always)
  func capKey(_ scope: CapScope, _ record: CampaignRecord, _ rowStart: Int) -> UInt64? {
    switch scope {
    case .userCampaign: return record.key
    case .userArtist: return BoostRequest.number(tables.artists, rowStart)
    case .userRelease: return BoostRequest.number(tables.releases, rowStart)
    }
  }

  @inline(__always)
  private static func number(_ column: UnsafePointer<Int64>?, _ rowStart: Int) -> UInt64? {
    guard let column, column[rowStart] != CampaignTables.missing else { return nil }
    return UInt64(bitPattern: column[rowStart])
  }

  /// What a calibrated score is multiplied with; 1 where nothing is drawn.
  func factor(_ campaign: Int, _ record: CampaignRecord, seed: UInt64) -> Double {
    guard record.flags & CheckBits.drawn != 0 else { return 1 }
    let posterior = posteriors.map { $0[campaign] } ?? .uniform
    var random = SplitMix64(seed: splitmix64(seed ^ record.key))
    return posterior.draw(&random) / posterior.mean
  }

  /// value · worth − price · cost, micros; what is no number counts as the least.
  @inline(__always)
  static func gain(value: Double, worth: Double, price: Double, cost: Double) -> Double {
    let gain = value * worth - price * cost
    return gain == gain ? gain : -.infinity
  }

  /// All checks of one campaign, one after the other: what the loop computes by blocks.
  func verdict(_ campaign: Int, rowStart: Int, calibrated: Double) -> Verdict {
    let record = tables.records[campaign]
    let standing = standings[campaign]
    var bits = checks(campaign, record, standing)
    if bits & CheckBits.segments != 0 { bits = checksWithSegments(bits, record) }
    let value = calibrated * factor(campaign, record, seed: seed)
    let gain = BoostRequest.gain(
      value: value, worth: record.worth, price: standing.price, cost: record.cost)
    var stage = CheckStage(failures: bits)
    if stage == .eligible, isCapped(record, rowStart: rowStart) { stage = .capped }
    return Verdict(stage: stage, gain: gain)
  }
}
