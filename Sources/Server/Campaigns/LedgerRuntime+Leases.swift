internal import Allocation
internal import Core
internal import Ledger

/// Slices of budgets on their way between the store and the shards.
extension LedgerRuntime {
  /// On a shard's thread: asks the store for the leases that the shard wants.
  func ask(_ index: Int) {
    for wish in shards[index].takeWishes() { ask(index, wish, mayRecall: true) }
  }

  /// From any thread. Where other shards hold all that is left and this one would reserve it at
  /// once, they give it back first: a budget with room for an exposure has room for everybody's.
  private func ask(_ index: Int, _ wish: LeaseWish, mayRecall: Bool) {
    var (lease, isSpent, isRecalled): (Lease?, Bool, Bool) = (nil, true, false)
    onStore { [self] store throws(StoreFailure) in
      guard let cost = costs[wish.campaign] else { return }
      lease = try store.lease(wish, holder: UInt32(index), quantum: cost, at: now())
      guard let totals = store.totals(of: wish.campaign) else { return }
      isSpent = totals.budget < cost
      isRecalled =
        mayRecall && lease == nil && isSpent && wish.wanted > .zero && totals.leased >= cost
        && shards.count > 1
    } done: { [self] _, _ in
      if isRecalled {
        recall(wish.campaign, for: index) { [self] in ask(index, wish, mayRecall: false) }
      } else {
        answer(index, wish.campaign, lease, isSpent: isSpent)
      }
    }
  }

  /// On the store's thread: what other shards hold of a campaign and have not reserved comes back;
  /// `done` is called there then.
  private func recall(_ campaign: UInt64, for holder: Int, done: @escaping () -> Void) {
    // The store's thread's own.
    var left = shards.count - 1
    func cameBack() {
      left -= 1
      if left == 0 { done() }
    }
    for other in shards.indices where other != holder {
      let isPosted = post(other) { [self] other in
        shards[other].returnLeases(of: campaign, at: now())
        let records = shards[other].takeOutbox()
        onStore { store throws(StoreFailure) in
          _ = try store.take(records)
        } done: { _, _ in
          cameBack()
        }
      }
      // The server stops: nobody waits any more.
      if !isPosted { cameBack() }
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
      let waiting = takeParked(index)
      for body in waiting { body() }
      flush(index)
      ask(index)
    }
  }
}
