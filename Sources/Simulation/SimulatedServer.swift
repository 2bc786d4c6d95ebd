internal import Allocation
internal import Campaigns
internal import Core
internal import Ledger

/// One life of a server, from its start to its end: the production code, with queues in the place
/// of threads. Its messages are those of `LedgerRuntime` and `CampaignRuntime`, in their order.
final class SimulatedServer {
  struct StoreMail {
    let prepare: (AllocationStore) throws(StoreFailure) -> Void
    let done: (StoreFailure?) -> Void
  }

  unowned let simulation: Simulation
  let storage: SimulatedStorage
  let shards: [UserShard]
  let store: AllocationStore
  let isSameBoot: Bool
  private let anchor: LedgerClock.Anchor
  var shardMail: [MailQueue<(UserShard) -> Void>]
  var storeMail = MailQueue<StoreMail>()
  var loopMail = MailQueue<() -> Void>()
  var deskMail = MailQueue<() -> Void>()
  /// Allocations that wait for leases.
  private var parked: [[() -> Void]]
  /// Of one exposure, by campaign.
  var costs: [UInt64: Micros] = [:]
  var nextTick: Int64 = 0
  /// At the end of a world: nothing breaks any more.
  var isDraining = false
  var facts: [Fact] = []
  /// What loops serve by.
  var boards: [ServedBoard] = []
  var desk: SimulatedDesk
  var crashesBetweenAnswers = false
  /// When what is being decided is decided: answers say so.
  var decidedAt: Int64 = 0
  /// Steps until somebody begins it anew, once its ledger has stopped.
  var stepsLeft: Int?

  init(_ simulation: Simulation, _ storage: SimulatedStorage) throws(RecoveryError) {
    self.simulation = simulation
    self.storage = storage
    let count = simulation.shardCount
    let seed = simulation.random.next()
    shards = (0..<count).map { index in
      UserShard(
        index: index, shards: count, times: Simulation.times, capClock: .server,
        seed: splitmix64(seed &+ UInt64(index)), signer: simulation.signer,
        presence: simulation.presence)
    }
    desk = SimulatedDesk()
    do throws(StorageError) { try desk.restore(storage, simulation.definitions) } catch {
      throw .storage(error)
    }
    for shard in shards { shard.keep(desk.rules) }
    let shardOf: @Sendable (UInt64) -> Int = { Int(splitmix64($0) % UInt64(count)) }
    let flaw = simulation.flaw
    let recovered = try Recovery.recover(
      storage,
      RecoverySetup(
        times: Simulation.times, shards: count, shardOf: shardOf,
        reading: simulation.clocks.reading, seed: seed)
    ) { [shards] event in
      if flaw == .capsForgotten { return }
      shards[shardOf(event.placement.user)].restore(event)
    }
    for (index, shard) in shards.enumerated() {
      let requests =
        flaw == .requestsForgotten ? IdempotencyTable(seed: seed) : recovered.requests[index]
      shard.resume(recovered.shards[index], requests)
    }
    anchor = recovered.clock.anchor
    isSameBoot = recovered.clock.isSameBoot
    store = AllocationStore(storage: storage, recovered)
    shardMail = Array(repeating: MailQueue(), count: count)
    parked = Array(repeating: [], count: count)
    costs = desk.costs
    let board = desk.board(isSpent: [], prices: [], at: simulation.clocks.unix)
    boards = Array(repeating: board, count: 2)
  }

  /// Ledger time.
  func now() -> Int64 {
    anchor.ledgerMilliseconds
      + max(0, simulation.clocks.reading.bootMilliseconds - anchor.bootMilliseconds)
  }

  func shard(of user: UInt64) -> Int { Int(splitmix64(user) % UInt64(shards.count)) }

  var isToEnd: Bool { stepsLeft == 0 }

  var openReservations: Int { shards.reduce(0) { $0 + $1.openReservations } }

  // MARK: Shards

  func onShard(_ shard: Int, _ body: @escaping (UserShard) -> Void) {
    shardMail[shard].append { [unowned self] shard in
      body(shard)
      ask(shard.index)
    }
  }

  func shardStep(_ first: Int) {
    for offset in shards.indices {
      let index = (first + offset) % shards.count
      if let body = shardMail[index].next() { return body(shards[index]) }
    }
  }

  /// On a shard: what it has decided goes to the store, with what it means.
  func commit(
    _ shard: UserShard, _ facts: [Fact],
    done: @escaping (StoreFailure?, _ facts: [Fact]) -> Void
  ) {
    let records = shard.takeOutbox()
    var resolved = facts
    onStore { [unowned self] store throws(StoreFailure) in
      resolve(&resolved, try store.take(records))
      self.facts += resolved
    } done: { failure in
      done(failure, resolved)
    }
  }

  /// Late exposures, in their order, are paid or not.
  private func resolve(_ facts: inout [Fact], _ arePaid: [Bool]) {
    guard !arePaid.isEmpty else { return }
    var next = 0
    for index in facts.indices {
      guard case .exposed(let heard, .settledLate, let goal, let at) = facts[index] else {
        continue
      }
      if !arePaid[next] { facts[index] = .exposed(heard, .unpaid, goal: goal, at: at) }
      next += 1
    }
    if next != arePaid.count { simulation.violate("\(arePaid.count) answers to \(next) late ones") }
  }

  func park(_ shard: Int, _ body: @escaping () -> Void) {
    simulation.figures.waits += 1
    parked[shard].append(body)
  }

  private func ask(_ index: Int) {
    for wish in shards[index].takeWishes() {
      var (lease, isSpent): (Lease?, Bool) = (nil, true)
      onStore { [unowned self] store throws(StoreFailure) in
        guard let cost = costs[wish.campaign] else { return }
        lease = try store.lease(wish, holder: UInt32(index), quantum: cost, at: now())
        isSpent = store.totals(of: wish.campaign).map { $0.budget < cost } ?? true
      } done: { [unowned self] _ in
        answer(index, wish.campaign, lease, isSpent: isSpent)
      }
    }
  }

  private func answer(_ index: Int, _ campaign: UInt64, _ lease: Lease?, isSpent: Bool) {
    shardMail[index].append { [unowned self] shard in
      let now = now()
      if let lease {
        shard.grant(lease, at: now)
      } else {
        shard.refuse(
          campaign, isSpent: isSpent, until: now + Limits.leaseRetryMilliseconds)
      }
      let waiting = parked[index]
      parked[index] = []
      for body in waiting { body() }
      flush(index)
      ask(index)
    }
  }

  func flush(_ index: Int, lapsedAt now: Int64? = nil) {
    let records = shards[index].takeOutbox()
    guard !records.isEmpty else { return }
    var lapsed: [Fact] = []
    if let now {
      for case .entry(let entry) in records where entry.kind == .release {
        lapsed.append(.lapsed(reservation: entry.reservation, at: now))
      }
    }
    onStore { [unowned self] store throws(StoreFailure) in
      _ = try store.take(records)
      facts += lapsed
    }
  }

  func expire(_ shard: UserShard, upTo now: Int64) {
    let early: Int64 = simulation.flaw == .releasedEarly ? 20_000 : 0
    _ = shard.expire(upTo: now + early, limit: Limits.ledgerExpiries)
    flush(shard.index, lapsedAt: now)
  }
}
