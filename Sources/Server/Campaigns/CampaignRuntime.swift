package import Allocation
internal import Campaigns
package import Core
package import Engine
internal import EventLoop
internal import Executors
package import Ledger
package import Logging
internal import Syscalls

/// Campaigns, budgets and deliveries of a server: the ledger's threads, the desk, and the board
/// that loops score by.
// Unchecked: what changes belongs to one thread each, as is said beside it.
package final class CampaignRuntime: @unchecked Sendable {
  let ledger: LedgerRuntime
  let signer: TokenSigner
  let presence: UserPresence
  let counts: DeliveryCounts
  let desk: CampaignDesk
  /// For files that are to be applied.
  let documents = DocumentRoom(limitBytes: Limits.serving.campaignBufferedBytes)
  private let deskThread: DeskThread
  /// The board that loops begin with.
  let firstBoard: BoardInUse
  /// The store's thread's own, from here on.
  private var loops: [LoopServices] = []
  /// What shards count by. On the desk's thread.
  private var keptCaps: CapRules
  private let pace: PaceKeeper

  var demand: PaceKeeper.Counter { pace.demand }

  static let off = CallFailure(
    .unimplemented, "campaigns are off: the server was started without --data DIR")
  static let ledgerHasStopped = CallFailure(
    .unavailable, "the ledger takes nothing at present: see the server's log")

  /// What a start takes.
  package struct Parts {
    package var serving: Serving
    package var executor: any ShardExecutor
    package var storage: any Storage
    package var signer: TokenSigner
    package var clock: Clock
    package var reading: LedgerClock.Reading
    /// CLOCK_BOOTTIME, milliseconds.
    package var bootMilliseconds: @Sendable () -> Int64
    /// Random.
    package var seed: UInt64
    package var logger: Logger

    package init(
      serving: Serving, executor: any ShardExecutor, storage: any Storage, signer: TokenSigner,
      clock: Clock, reading: LedgerClock.Reading,
      bootMilliseconds: @escaping @Sendable () -> Int64, seed: UInt64, logger: Logger
    ) {
      self.serving = serving
      self.executor = executor
      self.storage = storage
      self.signer = signer
      self.clock = clock
      self.reading = reading
      self.bootMilliseconds = bootMilliseconds
      self.seed = seed
      self.logger = logger
    }
  }

  /// Reads what is stored, and begins: leases of the start before are back in their budgets.
  package init(_ parts: Parts) throws(CampaignStartError) {
    let presence = UserPresence()
    let shardCount = parts.executor.shardCount
    let shards = (0..<shardCount).map { index in
      UserShard(
        index: index, shards: shardCount, capClock: .server,
        seed: splitmix64(parts.seed &+ UInt64(index)), signer: parts.signer, presence: presence)
    }
    let desk = CampaignDesk(parts.serving, clock: parts.clock)
    try desk.restore(try CampaignRuntime.campaigns(parts.storage))
    let recovered = try CampaignRuntime.recover(parts, desk, shards)
    keptCaps = desk.caps
    let anchor = recovered.clock.anchor
    let boot = parts.bootMilliseconds
    ledger = LedgerRuntime(
      shards: shards,
      store: AllocationStore(storage: parts.storage, recovered),
      executor: parts.executor, clock: parts.clock,
      now: { anchor.ledgerMilliseconds + max(0, boot() - anchor.bootMilliseconds) },
      logger: parts.logger)
    signer = parts.signer
    self.presence = presence
    self.desk = desk
    counts = DeliveryCounts()
    pace = PaceKeeper(
      clock: parts.clock, notes: recovered.notes, kept: LedgerTimes().journal)
    let totals = Dictionary(
      recovered.store.totals.map { ($0.campaign, $0) }, uniquingKeysWith: { first, _ in first })
    do throws(CampaignSetError) {
      pace.use(try desk.compile() ?? CampaignSet.empty(desk.items), desk.ordered) {
        totals[$0]
      }
    } catch {
      throw CampaignStartError("the stored campaigns cannot be served together: \(error)")
    }
    try CampaignRuntime.restoreSpend(parts.storage, desk, pace)
    firstBoard = BoardInUse(pace.board(), hasCaps: pace.hasCaps)
    do throws(SystemError) {
      deskThread = try DeskThread()
      ledger.setCosts(desk.costs)
      ledger.setKept(Int64(desk.caps.longestWindowSeconds) * 1_000)
      try ledger.start(
        LedgerRuntime.Events(
          tick: { [unowned self] store, _ throws(StoreFailure) in try tick(store) },
          conditionChanged: { [unowned self] in conditionChanged() }))
    } catch {
      throw CampaignStartError("\(error)")
    }
    desk.connect(
      CampaignDesk.Link(
        ledger: ledger, pace: pace, counted: { [unowned self] in counted($0) },
        publish: { [unowned self] in publish($0, paused: $1) }))
    parts.logger.info(
      "campaigns",
      metadata: [
        "campaigns": "\(desk.definitions.count)", "entries": "\(recovered.entries)",
        "start": "\(recovered.start)",
      ])
  }

  /// The loops that are told of new boards; they have the first one. `commitLatency` is counted
  /// from now on.
  func connect(_ loops: [LoopServices], commitLatency: MetricHistogram) {
    ledger.onStore { [self] _ in
      self.loops = loops
      ledger.setCommitLatency(commitLatency)
      // What happened before they were known.
      if !ledger.condition.isServing { conditionChanged() }
    }
  }

  /// No loop and no shard runs any more: what is decided is committed.
  func stop() {
    deskThread.stop()
    ledger.stop()
  }

  /// For whoever asks, on whatever thread.
  package var figures: @Sendable () -> LedgerFigures {
    let (gauges, condition) = (ledger.gauges, ledger.condition)
    return {
      var figures = gauges.figures
      (figures.state, figures.halts) = (condition.state, condition.halts)
      return figures
    }
  }

  // MARK: The desk

  /// Runs on the desk's thread, after what was asked before. False: too many wait.
  func onDesk(_ body: @escaping (CampaignDesk) -> Void) -> Bool {
    deskThread.perform { [desk] in body(desk) }
  }

  /// What loops have counted of a campaign since they were last asked; on the desk's thread, which
  /// waits for them.
  func counted(_ key: UInt64) -> [UInt64] {
    var totals = [UInt64](repeating: 0, count: TallyPlace.allCases.count)
    let shot = OneShot<[LoopServices]>()
    ledger.onStore({ _ in }) { [self] _, _ in shot.give(loops) }
    for loop in shot.wait() {
      let counts = OneShot<[UInt64]>()
      Posted.to(loop.eventLoop) {
        let tally = loop.campaigns?.tally
        counts.give(tally?.set.index(ofKey: key).map { tally?.drain($0) ?? [] } ?? [])
      }
      // A loop that has ended tells no more.
      for (place, count) in (counts.wait(milliseconds: 1_000) ?? []).enumerated() {
        totals[place] += count
      }
    }
    return totals
  }

  // MARK: Publishing

  /// From the desk: a new set, durable already.
  func publish(_ set: CampaignSet, paused: [UInt64]) {
    let (definitions, caps, costs) = (desk.ordered, desk.caps, desk.costs)
    // Shards first: whatever is placed by the new board is counted by its rules.
    if caps !== keptCaps || !paused.isEmpty {
      keptCaps = caps
      for index in ledger.shards.indices {
        _ = ledger.onShard(index) { [ledger] shard in
          shard.keep(caps)
          for campaign in paused { shard.returnLeases(of: campaign, at: ledger.now()) }
          ledger.flush(shard.index)
        }
      }
    }
    let done = OneShot<Void>()
    ledger.onStore { [self] store in
      ledger.setCosts(costs)
      ledger.setKept(Int64(caps.longestWindowSeconds) * 1_000)
      pace.use(set, definitions) { store.totals(of: $0) }
    } done: { [self] _, _ in
      spread(BoardInUse(pace.board(), hasCaps: pace.hasCaps))
      done.give(())
    }
    done.wait()
  }

  /// On the store's thread.
  private func tick(_ store: AllocationStore) throws(StoreFailure) {
    var figures = ledger.figures(store)
    (figures.paceErrorLargest, figures.paceErrorMean) = pace.paceError
    figures.outcomes = counts.all
    ledger.gauges.set(figures)
    // Prices stand still: what they see is no demand.
    guard ledger.condition.isServing else { return }
    if try pace.tick(store) { spread(BoardInUse(pace.board(), hasCaps: pace.hasCaps)) }
  }

  /// On the store's thread: boosts end or come back, watchers of health are told, and the desk
  /// takes up what it was not sure of.
  private func conditionChanged() {
    let isServing = ledger.condition.isServing
    pace.isHalted = !isServing
    spread(BoardInUse(pace.board(), hasCaps: pace.hasCaps))
    for loop in loops {
      Posted.to(loop.eventLoop) { loop.tellWatches() }
    }
    if isServing { _ = onDesk { $0.takeUp() } }
  }

  private func spread(_ inUse: BoardInUse) {
    for loop in loops {
      Posted.to(loop.eventLoop) { loop.campaigns?.use(inUse) }
    }
  }
}
