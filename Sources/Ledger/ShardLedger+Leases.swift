package import Core

/// The leases of a campaign that a shard holds: one that it spends, and the next.
struct Wallet: Sendable {
  static let most = 2

  var campaign: UInt64
  /// The one that is spent first is first.
  var leases: [Lease] = []
  /// Below this, what is left makes a wish.
  var lowWater = Micros.zero
  var isWished = false
  /// Until then the store has nothing: no wishes.
  var quietUntil = Int64.min
  /// Until then the store gives no more than what is reserved at once.
  var quietAheadUntil = Int64.min
}

/// A shard's question to the store.
package struct LeaseWish: Sendable, Equatable, BitwiseCopyable {
  package var campaign: UInt64
  /// What it would reserve at once; 0 = it only thinks ahead.
  package var wanted: Micros
}

extension ShardLedger {
  /// What may be reserved of a campaign now, and whether anything may: a lease of nothing allows
  /// placements that cost nothing.
  package func available(_ campaign: UInt64, at now: Int64) -> (amount: Micros, hasLease: Bool) {
    guard let wallet = walletOf[campaign] else { return (.zero, false) }
    var (most, hasLease) = (Micros.zero, false)
    for lease in wallets[Int(wallet)].leases where now < stops(lease) {
      most = max(most, lease.remaining)
      hasLease = true
    }
    return (most, hasLease)
  }

  /// Exposures of `cost` that can be reserved of a campaign now, each from one lease.
  package func room(_ campaign: UInt64, cost: Micros, at now: Int64) -> Int64 {
    guard let wallet = walletOf[campaign] else { return 0 }
    let leases = wallets[Int(wallet)].leases.filter { now < stops($0) }
    if cost == .zero { return leases.isEmpty ? 0 : .max }
    return leases.reduce(0) { $0 + $1.remaining.value / cost.value }
  }

  /// Whether the store may have something for the campaign: a wish is out, or would be noted.
  package func mayGet(_ campaign: UInt64, at now: Int64) -> Bool {
    guard let slot = walletOf[campaign] else { return wallets.count < Limits.ledgerCampaigns }
    return wallets[Int(slot)].isWished || now >= wallets[Int(slot)].quietUntil
  }

  /// Notes that a lease of `wanted` is needed, whatever is left.
  package mutating func want(_ campaign: UInt64, _ wanted: Micros, at now: Int64) {
    guard let slot = wallet(campaign) else { return }
    wish(slot, wanted, at: now)
  }

  /// Notes that the campaign needs a lease, unless it has room, a wish is out, or the store has
  /// nothing.
  package mutating func want(_ campaign: UInt64, at now: Int64) {
    guard let slot = wallet(campaign) else { return }
    let left = remaining(wallets[slot], at: now)
    if let left, left > wallets[slot].lowWater { return }
    wish(slot, at: now)
  }

  /// Campaigns for which the owner asks the store: each is answered by `grant` or `refuse`.
  package mutating func takeWishes() -> [LeaseWish] {
    defer { wished = [] }
    return wished
  }

  package mutating func grant(_ lease: Lease, at now: Int64) {
    guard let slot = wallet(lease.campaign) else {
      return outbox.append(.entry(lease.returned(at: now)))
    }
    wallets[slot].isWished = false
    dropSpent(slot, at: now)
    guard wallets[slot].leases.count < Wallet.most else {
      return outbox.append(.entry(lease.returned(at: now)))
    }
    wallets[slot].leases.append(lease)
    wallets[slot].lowWater = Micros(lease.amount.value / 2)
    leaseEnds.insert(lease.id, slot, expires: stops(lease))
  }

  /// The store has nothing to give; it is not asked before `until`. `isSpent`: nothing at all;
  /// else nothing ahead of need.
  package mutating func refuse(_ campaign: UInt64, isSpent: Bool, until: Int64) {
    guard let slot = wallet(campaign) else { return }
    wallets[slot].isWished = false
    if isSpent {
      wallets[slot].quietUntil = until
    } else {
      wallets[slot].quietAheadUntil = until
    }
  }

  /// Returns all leases of a campaign: it is paused, or gone.
  package mutating func returnLeases(of campaign: UInt64, at now: Int64) {
    guard let slot = walletOf[campaign] else { return }
    for lease in wallets[Int(slot)].leases { returnLease(lease.id, at: now) }
  }

  /// The lease that `amount` was taken from; nil = none has it.
  mutating func draw(_ campaign: UInt64, _ amount: Micros, at now: Int64) -> UInt64? {
    guard let slot = wallet(campaign) else { return nil }
    var drawn: UInt64?
    for index in wallets[slot].leases.indices {
      let lease = wallets[slot].leases[index]
      if now < stops(lease), lease.remaining >= amount {
        wallets[slot].leases[index].remaining -= amount
        drawn = lease.id
        break
      }
    }
    let left = remaining(wallets[slot], at: now)
    if drawn == nil || left.map({ $0 < amount || $0 <= wallets[slot].lowWater }) ?? true {
      wish(slot, at: now)
    }
    return drawn
  }

  mutating func returnLease(_ id: UInt64, at now: Int64) {
    guard let slot = leaseEnds.remove(id),
      let index = wallets[slot].leases.firstIndex(where: { $0.id == id })
    else { return }
    let lease = wallets[slot].leases.remove(at: index)
    outbox.append(.entry(lease.returned(at: now)))
  }

  private func stops(_ lease: Lease) -> Int64 {
    times.holderStops(granted: lease.at, expires: lease.expires)
  }

  /// nil = it has no lease in use.
  private func remaining(_ wallet: Wallet, at now: Int64) -> Micros? {
    var sum: Micros?
    for lease in wallet.leases where now < stops(lease) {
      sum = (sum ?? .zero) + lease.remaining
    }
    return sum
  }

  /// Room for the next lease: what is left of a used one goes back.
  private mutating func dropSpent(_ slot: Int, at now: Int64) {
    while wallets[slot].leases.count == Wallet.most, let first = wallets[slot].leases.first {
      returnLease(first.id, at: now)
    }
  }

  private mutating func wish(_ slot: Int, _ wanted: Micros = .zero, at now: Int64) {
    guard !wallets[slot].isWished, now >= wallets[slot].quietUntil,
      wanted > .zero || now >= wallets[slot].quietAheadUntil
    else { return }
    wallets[slot].isWished = true
    wished.append(LeaseWish(campaign: wallets[slot].campaign, wanted: wanted))
  }

  /// nil = as many campaigns are known as may have accounts.
  private mutating func wallet(_ campaign: UInt64) -> Int? {
    if let slot = walletOf[campaign] { return Int(slot) }
    guard wallets.count < Limits.ledgerCampaigns else { return nil }
    walletOf.insert(campaign, UInt32(wallets.count))
    wallets.append(Wallet(campaign: campaign))
    return wallets.count - 1
  }
}

extension Lease {
  func returned(at now: Int64) -> JournalEntry {
    var entry = JournalEntry(kind: .leaseReturn, at: now, campaign: campaign, amount: remaining)
    entry.lease = id
    return entry
  }
}
