package import Core

/// What a boost is made of, in the order in which it is told.
package struct BoostTerms: Sendable, Equatable, BitwiseCopyable {
  /// The model's raw sum.
  package var raw: Double
  package var calibrated: Double
  /// The calibrated score, times the draw of a campaign that explores; 0 where the reason keeps the
  /// campaign out.
  package var value: Double
  /// Micros of one goal.
  package var worth: Double
  /// Where the reason keeps the campaign out, at least 0.
  package var price: Double
  /// Micros of one exposure.
  package var cost: Double
  /// Micros: value · worth − price · cost.
  package var gain: Double
  /// Of the surface.
  package var weight: Double
  package var scale: Double
  package var cap: Double

  package static let names: [StaticString] = [
    "raw", "calibrated", "value", "worth", "price", "cost", "gain", "weight", "scale", "cap",
  ]

  /// Beside `names`.
  package var values: [Double] {
    [raw, calibrated, value, worth, price, cost, gain, weight, scale, cap]
  }

  /// The formula on these terms alone, in double, left to right, rounded once.
  package var boost: Float {
    BoostTerms.boost(
      gain: BoostRequest.gain(value: value, worth: worth, charge: price * cost),
      weight: weight, scale: scale, cap: cap)
  }

  /// clip(weight · max(0, gain) ÷ scale, 0, cap).
  @inline(__always)
  static func boost(gain: Double, weight: Double, scale: Double, cap: Double) -> Float {
    let boost = weight * (gain > 0 ? gain : 0) / scale
    // Of an infinite gain at weight 0 nothing is left; `<` is false of what is no number.
    return Float(boost < cap ? boost : boost >= cap ? cap : 0)
  }
}

/// A candidate's boost with all that led to it.
package struct ExplainedBoost: Sendable, Equatable, BitwiseCopyable {
  package var boost: Float
  package var reason: BoostReason
  /// As in `BoostColumns`.
  package var key: UInt64
  package var campaign: Int32
  package var terms: BoostTerms
}

extension BoostRequest {
  /// One candidate's boost, as the batch has it, and its terms: of the campaign that the reason is
  /// about; of none, worth, price and cost are 0.
  package func explain(row: Int32, raw: Double, calibrated: Double) -> ExplainedBoost {
    withUnsafeTemporaryAllocation(byteCount: 24, alignment: 8) { room in
      guard let start = room.baseAddress else { preconditionFailure("24 bytes have an address") }
      let reasons = (start + 16).bindMemory(to: UInt8.self, capacity: 1)
      let campaigns = (start + 12).bindMemory(to: Int32.self, capacity: 1)
      withUnsafePointer(to: row) { row in
        withUnsafePointer(to: calibrated) { calibrated in
          boost(
            rows: row, calibrated: calibrated, count: 1,
            into: BoostColumns(
              boosts: start + 8, reasons: reasons, keys: start, campaigns: campaigns))
        }
      }
      let reason = BoostReason(rawValue: reasons.pointee) ?? .noCampaign
      return ExplainedBoost(
        boost: start.load(fromByteOffset: 8, as: Float.self), reason: reason,
        key: start.load(as: UInt64.self), campaign: campaigns.pointee,
        terms: terms(campaigns.pointee, reason, raw: raw, calibrated: calibrated))
    }
  }

  private func terms(
    _ campaign: Int32, _ reason: BoostReason, raw: Double, calibrated: Double
  ) -> BoostTerms {
    let score = calibrated.isFinite ? calibrated : 0
    let takesPart =
      switch reason {
      case .ok, .paced, .worthless, .surfaceOff: true
      default: false
      }
    var terms = BoostTerms(
      raw: raw, calibrated: score, value: takesPart ? score : 0, worth: 0, price: 0, cost: 0,
      gain: 0, weight: audience.weight, scale: audience.scale, cap: audience.cap)
    guard campaign >= 0 else { return terms }
    let record = tables.records[Int(campaign)]
    if takesPart, record.flags & CheckBits.drawn != 0 {
      terms.value = BoostRequest.drawn(score, factor: factor(Int(campaign), seed: seed))
    }
    terms.worth = record.worth
    let price = standings[Int(campaign)].price
    terms.price = takesPart ? price : max(price, 0)
    terms.cost = record.cost
    terms.gain = BoostRequest.gain(
      value: terms.value, worth: terms.worth, charge: terms.price * terms.cost)
    return terms
  }
}
