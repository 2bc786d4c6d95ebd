internal import Allocation
internal import Core
internal import Executors
internal import Ledger
internal import Logging
internal import Syscalls

/// The threads of the ledger: every user shard on its shard's thread, the store on a thread of its
/// own, messages between them. Nothing waits for anything, but a shard's thread for the microsecond
/// in which a loop reads what a user has had.
// Unchecked: `shards[i]` belongs to whoever holds `turns[i]`, `store` to the store's thread; the
// rest never changes once `start` was called.
final class LedgerRuntime: @unchecked Sendable {
  let executor: any ShardExecutor
  let shards: [UserShard]
  /// Held by a shard's thread while it works on the ledger's mail, and by a loop that reads.
  private let turns: [Turn]
  /// Ledger time, milliseconds; never goes back.
  let now: @Sendable () -> Int64
  let logger: Logger
  private let store: AllocationStore
  private var thread: GroupThread?
  let gauges: LedgerGauges
  let condition = LedgerCondition()
  private let clock: Clock
  /// Of commits, nanoseconds; the store's thread's own, as all that follows.
  private var longestCommit = LongestOfLate()
  private var commitLatency: MetricHistogram?
  private var events = Events()
  private var nextTick: Int64 = 0
  private var nextMark: Int64 = 0
  private var nextTry: Int64 = 0
  /// Of one exposure, by campaign.
  private(set) var costs: [UInt64: Micros] = [:]
  private var compaction = CompactionTurns()

  /// What the store's thread calls.
  struct Events {
    /// About twice a second.
    var tick: (AllocationStore, _ now: Int64) throws(StoreFailure) -> Void = { _, _ in }
    /// After each change of `condition`.
    var conditionChanged: () -> Void = {}
  }

  init(
    shards: [UserShard], store: AllocationStore, executor: any ShardExecutor,
    clock: Clock, now: @escaping @Sendable () -> Int64, logger: Logger
  ) {
    gauges = LedgerGauges(shards: shards.count)
    self.clock = clock
    self.shards = shards
    self.store = store
    self.executor = executor
    self.now = now
    self.logger = logger
    turns = shards.map { _ in Turn() }
  }

  /// Of every campaign that was ever funded; before `start`.
  var totalsBeforeStart: [CampaignTotals] { store.totals }

  /// From now on the store's thread runs.
  func start(_ events: Events) throws(SystemError) {
    self.events = events
    let runtime = Unmanaged.passUnretained(self)
    thread = try GroupThread(
      name: "ledger", tickNanoseconds: Limits.ledgerTickMilliseconds * 1_000_000
    ) { group in
      runtime._withUnsafeGuaranteedRef { $0.work(group) }
    }
  }

  /// Commits what is there, and returns when the thread has ended. No shard runs any more.
  func stop() {
    thread?.stop()
    thread = nil
    do throws(StorageError) {
      try store.close()
    } catch {
      logger.warning("the ledger is whole, but was not tidied", metadata: ["reason": "\(error)"])
    }
  }

  // MARK: Shards

  func shard(ofUserHash hash: UInt64) -> Int { Int(hash % UInt64(shards.count)) }

  /// Runs `body` on the thread of a shard. False when the server stops: it will not run.
  func onShard(_ shard: Int, _ body: @escaping (UserShard) -> Void) -> Bool {
    post(shard) { [self] index in
      body(shards[index])
      ask(index)
    }
  }

  /// Reads a shard from another thread, now, if its own is not at work on it; nil: it is.
  func peek<Result>(_ shard: Int, _ body: (UserShard) -> Result) -> Result? {
    turns[shard].lock.withLockIfAvailable { _ in body(shards[shard]) }
  }

  // Unchecked: `parked` is touched by whoever holds the lock.
  private final class Turn: @unchecked Sendable {
    let lock = Guarded<Void>(())
    /// Allocations of this shard that wait for leases.
    var parked: [() -> Void] = []

    func takeParked() -> [() -> Void] {
      defer { parked = [] }
      return parked
    }
  }

  func post(_ shard: Int, _ body: @escaping (Int) -> Void) -> Bool {
    Posted.to(executor, shard: shard) { [turns] index in
      turns[index].lock.withLock { _ in body(index) }
    }
  }

  /// On a shard's thread: what it has decided goes to the store; `done` is called there once it is
  /// durable, with what became of its late exposures, or why nothing is any more.
  func commit(
    _ shard: UserShard, done: @escaping (Result<[Bool], StoreFailure>, AllocationStore) -> Void
  ) {
    let (records, expected) = (shard.takeOutbox(), shard.takeExpected())
    var arePaid: [Bool] = []
    onStore { store throws(StoreFailure) in
      arePaid = try store.take(records)
      store.expect(expected)
    } done: { failure, store in
      done(failure.map { .failure($0) } ?? .success(arePaid), store)
    }
  }

  /// On a shard's thread: `body` runs again, there, once the leases that were asked for have come
  /// or have been refused.
  func park(_ shard: Int, _ body: @escaping () -> Void) {
    turns[shard].parked.append(body)
  }

  /// On a shard's thread: what waited there for leases.
  func takeParked(_ index: Int) -> [() -> Void] { turns[index].takeParked() }

  /// What a shard has decided without anybody waiting for it.
  func flush(_ index: Int) {
    let records = shards[index].takeOutbox()
    guard !records.isEmpty else { return }
    onStore { store throws(StoreFailure) in _ = try store.take(records) }
  }

  // MARK: The store

  private struct Mail {
    /// First: the thread's mailbox holds the address.
    var link = MailboxLink()
    let prepare: (AllocationStore) throws(StoreFailure) -> Void
    let done: (StoreFailure?, AllocationStore) -> Void
  }

  /// From any thread. `prepare` runs on the store's thread, with whatever else waits, then all is
  /// committed as one group, and `done` is called there.
  func onStore(
    _ prepare: @escaping (AllocationStore) throws(StoreFailure) -> Void,
    done: @escaping (StoreFailure?, AllocationStore) -> Void = { _, _ in }
  ) {
    let mail = UnsafeMutablePointer<Mail>.allocate(capacity: 1)
    mail.initialize(to: Mail(prepare: prepare, done: done))
    let link = UnsafeMutableRawPointer(mail).assumingMemoryBound(to: MailboxLink.self)
    guard let thread else { preconditionFailure("the ledger is asked before it has started") }
    thread.put(link)
  }

  /// On the store's thread: what one exposure of each campaign costs.
  func setCosts(_ costs: [UInt64: Micros]) { self.costs = costs }

  /// On the store's thread: how far caps look back, milliseconds.
  func setKept(_ kept: Int64) { compaction.kept = kept }

  /// On the store's thread: where each commit's time is counted from now on.
  func setCommitLatency(_ histogram: MetricHistogram) { commitLatency = histogram }

  /// After how many nanoseconds it is to be called again, if nothing comes; nil: after a tick.
  private func work(_ group: UnsafeMutablePointer<MailboxLink>?) -> UInt64? {
    var next = group
    while let link = next {
      let mail = UnsafeMutableRawPointer(link).assumingMemoryBound(to: Mail.self)
      next = link.pointee.next
      // A failure is kept by the store, and told to all of the group.
      do throws(StoreFailure) { try mail.pointee.prepare(store) } catch { tell(error) }
    }
    commit { store throws(StoreFailure) in try store.commit() }
    next = group
    while let link = next {
      let mail = UnsafeMutableRawPointer(link).assumingMemoryBound(to: Mail.self)
      next = link.pointee.next
      mail.pointee.done(store.halt, store)
      mail.deinitialize(count: 1)
      mail.deallocate()
    }
    tickIfDue()
    do throws(StoreFailure) {
      return try compaction.turn(store, at: now(), isIdle: group == nil, clock, logger)
    } catch {
      tell(error)
      return nil
    }
  }

  private func tickIfDue() {
    let now = now()
    guard now >= nextTick else { return }
    nextTick = now + Int64(Limits.ledgerTickMilliseconds)
    tryAgain(now)
    do throws(StoreFailure) {
      try events.tick(store, now)
      commit { store throws(StoreFailure) in try store.commit() }
      if condition.isServing { try mark(store, now) }
    } catch {
      tell(error)
    }
    // What ends while nothing can be written ends afterwards.
    guard condition.isServing else { return }
    // Shards give their leases back themselves; the store takes none away. After the machine has
    // slept, what a shard decided before may still be on its way, by a lease that has ended since.
    for index in shards.indices {
      _ = post(index) { [self] index in
        _ = shards[index].expire(upTo: now, limit: Limits.ledgerExpiries)
        gauges.set(shards[index])
        flush(index)
      }
    }
  }

  /// Now and then. Where it cannot be, the mark that is there stays: it tells of less, truly.
  private func mark(_ store: AllocationStore, _ now: Int64) throws(StoreFailure) {
    guard now >= nextMark else { return }
    nextMark = now + Limits.storageMarkMilliseconds
    guard let error = try store.mark() else { return }
    logger.warning("the ledger's mark cannot be written", metadata: ["reason": "\(error)"])
  }

  /// Counts the time of what it commits.
  private func commit(_ body: (AllocationStore) throws(StoreFailure) -> Void) {
    let began = clock.monotonicNanoseconds()
    let commits = store.commits
    do throws(StoreFailure) { try body(store) } catch { tell(error) }
    guard store.commits > commits else { return }
    let took = clock.monotonicNanoseconds() - began
    commitLatency?.record(took)
    longestCommit.record(took, at: now())
  }

  /// What the storage refused of late, once more.
  private func tryAgain(_ now: Int64) {
    guard store.interruption != nil, now >= nextTry else { return }
    commit { store throws(StoreFailure) in try store.resume() }
    guard store.halt == nil else {
      nextTry = self.now() + Limits.ledgerRetryMilliseconds
      return
    }
    logger.notice("the ledger goes on: what waited is durable")
    condition.set(.serving)
    events.conditionChanged()
  }

  /// The ledger's own part of the figures; on the store's thread.
  func figures(_ store: AllocationStore) -> LedgerFigures {
    var figures = LedgerFigures()
    (figures.leased, figures.stranded) = store.out(at: now())
    figures.openLeases = store.openLeases
    figures.openReservations = store.openReservations
    figures.commits = store.commits
    figures.records = store.recordsCommitted
    figures.compacted = store.entriesCompacted
    figures.commitNanosecondsLargest = longestCommit.value(at: now())
    return figures
  }

  /// One line for each change; what fails because of it afterwards says nothing new.
  private func tell(_ failure: StoreFailure) {
    let state: LedgerCondition.State = store.failure == nil ? .waiting : .stopped
    guard condition.state != state else { return }
    condition.set(state)
    nextTry = now() + Limits.ledgerRetryMilliseconds
    let message = condition.notice ?? ""
    logger.critical("\(message)", metadata: ["reason": "\(store.halt ?? failure)"])
    events.conditionChanged()
  }
}
