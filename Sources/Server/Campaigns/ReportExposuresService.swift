internal import Allocation
internal import Core
internal import Engine
internal import EventLoop
internal import Ledger
internal import Transport
internal import Wire

/// A `ReportExposures` call: batches of exposures, each acknowledged once everything up to it is
/// durable. It lives as long as its last batch. Touched by its loop's thread alone.
final class ReportStream {
  let loop: Unmanaged<LoopServices>
  /// Nil once nobody waits any more.
  private var stream: UnsafeMutableRawPointer?
  /// Of the next batch; nil before the first.
  private var nextSequence: UInt64?
  /// In their order; those that are done wait for the ones before them.
  private var batches: [ReportBatch] = []
  private var isHalfClosed = false
  private var isPaused = false
  /// What ends the call once the batches that came before it are acknowledged.
  private var fault: CallFailure?

  init(_ stream: UnsafeMutableRawPointer, _ loop: Unmanaged<LoopServices>) {
    self.stream = stream
    self.loop = loop
  }

  func take(_ message: ByteSlice, credit: Int64, _ runtime: CampaignRuntime, _ loop: LoopServices)
    throws(CallFailure)
  {
    guard runtime.ledger.condition.isServing else { throw CampaignRuntime.ledgerHasStopped }
    var view = ReportExposuresRequestView()
    loop.reportArena.pointee.reset()
    if let failure = ReportExposuresRequestDecoder.decode(
      message, into: &view, arena: loop.reportArena)
    {
      throw failure
    }
    if let expected = nextSequence, view.sequence != expected {
      throw CallFailure(
        .outOfRange, "sequence \(view.sequence) came where \(expected) was expected",
        field: "sequence")
    }
    nextSequence = view.sequence &+ 1
    let batch = ReportBatch(view.sequence, count: view.exposures.count, credit: credit)
    batches.append(batch)
    send(view.exposures, batch, runtime)
    if batch.isDone { acknowledge() }
    pace()
  }

  private static let times = LedgerTimes()

  /// Each exposure to its user's shard.
  private func send(
    _ exposures: UnsafeBufferPointer<ExposureView>, _ batch: ReportBatch,
    _ runtime: CampaignRuntime
  ) {
    let ledger = runtime.ledger
    let now = loop._withUnsafeGuaranteedRef { $0.engine.clock.unixMilliseconds() }
    let ledgerToUnix = now - ledger.now()
    var parts: [[ReportedExposure]] = Array(repeating: [], count: ledger.shards.count)
    for (index, exposure) in exposures.enumerated() {
      guard let claims = PlacementToken.decode(exposure.token, runtime.signer) else {
        batch.outcomes[index] = .forged
        continue
      }
      guard
        claims.mayBeHeard(
          at: exposure.timeUnixMilliseconds, now: now, ledgerToUnix: ledgerToUnix,
          times: ReportStream.times)
      else {
        batch.outcomes[index] = .invalidTime
        continue
      }
      parts[ledger.shard(ofUserHash: claims.userHash)].append(
        ReportedExposure(index: index, claims: claims, goal: exposure.goal))
    }
    batch.partsLeft = parts.count { !$0.isEmpty }
    for (shard, part) in parts.enumerated() where !part.isEmpty {
      let isSent = ledger.onShard(shard) { [self] shard in
        settle(part, on: shard, batch, ledger)
      }
      if !isSent { return fail(CallFailure(.unavailable, "the server is stopping")) }
    }
  }

  /// On the user's shard.
  private func settle(
    _ part: [ReportedExposure], on shard: UserShard, _ batch: ReportBatch, _ ledger: LedgerRuntime
  ) {
    let now = ledger.now()
    var outcomes: [(index: Int, outcome: ExposureOutcome)] = []
    outcomes.reserveCapacity(part.count)
    var late: [Int] = []
    for exposure in part {
      if let outcome = shard.report(exposure.claims, goal: exposure.goal, at: now) {
        outcomes.append((exposure.index, outcome))
      } else {
        late.append(exposure.index)
      }
    }
    let eventLoop = loop._withUnsafeGuaranteedRef { $0.eventLoop }
    ledger.commit(shard) { [self] result, _ in
      switch result {
      case .success(let arePaid):
        for (index, isPaid) in zip(late, arePaid) {
          outcomes.append((index, isPaid ? .settledLate : .unpaid))
        }
        let decided = outcomes
        Posted.to(eventLoop) { self.settled(decided, of: batch) }
      case .failure:
        Posted.to(eventLoop) { self.fail(CampaignRuntime.ledgerHasStopped) }
      }
    }
  }

  private func settled(_ part: [(index: Int, outcome: ExposureOutcome)], of batch: ReportBatch) {
    for (index, outcome) in part { batch.outcomes[index] = outcome }
    batch.partsLeft -= 1
    if batch.isDone { acknowledge() }
  }

  /// Everything up to the last batch of a whole row that is done.
  private func acknowledge() {
    let done = batches.prefix { $0.isDone }
    guard let last = done.last, let stream else { return }
    batches.removeFirst(done.count)
    var (settled, credit): (Int, Int64) = (0, 0)
    var exceptions: [ExposureException] = []
    for batch in done {
      credit += batch.credit
      for (index, outcome) in batch.outcomes.enumerated() {
        guard let outcome, outcome != .settled else {
          settled += 1
          continue
        }
        exceptions.append(
          ExposureException(sequence: batch.sequence, index: UInt32(index), outcome: outcome))
      }
    }
    loop._withUnsafeGuaranteedRef { $0.campaigns?.runtime.counts.add(exceptions, settled: settled) }
    let bytes = ReportExposuresResponseEncoder.encode(
      ackedThrough: last.sequence, settled: settled, exceptions: exceptions)
    let call = ServerCall(stream)
    do throws(CallFailure) {
      try call.send(bytes, answering: credit)
    } catch {
      return fail(error)
    }
    unpause()
    finishIfDone()
  }

  func halfClose() {
    isHalfClosed = true
    finishIfDone()
  }

  private func finishIfDone() {
    guard batches.isEmpty else { return }
    if let fault { return fail(fault) }
    guard isHalfClosed, let stream else { return }
    self.stream = nil
    ServerCall(stream).release(self)
    ServerCall(stream).finish()
  }

  /// Ends the call with a fault of its client's, after what came before it; takes no more.
  func end(_ failure: CallFailure) {
    guard let stream, fault == nil else { return }
    guard !batches.isEmpty else { return fail(failure) }
    fault = failure
    isPaused = true
    ServerCall(stream).pauseReading()
  }

  func fail(_ failure: CallFailure) {
    guard let stream else { return }
    self.stream = nil
    ServerCall(stream).release(self)
    ServerCall(stream).fail(failure)
  }

  /// Nobody waits any more; what is under way is settled nevertheless.
  func cancel() {
    guard let stream else { return }
    self.stream = nil
    ServerCall(stream).release(self)
  }

  // MARK: Pace

  /// Takes no more batches while as many as may are under way, or acknowledgements do not go.
  private func pace() {
    guard let stream, !isPaused else { return }
    let call = ServerCall(stream)
    guard batches.count >= Limits.reportBatches || !call.wantsMore() else { return }
    isPaused = true
    call.pauseReading()
  }

  func unpause() {
    guard let stream, isPaused, fault == nil, batches.count <= Limits.reportBatches / 2 else {
      return
    }
    let call = ServerCall(stream)
    guard call.wantsMore() else { return }
    isPaused = false
    call.resumeReading()
  }
}

/// An exposure whose token was found good.
struct ReportedExposure {
  let index: Int
  let claims: PlacementClaims
  let goal: Bool
}

/// One batch of a report, until it is acknowledged. Its loop's alone.
final class ReportBatch {
  let sequence: UInt64
  let credit: Int64
  var outcomes: [ExposureOutcome?]
  /// Shards that have not told of their part.
  var partsLeft = 0

  var isDone: Bool { partsLeft == 0 }

  init(_ sequence: UInt64, count: Int, credit: Int64) {
    self.sequence = sequence
    self.credit = credit
    outcomes = Array(repeating: nil, count: count)
  }
}

// MARK: What the transport calls

func startReport(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  let services = LoopServices.from(context)
  services._withUnsafeGuaranteedRef { loop in
    let call = ServerCall(pointer)
    guard loop.campaigns != nil else { return call.fail(CampaignRuntime.off) }
    call.retain(ReportStream(pointer, services))
  }
}

func handleReport(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  LoopServices.from(context)._withUnsafeGuaranteedRef { loop in
    let call = ServerCall(pointer)
    guard let report = call.attached(ReportStream.self), let runtime = loop.campaigns?.runtime
    else {
      return
    }
    do throws(CallFailure) {
      try report.take(call.message, credit: call.messageCredit, runtime, loop)
    } catch {
      report.end(error)
    }
  }
}

func halfCloseReport(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  ServerCall(pointer).attached(ReportStream.self)?.halfClose()
}

func resumeReport(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  ServerCall(pointer).attached(ReportStream.self)?.unpause()
}

func cancelReport(_ context: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer) {
  ServerCall(pointer).attached(ReportStream.self)?.cancel()
}
