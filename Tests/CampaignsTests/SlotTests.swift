import Core
import Testing

@testable import Campaigns

@Suite struct SlotTests {
  private func option(
    _ position: Int, campaign: Int, gain: Double, affordable: Int32 = .max, isCapped: Bool = false,
    artist: Int64? = nil, release: Int64? = nil, row: Int? = nil
  ) -> SlotOption {
    SlotOption(
      position: Int32(position), row: Int32(row ?? position), campaign: Int32(campaign),
      key: UInt64(campaign), calibrated: 0, worth: 0, charge: 0, gain: gain,
      affordable: affordable, isCappedByCampaign: isCapped, artist: artist, release: release,
      isDrawn: false)
  }

  private func choose(
    _ options: [SlotOption], _ slots: Int, limit: Int = Limits.slotSteps
  ) -> (options: [Int], isOptimal: Bool) {
    BoostRequest.choose(options, gains: options.map(\.gain), slots: slots, stepLimit: limit)
  }

  /// The rules, written as what must not be there.
  private func isAllowed(_ options: [SlotOption], _ chosen: [Int], slots: Int) -> Bool {
    let picked = chosen.map { options[$0] }
    func isOnce<T: Hashable>(_ names: [T]) -> Bool { Set(names).count == names.count }
    return picked.count <= slots && picked.allSatisfy { $0.gain > 0 } && isOnce(picked.map(\.row))
      && isOnce(picked.filter(\.isCappedByCampaign).map(\.campaign))
      && isOnce(picked.compactMap(\.artist)) && isOnce(picked.compactMap(\.release))
      && picked.allSatisfy { one in
        picked.filter { $0.campaign == one.campaign }.count <= Int(one.affordable)
      }
  }

  private func bruteForce(_ options: [SlotOption], slots: Int) -> Double {
    var best = 0.0
    for subset in 0..<(1 << options.count) {
      let chosen = options.indices.filter { subset >> $0 & 1 == 1 }
      guard chosen.count <= slots, isAllowed(options, chosen, slots: slots) else { continue }
      best = max(best, chosen.reduce(0) { $0 + options[$1].gain })
    }
    return best
  }

  @Test func choicesAreTheBestThereAre() {
    var random = SplitMix64(seed: 9)
    var beatsGreedy = 0
    for round in 0..<1_500 {
      let campaigns = Int(1 + random.next() % 4)
      let affordable = (0..<campaigns).map { _ in Int32(1 + random.next() % 3) }
      let capped = (0..<campaigns).map { _ in random.next() % 2 == 0 }
      let options = (0..<Int(random.next() % 12)).map { position in
        let campaign = Int(random.next() % UInt64(campaigns))
        return option(
          position, campaign: campaign, gain: Double(Int(random.next() % 60)) - 5,
          affordable: affordable[campaign], isCapped: capped[campaign],
          artist: random.next() % 2 == 0 ? Int64(random.next() % 3) : nil,
          release: random.next() % 3 == 0 ? Int64(random.next() % 3) : nil,
          row: Int(random.next() % 8))
      }
      let slots = Int(random.next() % 6)
      let (chosen, isOptimal) = choose(options, slots)
      let gain = chosen.reduce(0) { $0 + options[$1].gain }
      #expect(isOptimal && isAllowed(options, chosen, slots: slots), "round \(round)")
      #expect(gain == bruteForce(options, slots: slots), "round \(round)")
      let greedy = choose(options, slots, limit: 0).options
      #expect(isAllowed(options, greedy, slots: slots))
      if greedy.reduce(0, { $0 + options[$1].gain }) < gain { beatsGreedy += 1 }
    }
    #expect(beatsGreedy > 50, "the search was needed")
  }

  @Test func theLargestGainIsNotAlwaysTaken() {
    // One item of the artist in campaign 0, or two that do not disturb each other.
    let options = [
      option(0, campaign: 0, gain: 10, isCapped: true, artist: 1),
      option(1, campaign: 0, gain: 8, isCapped: true),
      option(2, campaign: 1, gain: 7, artist: 1),
    ]
    #expect(choose(options, 2).options == [1, 2])
    #expect(choose(options, 1).options == [0])
    #expect(choose(options, 2, limit: 0).options == [0])
    #expect(!choose(options, 2, limit: 0).isOptimal)
  }

  @Test func withoutConflictsNothingIsSearched() {
    var random = SplitMix64(seed: 4)
    let options = (0..<1_500).map {
      option($0, campaign: $0 % 700, gain: Double(random.next() >> 40), row: $0 % 500)
    }
    let (chosen, isOptimal) = choose(options, 10, limit: 2_000)
    #expect(isOptimal && chosen.count == 10)
    let bestOfItems = (0..<500).map { row -> Double in
      options.filter { $0.row == row }.map(\.gain).max() ?? 0
    }
    #expect(chosen.map { options[$0].gain } == bestOfItems.sorted(by: >).prefix(10).map { $0 })
  }

  @Test func tiesGoByCampaignThenPosition() {
    let options = [
      option(3, campaign: 2, gain: 5), option(2, campaign: 1, gain: 5),
      option(1, campaign: 1, gain: 5), option(0, campaign: 3, gain: 5),
    ]
    #expect(choose(options, 3).options == [2, 1, 0])
  }

  @Test func aSearchThatIsStoppedStillAnswers() {
    // Pairs that all disturb each other, of nearly the same gain: bounds help little.
    var random = SplitMix64(seed: 6)
    let options = (0..<400).map {
      option(
        $0, campaign: $0 % 20, gain: 1_000 + Double(random.next() % 7), isCapped: true,
        artist: Int64(random.next() % 30), release: Int64(random.next() % 30),
        row: Int(random.next() % 40))
    }
    let (chosen, isOptimal) = choose(options, 20, limit: 50_000)
    #expect(!isOptimal && isAllowed(options, chosen, slots: 20))
    #expect(choose(options, 20, limit: 50_000).options == chosen)
  }

  @Test func gainsThatAreNoneAreNotPlaced() {
    let options = [
      option(0, campaign: 0, gain: 0), option(1, campaign: 0, gain: -1),
      option(2, campaign: 0, gain: .infinity), option(3, campaign: 0, gain: -.infinity),
    ]
    #expect(choose(options, 5).options.isEmpty)
    #expect(choose([], 5).options.isEmpty && choose([], 5).isOptimal)
  }
}
