internal import Allocation
internal import Campaigns
internal import Core
internal import Ledger

/// The thread of the store, and what goes with it.
extension SimulatedServer {
  func onStore(
    _ prepare: @escaping (AllocationStore) throws(StoreFailure) -> Void,
    done: @escaping (StoreFailure?) -> Void = { _ in }
  ) {
    storeMail.append(StoreMail(prepare: prepare, done: done))
  }

  /// On the store: what a change means, once it is durable.
  func note(_ facts: [Fact]) { self.facts += facts }

  /// On the store: an answer that is durable.
  func answer(_ name: RequestName) -> [UInt8]? {
    do throws(StoreFailure) {
      return try store.answer(
        user: name.user, requestID: RequestID(high: name.id, low: ~name.id))
    } catch {
      tell(error)
      return nil
    }
  }

  /// A mistake on purpose.
  func payAgain(_ claims: PlacementClaims, at now: Int64) {
    var entry = JournalEntry(
      kind: .settleLate, at: now, campaign: claims.campaign, amount: claims.amount)
    entry.reservation = claims.reservation
    entry.user = claims.claim.placement.user
    entry.item = claims.item
    entry.expires = claims.expires
    onStore { store throws(StoreFailure) in _ = try store.take([.entry(entry)]) }
  }

  /// One group: the first messages that wait, all at once.
  func storeStep(atMost count: Int) {
    var group: [StoreMail] = []
    while group.count < count, let mail = storeMail.next() { group.append(mail) }
    if let stepsLeft { self.stepsLeft = max(0, stepsLeft - 1) }
    for mail in group {
      do throws(StoreFailure) { try mail.prepare(store) } catch { tell(error) }
    }
    let isEarly = simulation.flaw == .answersEarly
    if isEarly { acknowledge(group) }
    guard commit() else { return }
    if !isEarly { acknowledge(group) }
    guard !simulation.disk.isDown else { return }
    tickIfDue()
    if store.failure == nil { compact() }
  }

  private func acknowledge(_ group: [StoreMail]) {
    if store.failure == nil {
      simulation.confirm(facts)
      facts = []
    }
    for mail in group {
      if crashesBetweenAnswers, simulation.random.isOne(in: 3) {
        return simulation.disk.stopNow()
      }
      mail.done(store.failure)
    }
  }

  /// False: the machine has stopped.
  private func commit() -> Bool {
    do throws(StoreFailure) { try store.commit() } catch { tell(error) }
    if store.failure != nil || simulation.disk.isDown {
      if simulation.undecided.isEmpty { simulation.undecided = facts }
      facts = []
    } else {
      simulation.acknowledged = storage.group
    }
    return !simulation.disk.isDown
  }

  func tell(_ failure: StoreFailure) {
    guard stepsLeft == nil else { return }
    stepsLeft = simulation.random.below(50)
    if simulation.disk.isDown { return }
    simulation.figures.diskFailures += 1
    if case .ledger = failure { simulation.violate("the ledger has stopped: \(failure)") }
    if let refusal = storage.refusal { simulation.violate("the storage has refused: \(refusal)") }
  }

  private func tickIfDue() {
    let now = now()
    guard now >= nextTick else { return }
    nextTick = now + Int64(Limits.ledgerTickMilliseconds)
    if simulation.random.isOne(in: 4) { spread() }
    for index in shards.indices {
      shardMail[index].append { [unowned self] shard in expire(shard, upTo: now) }
    }
  }

  /// A slice or two of any size, wherever the store is between two groups.
  private func compact() {
    guard simulation.random.isOne(in: 6) else { return }
    let now = now()
    let window = desk.longestWindowMilliseconds
    // After a crash nobody knows whether it is done.
    simulation.oracle.compacted(before: store.compactionHorizon(at: now, kept: window))
    var hasMore = true
    while hasMore, simulation.random.below(4) > 0 {
      let crashes =
        !isDraining && simulation.disk.crash == nil && simulation.random.isOne(in: 30)
      if crashes {
        simulation.disk.crash = SimulatedDisk.CrashPoint.allCases[simulation.random.below(4)]
      }
      let before = store.entriesCompacted
      do throws(StoreFailure) {
        hasMore = try store.compact(
          at: now, kept: simulation.flaw == .windowForgotten ? 0 : window,
          rows: 1 + simulation.random.below(simulation.random.isOne(in: 2) ? 20 : 400)
        ).hasMore
      } catch {
        if simulation.disk.isDown { simulation.figures.crashesInCompaction += 1 }
        return tell(error)
      }
      // There was nothing to write.
      if crashes { simulation.disk.crash = nil }
      if store.entriesCompacted > before {
        simulation.figures.compactions += 1
        simulation.figures.compacted += store.entriesCompacted - before
      }
    }
  }

  // MARK: Boards

  func setCosts(_ costs: [UInt64: Micros]) { self.costs = costs }

  /// On the store: what loops serve by from now on.
  func spread() {
    let spent = desk.published.map { definition in
      store.totals(of: definition.key).map { $0.budget + $0.leased < definition.campaign.cost }
        ?? false
    }
    let prices = desk.published.map { _ in Double(simulation.random.below(1_000)) / 1_000 }
    let board = desk.board(isSpent: spent, prices: prices, at: simulation.clocks.unix)
    for loop in boards.indices {
      loopMail.append { [unowned self] in boards[loop] = board }
    }
  }

  func loopStep() { loopMail.next()?() }

  func deskStep() {
    if let body = deskMail.next() { return body() }
    desk.change(self)
  }

  /// Until nothing is under way any more.
  func drain() {
    (isDraining, nextTick) = (true, 0)
    storeStep(atMost: .max)
    while store.failure == nil,
      !storeMail.isEmpty || !deskMail.isEmpty || !loopMail.isEmpty
        || shardMail.contains(where: { !$0.isEmpty })
    {
      for index in shards.indices { shardStep(index) }
      loopStep()
      deskMail.next()?()
      storeStep(atMost: .max)
    }
    if let failure = store.failure { simulation.violate("stopped at the end: \(failure)") }
  }
}
