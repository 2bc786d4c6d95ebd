internal import Allocation
internal import Core
internal import Ledger
internal import Transport
internal import Wire

/// `Release`: each token to its user's shard; answered when all is durable.
func handleRelease(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  LoopServices.from(context)._withUnsafeGuaranteedRef { loop in
    let call = ServerCall(pointer)
    do throws(CallFailure) {
      guard let runtime = loop.campaigns?.runtime else { throw CampaignRuntime.off }
      guard runtime.ledger.condition.isServing else { throw CampaignRuntime.ledgerHasStopped }
      var tokens = UnsafeBufferPointer<ByteSlice>(start: nil, count: 0)
      loop.reportArena.pointee.reset()
      if let failure = ReleaseRequestDecoder.decode(
        call.message, into: &tokens, arena: loop.reportArena)
      {
        throw failure
      }
      runtime.release(tokens, PendingCall(call, pointer))
    } catch {
      call.fail(error)
    }
  }
}

extension CampaignRuntime {
  /// On the loop.
  fileprivate func release(_ tokens: UnsafeBufferPointer<ByteSlice>, _ pending: PendingCall) {
    let answer = ReleaseAnswer(count: tokens.count, pending)
    var parts: [[(index: Int, claims: PlacementClaims)]] = Array(
      repeating: [], count: ledger.shards.count)
    for (index, token) in tokens.enumerated() {
      guard let claims = PlacementToken.decode(token, signer) else {
        answer.outcomes[index] = .forged
        continue
      }
      parts[ledger.shard(ofUserHash: claims.userHash)].append((index, claims))
    }
    answer.partsLeft = parts.count { !$0.isEmpty }
    if answer.partsLeft == 0 { return answer.send() }
    for (shard, part) in parts.enumerated() where !part.isEmpty {
      let isSent = ledger.onShard(shard) { [ledger] shard in
        let now = ledger.now()
        let outcomes = part.map { ($0.index, shard.release($0.claims, at: now)) }
        ledger.commit(shard) { result, _ in answer.take(outcomes, result) }
      }
      if !isSent { pending.fail(CallFailure(.unavailable, "the server is stopping")) }
    }
  }
}

/// The outcomes of one `Release`.
// Unchecked: after the loop has made it, the store's thread's alone.
private final class ReleaseAnswer: @unchecked Sendable {
  var outcomes: [Core.ReleaseOutcome]
  var partsLeft = 0
  private let pending: PendingCall

  init(count: Int, _ pending: PendingCall) {
    outcomes = Array(repeating: .unknown, count: count)
    self.pending = pending
  }

  func take(
    _ part: [(Int, Core.ReleaseOutcome)], _ result: Result<[Bool], StoreFailure>
  ) {
    if case .failure = result { return pending.fail(CampaignRuntime.ledgerHasStopped) }
    for (index, outcome) in part { outcomes[index] = outcome }
    partsLeft -= 1
    if partsLeft == 0 { send() }
  }

  func send() { pending.answer(ReleaseResponseEncoder.encode(outcomes)) }
}
