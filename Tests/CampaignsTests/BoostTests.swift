import Core
import Testing

@testable import Campaigns

/// The columns of one batch.
struct ServedBoosts {
  var boosts: [Float]
  var reasons: [UInt8]
  var keys: [UInt64]
  var campaigns: [Int32]

  init(_ request: BoostRequest, rows: [Int32], scores: [Double]) {
    boosts = Array(repeating: .nan, count: rows.count)
    reasons = Array(repeating: 0, count: rows.count)
    keys = Array(repeating: .max, count: rows.count)
    campaigns = Array(repeating: -2, count: rows.count)
    // At odd addresses: columns lie in a message.
    let room = UnsafeMutableRawPointer.allocate(byteCount: rows.count * 12 + 2, alignment: 16)
    defer { room.deallocate() }
    let keyRoom = room + 4 * rows.count + 1
    let count = rows.count
    reasons.withUnsafeMutableBufferPointer { reasons in
      campaigns.withUnsafeMutableBufferPointer { campaigns in
        guard let first = reasons.baseAddress else { return }
        request.boost(
          rows: rows, calibrated: scores, count: count,
          into: BoostColumns(
            boosts: room + 1, reasons: first, keys: keyRoom, campaigns: campaigns.baseAddress))
      }
    }
    for index in 0..<count {
      boosts[index] = (room + 1).loadUnaligned(fromByteOffset: index * 4, as: Float.self)
      keys[index] = keyRoom.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
    }
  }
}

@Suite struct BoostTests {
  /// Of every pair the bits, the reason, the key and the terms.
  @Test(arguments: [false, true])
  func batchesAreWhatThePlainOracleSays(extreme: Bool) throws {
    var random = SplitMix64(seed: extreme ? 11 : 5)
    var pairs = 0
    var byBits = 0
    var reasons: Set<BoostReason> = []
    while pairs < 120_000 {
      var world = BoostWorld.random(
        &random, count: Int(1 + random.next() % 30), extreme: extreme)
      if random.next() % 3 == 0 {
        world.policy.holdout = HoldoutRule(salt: "s", controlBuckets: 3_000)
      }
      // Requests of about that time go by bits, the others by all checks.
      world.boardTime = Int64(random.next() % 1_200)
      let board = try world.board
      for _ in 0..<4 {
        let request = world.request(&random)
        let rows = (0..<Int(random.next() % 300)).map { _ in
          [Int32(random.next() % 44), Int32(random.next() % 44), -1, .max, .min][
            Int(random.next() % 40) / 36 * (2 + Int(random.next() % 3))]
        }
        let scores = rows.map { _ in score(&random, extreme: extreme) }
        reasons.formUnion(try check(world, board, request, rows, scores))
        pairs += rows.count
        if board.isCurrent(at: request.time) { byBits += rows.count }
      }
    }
    let ofSlots: Set<BoostReason> = [.overload, .noCandidates]
    #expect(reasons == Set(BoostReason.allCases).subtracting(ofSlots), "every reason came up")
    #expect(byBits > 20_000 && pairs - byBits > 20_000)
  }

  private func score(_ random: inout SplitMix64, extreme: Bool) -> Double {
    let unit = Double(random.next() >> 11) * 0x1p-53
    guard extreme else { return random.next() % 20 == 0 ? 0 : unit }
    return [unit, unit * 1e-300, 0, 1, unit * 1e-12, .leastNonzeroMagnitude][
      Int(random.next() % 6)]
  }

  private func check(
    _ world: BoostWorld, _ board: CampaignBoard, _ request: BoostWorld.Request, _ rows: [Int32],
    _ scores: [Double]
  ) throws -> Set<BoostReason> {
    try request.with(board) { view in
      let oracle = BoostOracle(world) { id in
        guard let index = board.set.index(ofID: id) else { return .nan }
        let isDrawn = world.campaigns.contains { $0.id == id && $0.exploration == .thompson }
        return isDrawn ? view.factor(Int(index), seed: request.seed) : 1
      }
      let served = ServedBoosts(view, rows: rows, scores: scores)
      var reasons: Set<BoostReason> = []
      for index in rows.indices {
        let expected = oracle.answer(rows[index], scores[index], request)
        let reason = try #require(BoostReason(rawValue: served.reasons[index]))
        let answer = BoostOracle.Answer(
          boost: served.boosts[index].bitPattern, reason: reason, key: served.keys[index])
        try #require(answer == expected, "row \(rows[index]), score \(scores[index])")
        let explained = view.explain(row: rows[index], raw: 1.5, calibrated: scores[index])
        try #require(explained.boost.bitPattern == expected.boost)
        try #require(explained.reason == reason && explained.key == expected.key)
        try #require(evaluate(explained.terms).bitPattern == expected.boost)
        let surface = world.policy.surfaces[request.surface] ?? SurfaceBoost()
        try #require(explained.terms.weight == surface.weight)
        try #require((0...1).contains(explained.terms.value))
        try #require(served.campaigns[index] == explained.campaign)
        reasons.insert(reason)
      }
      return reasons
    }
  }

  /// The formula over the terms as a client has them: names and doubles.
  private func evaluate(_ terms: BoostTerms) -> Float {
    let named = Dictionary(
      uniqueKeysWithValues: zip(BoostTerms.names.map(\.description), terms.values))
    func term(_ name: String) -> Double { named[name] ?? .nan }
    let gain = term("value") * term("worth") - term("price") * term("cost")
    let boost = term("weight") * max(0, gain) / term("scale")
    #expect(gain == term("gain"))
    return Float(min(max(boost, 0), term("cap")))
  }

  @Test func anItemOfManyCampaignsIsCutOverBlocks() throws {
    var world = BoostWorld()
    world.rowCount = 3
    world.artists = [nil, nil, nil]
    world.releases = [nil, nil, nil]
    for number in 0..<Limits.campaignsPerItem {
      let id = "c\(1_000 + number)"
      world.campaigns.append(
        Campaign(
          id: id, items: ["1", "uri:1", "1"] + (number % 50 == 0 ? ["2"] : []), flight: 0..<1_000,
          budget: Micros(1), cost: .zero, worth: Micros(Int64(number * 37 % 251))))
      world.keys[id] = UInt64(number + 1)
    }
    let board = try world.board
    #expect(board.set.itemsKnown.allSatisfy { $0 == 1 || $0 == 2 })
    #expect(board.set.campaigns(ofRow: 1).map { $0 } == (0..<256).map { Int32($0) })
    #expect(board.set.campaigns(ofRow: 2).map { $0 } == [0, 50, 100, 150, 200, 250])
    let rows = (0..<400).map { Int32($0 % 4) }
    _ = try check(world, board, BoostWorld.Request(), rows, rows.map { _ in 0.5 })
  }

  /// Where a bit for each campaign costs more than the few candidates, all checks are made.
  @Test func bitsAreWorkedOutWhereTheyPay() throws {
    var random = SplitMix64(seed: 8)
    let world = BoostWorld.random(&random, count: 500, extreme: false)
    let board = try world.board
    try BoostWorld.Request().with(board) { view in
      #expect(view.tables.words == 8)
      #expect(view.hasOpenBits(candidates: 1) && !view.hasOpenBits(candidates: 0))
    }
    var late = BoostWorld.Request()
    late.time = 1_199
    #expect(!board.isCurrent(at: late.time))
    try late.with(board) { #expect(!$0.hasOpenBits(candidates: 500)) }
  }

  @Test func scoresThatAreNoNumbersBoostNothing() throws {
    var random = SplitMix64(seed: 2)
    let world = BoostWorld.random(&random, count: 20, extreme: false)
    let board = try world.board
    try BoostWorld.Request().with(board) { view in
      for score in [Double.nan, .infinity, -.infinity] {
        let rows = (0..<40).map { Int32($0) }
        let served = ServedBoosts(view, rows: rows, scores: rows.map { _ in score })
        let zero = ServedBoosts(view, rows: rows, scores: rows.map { _ in 0 })
        #expect(served.boosts == zero.boosts && served.reasons == zero.reasons)
      }
    }
  }

  @Test func aBlockHoldsAnyCandidate() {
    #expect(BoostBlock.pairs >= Limits.campaignsPerItem)
    #expect(MemoryLayout<RowEntry>.size == 16 && MemoryLayout<CampaignHot>.stride == 32)
    #expect(BoostReason.allCases.allSatisfy { $0.number == $0.rawValue })
  }
}
