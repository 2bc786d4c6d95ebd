internal import Core

/// What goes into the slots of one answer.
package struct SlotChoice: Sendable, Equatable {
  package struct Placement: Sendable, Equatable, BitwiseCopyable {
    /// Of the candidate in its request.
    package var position: Int32
    package var row: Int32
    package var campaign: Int32
    package var key: UInt64
    /// Micros, more than 0.
    package var gain: Double
    /// The calibrated score, without a draw.
    package var calibrated: Double
    /// How likely this pair was to be placed, over the draws: in 0 ..< 1 of a request with a
    /// campaign that explores, estimated; 1 where nothing is drawn. Never 0.
    package var propensity: Double
  }

  /// The largest gain first.
  package var placements: [Placement]
  /// No other choice gains more; false where the search was stopped at its limit.
  package var isOptimal: Bool
}

extension BoostRequest {
  /// At most `slots` of the options with the largest sum of gains, all over 0: each item once, at
  /// most one for each cap (user × campaign, artist, release of the campaigns' rules), and no
  /// more of a campaign than it can pay for. The same for the same request and seed.
  package func place(_ options: [SlotOption], slots: Int) -> SlotChoice {
    let isDrawn = options.contains { $0.isDrawn }
    let limit = isDrawn ? Limits.slotStepsDrawn : Limits.slotSteps
    let (chosen, isOptimal) = BoostRequest.choose(
      options, gains: options.map(\.gain), slots: slots, stepLimit: limit)
    let propensities =
      isDrawn
      ? propensities(of: chosen, options, slots: slots, stepLimit: limit)
      : [Double](repeating: 1, count: chosen.count)
    let placements = zip(chosen, propensities).map { index, propensity in
      let option = options[index]
      return SlotChoice.Placement(
        position: option.position, row: option.row, campaign: option.campaign, key: option.key,
        gain: option.gain, calibrated: option.calibrated, propensity: propensity)
    }
    return SlotChoice(placements: placements, isOptimal: isOptimal)
  }

  static func choose(
    _ options: [SlotOption], gains: [Double], slots: Int, stepLimit: Int
  ) -> (options: [Int], isOptimal: Bool) {
    var search = SlotSearch(
      RankedOptions(options, gains: gains), slots: slots, stepLimit: stepLimit)
    return search.run()
  }

  /// Of each chosen pair in how many of `Limits.propensityDraws` further draws it is placed again:
  /// (hits + 1) ÷ (draws + 1), the one being the draw that was served.
  private func propensities(
    of chosen: [Int], _ options: [SlotOption], slots: Int, stepLimit: Int
  ) -> [Double] {
    struct Pair: Hashable {
      var row: Int32
      var campaign: Int32
    }
    var hits: [Pair: Int] = [:]
    for index in chosen {
      hits[Pair(row: options[index].row, campaign: options[index].campaign)] = 0
    }
    var seeds = SplitMix64(seed: seed)
    for _ in 0..<Limits.propensityDraws {
      let again = BoostRequest.choose(
        options, gains: gains(options, seed: seeds.next()), slots: slots, stepLimit: stepLimit)
      for index in again.options {
        let pair = Pair(row: options[index].row, campaign: options[index].campaign)
        if let count = hits[pair] { hits[pair] = count + 1 }
      }
    }
    return chosen.map { index in
      let pair = Pair(row: options[index].row, campaign: options[index].campaign)
      return Double((hits[pair] ?? 0) + 1) / Double(Limits.propensityDraws + 1)
    }
  }
}
