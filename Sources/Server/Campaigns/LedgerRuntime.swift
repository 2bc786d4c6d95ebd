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
  private let clock: Clock
  /// Of commits, nanoseconds; the store's thread's own.
  private(set) var commitNanoseconds: UInt64 = 0
  private var commitNanosecondsLargest: UInt64 = 0
  private var hasToldOfFailure = false
  /// Called on the store's thread about once a second.
  private var tick: (AllocationStore, _ now: Int64) throws(StoreFailure) -> Void = { _, _ in }
  private var nextTick: Int64 = 0
  /// Of one exposure, by campaign; the store's thread's own.
  private var costs: [UInt64: Micros] = [:]
  /// How much of the journal stays, milliseconds; the store's thread's own.
  private var kept: Int64 = 0
  /// When the next slice of a compaction is due, monotonic nanoseconds.
  private var nextCompaction: UInt64 = 0

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
  func start(
    tick: @escaping (AllocationStore, _ now: Int64) throws(StoreFailure) -> Void
  ) throws(SystemError) {
    self.tick = tick
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

  private func post(_ shard: Int, _ body: @escaping (Int) -> Void) -> Bool {
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

  /// On a shard's thread: asks the store for the leases that the shard wants.
  func ask(_ index: Int) {
    for wish in shards[index].takeWishes() {
      var (lease, isSpent): (Lease?, Bool) = (nil, true)
      onStore { [self] store throws(StoreFailure) in
        guard let cost = costs[wish.campaign] else { return }
        lease = try store.lease(wish, holder: UInt32(index), quantum: cost, at: now())
        isSpent = store.totals(of: wish.campaign).map { $0.budget < cost } ?? true
      } done: { [self] _, _ in
        answer(index, wish.campaign, lease, isSpent: isSpent)
      }
    }
  }

  private func answer(_ index: Int, _ campaign: UInt64, _ lease: Lease?, isSpent: Bool) {
    // When the server stops, the lease is reclaimed at the next start.
    _ = post(index) { [self] index in
      let now = now()
      if let lease {
        shards[index].grant(lease, at: now)
      } else {
        shards[index].refuse(
          campaign, isSpent: isSpent, until: now + Limits.leaseRetryMilliseconds)
      }
      let waiting = turns[index].takeParked()
      for body in waiting { body() }
      flush(index)
      ask(index)
    }
  }

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
  func setKept(_ kept: Int64) { self.kept = kept }

  private func work(_ group: UnsafeMutablePointer<MailboxLink>?) {
    var next = group
    while let link = next {
      let mail = UnsafeMutableRawPointer(link).assumingMemoryBound(to: Mail.self)
      next = link.pointee.next
      // A failure is kept by the store, and told to all of the group.
      do throws(StoreFailure) { try mail.pointee.prepare(store) } catch { tell(error) }
    }
    let began = clock.monotonicNanoseconds()
    let commits = store.commits
    do throws(StoreFailure) { try store.commit() } catch { tell(error) }
    if store.commits > commits {
      let took = clock.monotonicNanoseconds() - began
      commitNanoseconds += took
      commitNanosecondsLargest = max(commitNanosecondsLargest, took)
    }
    next = group
    while let link = next {
      let mail = UnsafeMutableRawPointer(link).assumingMemoryBound(to: Mail.self)
      next = link.pointee.next
      mail.pointee.done(store.failure, store)
      mail.deinitialize(count: 1)
      mail.deallocate()
    }
    tickIfDue()
    compactIfDue()
  }

  /// A slice of the journal, once all of the group are answered; where there is more to do, in a
  /// part of this thread's time.
  private func compactIfDue() {
    let began = clock.monotonicNanoseconds()
    guard began >= nextCompaction else { return }
    var hasMore = false
    do throws(StoreFailure) {
      hasMore = try store.compact(at: now(), kept: kept)
    } catch {
      tell(error)
    }
    let ended = clock.monotonicNanoseconds()
    let pause =
      hasMore
      ? (ended - began) * (Limits.compactionShare - 1) : Limits.ledgerTickMilliseconds * 1_000_000
    nextCompaction = ended + pause
  }

  private func tickIfDue() {
    let now = now()
    guard now >= nextTick else { return }
    nextTick = now + Int64(Limits.ledgerTickMilliseconds)
    do throws(StoreFailure) {
      try tick(store, now)
      try store.commit()
    } catch {
      tell(error)
    }
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

  /// The ledger's own part of the figures; on the store's thread.
  func figures(_ store: AllocationStore) -> LedgerFigures {
    var figures = LedgerFigures()
    (figures.leased, figures.stranded) = store.out(at: now())
    figures.openLeases = store.openLeases
    figures.openReservations = store.openReservations
    figures.commits = store.commits
    figures.records = store.recordsCommitted
    figures.compacted = store.entriesCompacted
    figures.commitNanoseconds = commitNanoseconds
    figures.commitNanosecondsLargest = commitNanosecondsLargest
    commitNanosecondsLargest = 0
    return figures
  }

  private func tell(_ failure: StoreFailure) {
    guard !hasToldOfFailure else { return }
    hasToldOfFailure = true
    logger.critical(
      "the ledger has stopped: nothing is allocated or settled until a restart",
      metadata: ["reason": "\(failure)"])
  }
}
