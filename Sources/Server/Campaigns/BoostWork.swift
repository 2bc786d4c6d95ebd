internal import Allocation
internal import Campaigns
internal import Core
internal import Crypto
internal import Engine
internal import EventLoop
internal import Signals
internal import Wire

/// The part of a batch that boosts are for: who asks, and of which board.
struct BoostWork {
  /// Held until the answer is there: the audience points into it.
  let inUse: BoardInUse
  let audience: Audience
  let seed: UInt64
  let wantsExplanations: Bool
  /// What the user has had; nil: nothing, or nobody needs to know.
  var scopeWords: UnsafeMutableBufferPointer<UInt32>?
  var scopeWordCount = 0
  /// When caps are judged, by the shards' `CapClock`.
  let capNow: UInt32

  /// Whether the user's shard is asked before the batch is scored: it was at work.
  var asksShard = false

  /// What the user has had, if the shard's thread leaves it to this one; a message there and back
  /// costs as much as all boosts of a batch.
  fileprivate mutating func readScopes(of user: UInt64, _ ledger: LedgerRuntime) {
    guard let words = scopeWords else { return }
    let shard = ledger.shard(ofUserHash: splitmix64(user))
    if let count = ledger.peek(shard, { $0.copyScopes(of: user, into: words) }) {
      scopeWordCount = count
    } else {
      asksShard = true
    }
  }

  /// The request of one part of the batch.
  func request() -> BoostRequest {
    var scopes = UserScopes.none
    if scopeWordCount > 0, let words = scopeWords?.baseAddress {
      scopes = UserScopes(CapRecord(words: words), now: capNow)
    }
    return inUse.board.request(
      audience: audience, scopes: scopes, ledgerMilliseconds: 0, seed: seed)
  }

  /// What the answer's columns may take.
  func room(_ count: Int) -> BoostRoom {
    BoostRoom(
      armBytes: audience.arm.text.utf8CodeUnitCount, boostScaleBytes: inUse.scale.count,
      explanationBytes: wantsExplanations
        ? ScoreExplanation.capacity(count: count, names: BoostTerms.names) : 0)
  }
}

extension UnsafeMutablePointer where Pointee == ScoreWork {
  /// Works out for whom boosts are, once the batch is planned.
  func prepareBoosts(
    _ view: ScoreRequestView, _ blueprint: Blueprint, _ loop: LoopServices,
    forAllocation: Bool = false
  ) throws(CallFailure) {
    guard let campaigns = loop.campaigns else { throw ScoreWork.campaignsAreOff }
    guard view.wantBoosts || forAllocation else {
      throw CallFailure(
        .invalidArgument, "want_explanations explains boosts: set want_boosts, too",
        field: "want_explanations")
    }
    guard blueprint.declaration.output != .raw else {
      throw CallFailure(
        .invalidArgument,
        "the output of model \(blueprint.declaration.name) is raw: what it is worth is not known",
        field: "model")
    }
    let board = campaigns.inUse.board
    campaigns.runtime.demand.add()
    let user = pointee.call.pointee.userID
    // Money goes by this clock, whatever the features' time is.
    let time =
      forAllocation
      ? loop.engine.clock.unixMilliseconds() : pointee.call.pointee.timeUnixMilliseconds
    guard
      let audience = board.set.audience(
        market: view.market, surface: view.surface, tier: view.tier, segments: view.segments,
        timeUnixMilliseconds: time, user: user,
        bucket: ScoreWork.bucket(board.set.policy.holdout, user: user))
    else {
      throw CallFailure(
        .invalidArgument,
        "context.segments has \(view.segments.count); the limit is \(Limits.requestSegments)",
        field: "context.segments")
    }
    var boost = BoostWork(
      inUse: campaigns.inUse, audience: audience, seed: loop.random.next(),
      wantsExplanations: view.wantExplanations,
      capNow: CapClock.server.deciseconds(at: campaigns.runtime.ledger.now()))
    let mayBeCapped =
      campaigns.inUse.hasCaps && user != 0 && audience.arm != .control
      && campaigns.runtime.presence.mayHave(splitmix64(user))
    if mayBeCapped, !forAllocation {
      guard
        let words = pointee.arena.pointee.allocate(UInt32.self, count: CapRecord.wordsMost)
      else { throw ScoreWork.noRoom }
      boost.scopeWords = UnsafeMutableBufferPointer(start: words, count: CapRecord.wordsMost)
      boost.readScopes(of: user, campaigns.runtime.ledger)
    }
    guard
      let room = pointee.arena.pointee.allocate(byteCount: MemoryLayout<BoostWork>.stride)
    else { throw ScoreWork.noRoom }
    pointee.boost = room.bindMemory(to: BoostWork.self, capacity: 1)
    pointee.boost?.initialize(to: boost)
  }

  /// Asks the user's shard what the user has had; then the batch is scored.
  func askShard(_ loop: LoopServices) {
    let user = pointee.call.pointee.userID
    guard let runtime = loop.campaigns?.runtime, let boost = pointee.boost,
      let words = boost.pointee.scopeWords
    else {
      preconditionFailure("boosts are prepared before a shard is asked")
    }
    let work = self
    let eventLoop = loop.eventLoop
    let isSent = runtime.ledger.onShard(runtime.ledger.shard(ofUserHash: splitmix64(user))) {
      let count = $0.copyScopes(of: user, into: words)
      Posted.to(eventLoop) {
        boost.pointee.scopeWordCount = count
        work.pointee.services._withUnsafeGuaranteedRef { work.start($0) }
      }
    }
    guard !isSent else { return }
    // The server stops.
    pointee.call.pointee.cancel()
    start(loop)
  }

  /// What boosts need beside the answer, in the arena.
  func boostMemory(_ count: Int, isPart: Bool, wantsRaw: Bool) throws(CallFailure) -> BoostMemory {
    let arena = pointee.arena
    let isCounted =
      pointee.boost.map {
        CampaignTally.isCounted(
          seed: $0.pointee.seed, campaigns: $0.pointee.inUse.board.set.count)
      } ?? false
    guard let outputs = arena.pointee.allocate(Double.self, count: count),
      let rows = arena.pointee.allocate(Int32.self, count: isPart ? count : 0),
      let raw = arena.pointee.allocate(Double.self, count: wantsRaw ? count : 0),
      let campaigns = arena.pointee.allocate(Int32.self, count: isCounted ? count : 0)
    else { throw ScoreWork.noRoom }
    return BoostMemory(
      outputs: outputs, rows: isPart ? rows : nil, raw: wantsRaw ? raw : nil,
      campaigns: isCounted ? campaigns : nil)
  }

  /// Boosts of the candidates of one answer.
  func writeBoosts(_ answer: ScoreAnswer, _ loop: LoopServices) -> (
    reason: BoostReason?, explanations: [ScoreExplanation]
  ) {
    guard let boost = pointee.boost, let columns = answer.boosts, let memory = answer.memory,
      let all = pointee.call.pointee.rows
    else { return (nil, []) }
    let (rows, outputs) = (answer.rows(of: all, memory), memory.outputs)
    let request = boost.pointee.request()
    var served = Campaigns.BoostColumns(
      boosts: columns.boosts, reasons: columns.reasons, keys: columns.campaignKeys)
    served.campaigns = memory.campaigns
    request.boost(rows: rows, calibrated: outputs, count: answer.candidates, into: served)
    if let campaigns = memory.campaigns {
      loop.campaigns?.count(
        request, rows: rows, calibrated: outputs, count: answer.candidates, served: campaigns)
    }
    var explanations: [ScoreExplanation] = []
    if boost.pointee.wantsExplanations {
      for index in 0..<answer.candidates {
        explanations.append(answer.explanation(index, rows[index], outputs[index], request))
      }
    }
    return (answer.uniformReason(columns.reasons), explanations)
  }
}

/// Of one answer, in the arena.
struct BoostMemory: BitwiseCopyable {
  /// Scores before they are rounded.
  let outputs: UnsafeMutablePointer<Double>
  /// Of a part's candidates.
  let rows: UnsafeMutablePointer<Int32>?
  /// Raw scores that are explained and are no column of the answer.
  let raw: UnsafeMutablePointer<Double>?
  /// The campaign of each candidate's boost, where the batch is counted for diagnoses.
  let campaigns: UnsafeMutablePointer<Int32>?
}

extension ScoreAnswer {
  /// The rows of its candidates, one after the other.
  fileprivate func rows(of all: UnsafePointer<Int32>, _ memory: BoostMemory) -> UnsafePointer<Int32>
  {
    guard let positions, let rows = memory.rows else { return all }
    for index in 0..<candidates { rows[index] = all[Int(positions[index])] }
    return UnsafePointer(rows)
  }

  fileprivate func explanation(
    _ index: Int, _ row: Int32, _ output: Double, _ request: BoostRequest
  ) -> ScoreExplanation {
    let raw = columns.rawScores?.loadUnaligned(fromByteOffset: 8 * index, as: Double.self) ?? .nan
    let terms = request.explain(row: row, raw: raw, calibrated: output).terms
    return ScoreExplanation(
      position: position(index),
      terms: zip(BoostTerms.names, terms.values).map { .init(name: $0, value: $1) })
  }

  /// The reason that all have, if they do.
  fileprivate func uniformReason(_ reasons: UnsafeMutablePointer<UInt8>) -> BoostReason? {
    guard candidates > 0 else { return nil }
    // Eight at a time.
    let (bytes, first) = (UnsafeRawPointer(reasons), reasons[0])
    let eight = UInt64(first) &* 0x0101_0101_0101_0101
    var index = 0
    while index + 8 <= candidates {
      guard bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) == eight else { return nil }
      index += 8
    }
    while index < candidates {
      guard reasons[index] == first else { return nil }
      index += 1
    }
    return BoostReason(rawValue: first)
  }
}

extension ScoreWork {
  static let campaignsAreOff = CallFailure(
    .unimplemented,
    "want_boosts and want_explanations need campaigns, which are off: serve with --data DIR")

  static let noRoom = CallFailure(
    .resourceExhausted, "the request takes more memory than a request may take",
    retryPushbackMilliseconds: -1)

  /// The user's bucket in the holdout.
  fileprivate static func bucket(_ rule: HoldoutRule?, user: UInt64) -> Int {
    guard let rule, user != 0 else { return 0 }
    let digest = rule.message(user: user).withUnsafeBytes { SHA256.digest(of: $0) }
    let start = digest.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    return HoldoutRule.bucket(digestStart: UInt64(littleEndian: start))
  }
}
