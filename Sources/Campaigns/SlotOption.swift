internal import Core

/// An item that may be placed, with the campaign that would pay for it.
package struct SlotOption: Sendable, BitwiseCopyable {
  /// Of the candidate in its request.
  package var position: Int32
  /// The item; several positions may have it, and it is placed once.
  package var row: Int32
  package var campaign: Int32
  package var key: UInt64
  /// The calibrated score, without a draw.
  package var calibrated: Double
  package var worth: Double
  /// price · cost, micros.
  package var charge: Double
  /// Micros, with this request's draw.
  package var gain: Double
  /// How many more exposures the campaign can pay for now.
  package var affordable: Int32
  /// Whether the campaign's caps count by user × campaign; the artist's and the release's number
  /// where they count by those.
  package var isCappedByCampaign: Bool
  package var artist: Int64?
  package var release: Int64?
  /// Whether the campaign's value is drawn.
  package var isDrawn: Bool
}

extension BoostRequest {
  /// Every pair of a candidate and an eligible campaign, whatever its gain: with another draw it
  /// may have one. Empty for a user who is held out.
  ///
  /// - Parameter affordable: how many more exposures a campaign (by index) can pay for now. A
  ///   campaign that can pay for none is left out.
  package func options(
    rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>, count: Int,
    affordable: (Int32) -> Int32
  ) -> [SlotOption] {
    guard audience.arm != .control else { return [] }
    var options: [SlotOption] = []
    for position in 0..<count where isKnown(rows[position]) {
      let row = rows[position]
      let score = calibrated[position].isFinite ? calibrated[position] : 0
      for campaign in tables.campaigns(ofRow: Int(row)) {
        let verdict = verdict(Int(campaign), row: row, calibrated: score)
        guard verdict.stage == .eligible else { continue }
        let room = affordable(campaign)
        guard room > 0 else { continue }
        options.append(
          option(position, row, campaign, score, gain: verdict.gain, affordable: room))
      }
    }
    return options
  }

  private func option(
    _ position: Int, _ row: Int32, _ campaign: Int32, _ score: Double, gain: Double,
    affordable: Int32
  ) -> SlotOption {
    let record = tables.records[Int(campaign)]
    var option = SlotOption(
      position: Int32(truncatingIfNeeded: position), row: row, campaign: campaign,
      key: record.key, calibrated: score, worth: record.worth,
      charge: hot[Int(campaign)].charge, gain: gain, affordable: affordable,
      isCappedByCampaign: false, artist: nil, release: nil,
      isDrawn: record.flags & CheckBits.drawn != 0)
    for index in 0..<Int(record.capCount) {
      let scope = tables.caps[Int(record.capStart) + index].scope
      guard let key = capKey(scope, record, row) else { continue }
      switch scope {
      case .userCampaign: option.isCappedByCampaign = true
      case .userArtist: option.artist = Int64(bitPattern: key)
      case .userRelease: option.release = Int64(bitPattern: key)
      }
    }
    return option
  }

  /// The gains of options with the draws of another seed.
  func gains(_ options: [SlotOption], seed: UInt64) -> [Double] {
    var factors: [Int32: Double] = [:]
    return options.map { option in
      guard option.isDrawn else { return option.gain }
      let factor =
        factors[option.campaign]
        ?? factor(Int(option.campaign), tables.records[Int(option.campaign)], seed: seed)
      factors[option.campaign] = factor
      return BoostRequest.gain(
        value: option.calibrated * factor, worth: option.worth, charge: option.charge)
    }
  }
}
