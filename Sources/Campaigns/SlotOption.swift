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
  /// Micros, with this request's draw; 0 where that is no boost.
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
  /// may have one. Empty for a user who is held out, and on a surface that takes no boosts.
  ///
  /// - Parameter affordable: how many more exposures a campaign (by index) can pay for now. A
  ///   campaign that can pay for none is left out.
  package func options(
    rows: UnsafePointer<Int32>, calibrated: UnsafePointer<Double>, count: Int,
    affordable: (Int32) -> Int32
  ) -> [SlotOption] {
    guard audience.arm != .control, !audience.isOff else { return [] }
    var options: [SlotOption] = []
    // As many as if every item was in three campaigns; more make it grow.
    options.reserveCapacity(RowEntry.inline * count)
    forEachPair(rows: rows, calibrated: calibrated, count: count) { position, pair, block, stage in
      guard stage == .eligible else { return }
      let room = affordable(block.campaigns[pair])
      guard room > 0 else { return }
      let score = calibrated[position].isFinite ? calibrated[position] : 0
      options.append(option(position, rows[position], pair, score, block, affordable: room))
    }
    return options
  }

  @inline(__always)
  private func option(
    _ position: Int, _ row: Int32, _ pair: Int, _ score: Double, _ block: BoostBlock,
    affordable: Int32
  ) -> SlotOption {
    let campaign = block.campaigns[pair]
    let flags = block.checks[pair]
    return SlotOption(
      position: Int32(truncatingIfNeeded: position), row: row, campaign: campaign,
      key: tables.keys[Int(campaign)], calibrated: score, worth: block.hot[pair].worth,
      charge: block.hot[pair].charge, gain: audience.placed(gain: block.gains[pair]),
      affordable: affordable,
      isCappedByCampaign: flags & CheckBits.byCampaign != 0,
      artist: flags & CheckBits.byArtist != 0 ? tables.number(tables.artists, row) : nil,
      release: flags & CheckBits.byRelease != 0 ? tables.number(tables.releases, row) : nil,
      isDrawn: flags & CheckBits.drawn != 0)
  }

  /// The gains of options with the draws of another seed.
  func gains(_ options: [SlotOption], seed: UInt64) -> [Double] {
    var factors: [Int32: Double] = [:]
    return options.map { option in
      guard option.isDrawn else { return option.gain }
      let factor =
        factors[option.campaign]
        ?? factor(Int(option.campaign), seed: seed)
      factors[option.campaign] = factor
      let value = BoostRequest.drawn(option.calibrated, factor: factor)
      return audience.placed(
        gain: BoostRequest.gain(value: value, worth: option.worth, charge: option.charge))
    }
  }
}
