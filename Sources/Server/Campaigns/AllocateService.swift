internal import Allocation
internal import Campaigns
internal import Core
internal import Crypto
internal import Engine
internal import Ledger
internal import Signals
internal import Transport
internal import Wire

/// `Allocate`: scores on the loop or its shards, then one message to the user's shard, then the
/// commit, then the answer.
func handleAllocate(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let services = LoopServices.from(context)
  services._withUnsafeGuaranteedRef { loop in
    let call = ServerCall(pointer)
    let work = loop.pool.take(services)
    work.pointee.stream = pointer
    work.pointee.kind = .allocation
    do throws(CallFailure) {
      guard let campaigns = loop.campaigns else { throw CampaignRuntime.off }
      // Before it costs anything.
      guard campaigns.runtime.ledger.condition.isServing else {
        throw CampaignRuntime.ledgerHasStopped
      }
      var view = AllocateRequestView()
      if let failure = AllocateRequestDecoder.decode(
        call.message, into: &view, arena: work.pointee.arena)
      {
        throw failure
      }
      let begun = try work.begin(view, call, loop)
      let pending = PendingCall(call, pointer)
      pending.work = work
      work.pointee.allocation = AllocationWork(pending: pending, asked: begun)
      work.start(loop)
    } catch {
      loop.pool.giveBack(work)
      call.fail(loop.advised(error))
    }
  }
}

/// Of an allocation, while its candidates are scored.
struct AllocationWork {
  let pending: PendingCall
  let asked: AllocationAsked

  /// Nobody is named, or only by a URI that the snapshot does not know.
  static func noUser(_ uri: ByteSlice) -> CallFailure {
    uri.isEmpty
      ? CallFailure(
        .invalidArgument, "Allocate needs user_id: caps and reservations are a user's",
        field: "user_id")
      : CallFailure(
        .invalidArgument,
        "the snapshot has no user \(uri.text), and Allocate needs one: send user_id",
        field: "user_uri")
  }
}

/// What an allocation asks for, and where its scores are, in the arena.
struct AllocationAsked {
  var user: UInt64
  var requestID: RequestID
  var digest: RequestID
  var slots: Int
  var count: Int
  var scores: UnsafeMutablePointer<Float>
  var outputs: UnsafeMutablePointer<Double>
}

extension UnsafeMutablePointer where Pointee == ScoreWork {
  fileprivate func begin(_ view: AllocateRequestView, _ call: ServerCall, _ loop: LoopServices)
    throws(CallFailure) -> AllocationAsked
  {
    let digest = SHA256.digest(of: call.message.bytes)
    var request = ScoreRequestView()
    do throws(CallFailure) {
      try prepare(
        view.request, call, startedNanoseconds: call.startedNanoseconds,
        deadlineNanoseconds: call.deadlineNanoseconds, into: &request, loop)
      guard pointee.call.pointee.userID != 0 else {
        throw AllocationWork.noUser(request.userURI)
      }
    } catch {
      throw error.inside("request")
    }
    let (arena, count) = (pointee.arena, request.candidateCount)
    guard let scores = arena.pointee.allocate(Float.self, count: count),
      let outputs = arena.pointee.allocate(Double.self, count: count),
      let fidelities = arena.pointee.allocate(UInt8.self, count: count),
      let reasons = arena.pointee.allocate(UInt8.self, count: count)
    else { throw ScoreWork.noRoom }
    pointee.call.pointee.setColumns(
      ScoreColumns(
        scores: UnsafeMutableRawPointer(scores), rawScores: nil, fidelities: fidelities,
        reasons: reasons, outputs: outputs))
    return AllocationAsked(
      user: pointee.call.pointee.userID, requestID: RequestID(view.requestID.bytes),
      digest: digest.withUnsafeBytes { RequestID($0) }, slots: view.slots, count: count,
      scores: scores, outputs: outputs)
  }

  /// The candidates are scored: what may be placed goes to the user's shard.
  func finishAllocation(_ loop: LoopServices) {
    guard let allocation = pointee.allocation else {
      return loop.pool.giveBack(self)
    }
    let pending = allocation.pending
    pending.work = nil
    guard let stream = pointee.stream else { return loop.pool.giveBack(self) }
    let call = ServerCall(stream)
    do throws(CallFailure) {
      let outcome = try loop.engine.outcome(pointee.call)
      let began = loop.engine.clock.monotonicNanoseconds()
      let request = allocationRequest(allocation.asked, outcome, loop)
      loop.note(outcome, of: allocation.asked.count, call, since: began)
      loop.pool.giveBack(self)
      loop.campaigns?.runtime.allocate(request, pending)
    } catch {
      loop.pool.giveBack(self)
      pending.end { $0.fail(loop.advised(error)) }
    }
  }

  private func allocationRequest(
    _ asked: AllocationAsked, _ outcome: ScoreOutcome, _ loop: LoopServices
  ) -> AllocationRequest {
    guard let boost = pointee.boost, let rows = pointee.call.pointee.rows,
      let provenance = pointee.provenance?.pointee
    else { preconditionFailure("prepared before it is finished") }
    let request = boost.pointee.request()
    let options = request.options(
      rows: rows, calibrated: asked.outputs, count: asked.count, affordable: { _ in .max })
    var scores: [Int32: Float] = [:]
    for option in options { scores[option.position] = asked.scores[Int(option.position)] }
    let encoder = AllocationEncoder(
      requestID: asked.requestID, provenance: provenance, inUse: boost.pointee.inUse,
      audience: boost.pointee.audience,
      timeUnixMilliseconds: pointee.call.pointee.timeUnixMilliseconds,
      treesUsed: outcome.treesUsed, scores: scores,
      ledgerToUnix: loop.engine.clock.unixMilliseconds()
        - (loop.campaigns?.runtime.ledger.now() ?? 0))
    let items = loop.engine.serving.snapshot.items
    return AllocationRequest(
      user: asked.user, requestID: asked.requestID, digest: asked.digest, slots: asked.slots,
      board: boost.pointee.inUse.board, request: request, options: options,
      reasons: reasons(asked, rows, request, loop),
      item: { items.id(Int($0)) }, encode: { encoder.encode($0, $1) })
  }

  /// Why candidates are not to be placed, as their boosts say.
  private func reasons(
    _ asked: AllocationAsked, _ rows: UnsafePointer<Int32>, _ request: BoostRequest,
    _ loop: LoopServices
  ) -> [BoostReason: Int] {
    withUnsafeTemporaryAllocation(byteCount: asked.count * 17, alignment: 8) { room in
      guard let keys = room.baseAddress, asked.count > 0 else { return [:] }
      let boosts = keys + 8 * asked.count
      let campaigns = (boosts + 4 * asked.count).assumingMemoryBound(to: Int32.self)
      let reasons = UnsafeMutableRawPointer(campaigns + asked.count)
        .assumingMemoryBound(to: UInt8.self)
      request.boost(
        rows: rows, calibrated: asked.outputs, count: asked.count,
        into: Campaigns.BoostColumns(
          boosts: boosts, reasons: reasons, keys: keys, campaigns: campaigns))
      loop.campaigns?.count(
        request, rows: rows, calibrated: asked.outputs, count: asked.count, served: campaigns)
      var counts: [BoostReason: Int] = [:]
      for index in 0..<asked.count {
        counts[BoostReason(rawValue: reasons[index]) ?? .noCampaign, default: 0] += 1
      }
      return counts
    }
  }
}

/// Writes an allocation's answer, on the user's shard.
struct AllocationEncoder {
  let requestID: RequestID
  let provenance: ProvenanceTemplate
  let inUse: BoardInUse
  let audience: Audience
  let timeUnixMilliseconds: Int64
  let treesUsed: Int
  /// By position, of those that may be placed.
  let scores: [Int32: Float]
  /// What the wall clock is ahead of ledger time, milliseconds.
  let ledgerToUnix: Int64

  func encode(_ granted: [GrantedPlacement], _ unfilled: BoostReason) -> [UInt8] {
    var texts = TextKeeper()
    let records = granted.enumerated().map { slot, placement in
      let choice = placement.choice
      return PlacementRecord(
        slot: UInt32(slot), position: UInt32(choice.position), itemID: placement.item,
        campaignKey: choice.key,
        campaignID: texts.keep(Array(inUse.board.set.ids[Int(choice.campaign)].utf8)),
        score: scores[choice.position] ?? 0, boost: audience.boost(gain: choice.gain),
        propensity: choice.propensity, token: texts.keep(placement.token),
        cost: placement.reservation.placement.amount,
        expiresUnixMilliseconds: placement.reservation.expires + ledgerToUnix)
    }
    defer { texts.free() }
    return AllocateResponseEncoder.encode(
      requestID: texts.keep(requestID.bytes), provenance: provenance,
      details: ProvenanceDetails(
        timeUnixMilliseconds: timeUnixMilliseconds, treesUsed: treesUsed,
        arm: ByteSlice(audience.arm.text), boostScale: inUse.scale),
      placements: records, unfilledReason: unfilled)
  }
}

/// Bytes that live until a message has been written.
private struct TextKeeper {
  private var blocks: [UnsafeMutableRawBufferPointer] = []

  mutating func keep(_ bytes: [UInt8]) -> ByteSlice {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    block.copyBytes(from: bytes)
    blocks.append(block)
    return ByteSlice(UnsafeRawBufferPointer(block))
  }

  func free() {
    for block in blocks { block.deallocate() }
  }
}

extension RequestID {
  /// From 16 bytes.
  init(_ bytes: UnsafeRawBufferPointer) {
    self.init(
      high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }

  var bytes: [UInt8] {
    [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
  }
}

extension CampaignRuntime {
  /// To the user's shard, and from there to the store.
  func allocate(_ request: AllocationRequest, _ pending: PendingCall) {
    let index = ledger.shard(ofUserHash: splitmix64(request.user))
    let isSent = ledger.onShard(index) { [self] shard in place(request, on: shard, pending) }
    if !isSent { pending.fail(CallFailure(.unavailable, "the server is stopping")) }
  }

  /// On the user's shard.
  private func place(_ request: AllocationRequest, on shard: UserShard, _ pending: PendingCall) {
    var request = request
    switch shard.allocate(&request, at: ledger.now()) {
    case .placed(let answer):
      ledger.commit(shard) { result, _ in
        switch result {
        case .success: pending.answer(answer)
        case .failure: pending.fail(CampaignRuntime.ledgerHasStopped)
        }
      }
    case .repeated:
      let (user, id) = (request.user, request.requestID)
      // What went to the store before this is durable when it is asked.
      ledger.onStore({ _ in }) { failure, store in
        let answer = failure == nil ? try? store.answer(user: user, requestID: id) : nil
        guard let answer else { return pending.fail(CampaignRuntime.ledgerHasStopped) }
        pending.answer(answer)
      }
    case .conflict:
      pending.fail(
        CallFailure(
          .alreadyExists, "request_id was used for another request", field: "request_id"))
    case .waits:
      ledger.park(shard.index) { [self, request] in place(request, on: shard, pending) }
    case .full:
      pending.fail(
        CallFailure(
          .resourceExhausted, "as much is reserved as may be: retry later",
          retryPushbackMilliseconds: 1_000))
    }
  }
}
