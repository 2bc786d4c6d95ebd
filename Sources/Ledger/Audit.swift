internal import Core

/// Replays a journal from nothing and proves it, in the plainest way and with nothing of the
/// ledger's own code: a dictionary per thing. Memory grows with the journal.
///
/// **What a clean audit proves.** Every account of every campaign balances after every entry, and
/// no budget was exceeded at any. Every movement has its cause: reserves their lease, ends their
/// reservation, each once, of the same campaign, amount, user and item, in the order of time. No
/// number of an entry is missing from the last compaction to the end. Each campaign with money has
/// its definition, and each definition the money that its budget says. With what the storage keeps
/// beside its rows (`StoredSums`): no entry, definition, note or answer that is kept for a repeated
/// request is missing, new or changed.
///
/// **What it cannot prove.** That nothing was lost behind the last mark of a folder whose log was
/// damaged while no server ran: the last seconds. That the folder is not as a whole an older copy.
/// That nobody wrote rows, seals, sums and mark anew, so that they agree: they have no secret. That
/// what clients reported was so.
package struct Audit: Sendable {
  /// The first thing that cannot be right.
  package struct Finding: Sendable, Equatable, CustomStringConvertible {
    /// 0 = an opening; nil with `entry`.
    package var sequence: Int64?
    /// nil = it is about no single entry.
    package var entry: JournalEntry?
    package var reason: String

    package init(sequence: Int64, entry: JournalEntry, reason: String) {
      (self.sequence, self.entry, self.reason) = (sequence, entry, reason)
    }

    package init(_ reason: String) { self.reason = reason }

    package var description: String { text { "\($0)" } }

    /// - Parameter name: of a campaign, by its key.
    package func text(_ name: (UInt64) -> String) -> String {
      guard let entry, let sequence else { return reason }
      return (sequence == 0 ? "an opening" : "entry \(sequence)")
        + " (\(entry.kind) of \(entry.amount), campaign \(name(entry.campaign)), "
        + "lease \(entry.lease), reservation \(entry.reservation)): \(reason)"
    }
  }

  private struct LeaseState {
    var campaign: UInt64
    var left: Int64
    /// Of a lease that compaction made: reserves until it ends.
    var reservesLeft: UInt64?
  }

  private struct ReservationState {
    var campaign: UInt64
    var amount: Int64
    /// nil = it was compacted away.
    var placed: JournalEntry?
    /// Of its last entry.
    var at: Int64
    var isOpen = true
    var isReleased = false
    var isExposed = false
    var hasGoal = false
  }

  package internal(set) var finding: Finding?
  package private(set) var entries: Int64 = 0
  /// Of exposures and goals whose reservations were compacted away: they could not be looked up.
  package private(set) var beforeCompaction: Int64 = 0
  private(set) var totalsOf: [UInt64: CampaignTotals] = [:]
  private var leases: [UInt64: LeaseState] = [:]
  private var reservations: [UInt64: ReservationState] = [:]
  private var referencesUntil = Int64.min
  /// The last sequence there was; of what was compacted, its end.
  private(set) var lastSequence: Int64
  /// nil = it is not known, and holes are not looked for.
  let compactedThrough: Int64?
  /// The latest start that an id tells of.
  private(set) var lastStart: UInt64 = 0
  // From `add(_: StoredCampaign)` and `addNote`.
  var definitions: [UInt64: String] = [:]
  var hasPolicy = false
  var notes: [String: [UInt8]] = [:]

  /// - Parameter compactedThrough: up to which sequence entries were compacted; 0 = none were.
  package init(compactedThrough: Int64? = nil) {
    self.compactedThrough = compactedThrough
    lastSequence = 0
  }

  /// By campaign, rising.
  package var totals: [CampaignTotals] {
    totalsOf.values.sorted { $0.campaign < $1.campaign }
  }

  package var openReservations: Int { reservations.values.count { $0.isOpen } }
  package var isClean: Bool { finding == nil }

  /// The next entry. After the first finding nothing more is looked at, and this is false.
  /// - Parameter isAsWritten: whether it has the seal that it was written with.
  @discardableResult
  package mutating func add(
    _ entry: JournalEntry, sequence: Int64, isAsWritten: Bool = true
  ) -> Bool {
    guard finding == nil else { return false }
    entries += 1
    let changed = isAsWritten ? nil : "it is not as it was written: its seal is another one"
    if let reason = problem(entry, sequence) ?? unbalanced(entry) ?? changed {
      finding = Finding(sequence: sequence, entry: entry, reason: reason)
    }
    return finding == nil
  }

  /// Looks at each account after an entry, whatever the entry was.
  private func unbalanced(_ entry: JournalEntry) -> String? {
    guard entry.kind != .opening, let account = totalsOf[entry.campaign] else { return nil }
    let all = Account.allCases.map { account[$0].value }
    var sum: Int64 = 0
    for value in all {
      let (next, isOver) = sum.addingReportingOverflow(value)
      if isOver { return "the accounts cannot be summed" }
      sum = next
    }
    if sum != 0 { return "the accounts sum to \(Micros(sum)), not to nothing" }
    for other in Account.allCases where other != .owner && account[other] < .zero {
      return "the account \(other) would be \(account[other])"
    }
    let used = account.spent + account.leased + account.reserved
    if used > account.funded { return "\(used) of a budget of \(account.funded) are in use" }
    return nil
  }

  private mutating func problem(_ entry: JournalEntry, _ sequence: Int64) -> String? {
    if sequence != 0, let reason = misplaced(entry, sequence) { return reason }
    lastStart = max(lastStart, entry.lease >> 40)
    if entry.kind == .opening { return opening(entry, sequence) }
    if entry.amount < .zero, entry.kind != .fund { return "a negative amount" }
    if entry.kind != .fund, totalsOf[entry.campaign] == nil { return "an unknown campaign" }
    switch entry.kind {
    case .fund, .opening: break
    case .lease:
      if entry.lease == 0 || leases[entry.lease] != nil { return "the lease is there already" }
      leases[entry.lease] = LeaseState(
        campaign: entry.campaign, left: entry.amount.value,
        reservesLeft: entry.item > 0 ? entry.item : nil)
    case .leaseReturn:
      guard let lease = leases.removeValue(forKey: entry.lease) else { return "an unknown lease" }
      if lease.campaign != entry.campaign { return "the lease is another campaign's" }
      if lease.left != entry.amount.value { return "the lease has \(Micros(lease.left)) left" }
    case .reserve:
      if let reason = reserve(entry) { return reason }
    case .settle, .release, .settleLate, .unpaid, .goal:
      if let reason = end(entry) { return reason }
    }
    return move(entry)
  }

  private mutating func misplaced(_ entry: JournalEntry, _ sequence: Int64) -> String? {
    if sequence <= lastSequence { return "out of order" }
    if let through = compactedThrough {
      if sequence > through {
        let first = max(lastSequence, through) + 1
        if sequence > first {
          return first + 1 == sequence
            ? "entry \(first) before it is missing"
            : "entries \(first) to \(sequence - 1) before it are missing"
        }
      } else if entry.kind != .reserve {
        return "it was compacted, and is there"
      }
    }
    lastSequence = sequence
    return nil
  }

  private mutating func reserve(_ entry: JournalEntry) -> String? {
    guard var lease = leases[entry.lease] else { return "an unknown lease" }
    if lease.campaign != entry.campaign { return "the lease is another campaign's" }
    if lease.left < entry.amount.value { return "the lease has \(Micros(lease.left)) left" }
    if entry.reservation == 0 || reservations[entry.reservation] != nil {
      return "the reservation is there already"
    }
    lastStart = max(lastStart, entry.reservation >> 40)
    lease.left -= entry.amount.value
    lease.reservesLeft = lease.reservesLeft.map { $0 - 1 }
    leases[entry.lease] = lease.reservesLeft == 0 ? nil : lease
    if lease.reservesLeft == 0, lease.left != 0 { return "a compacted lease is not used up" }
    reservations[entry.reservation] = ReservationState(
      campaign: entry.campaign, amount: entry.amount.value, placed: entry, at: entry.at)
    return nil
  }

  private mutating func end(_ entry: JournalEntry) -> String? {
    var state: ReservationState
    if let known = reservations[entry.reservation] {
      state = known
    } else {
      let mayBeCompacted = [.settleLate, .unpaid, .goal].contains(entry.kind)
      guard mayBeCompacted, entry.reservation != 0, entry.at < referencesUntil else {
        return "an unknown reservation"
      }
      beforeCompaction += 1
      state = ReservationState(
        campaign: entry.campaign, amount: entry.amount.value, at: entry.at, isOpen: false,
        isReleased: true, isExposed: entry.kind == .goal)
    }
    if state.campaign != entry.campaign { return "the reservation is another campaign's" }
    if entry.kind != .goal, state.amount != entry.amount.value {
      return "\(Micros(state.amount)) were reserved"
    }
    if let reason = differs(entry, from: state) { return reason }
    state.at = entry.at
    switch entry.kind {
    case .settle, .release:
      if !state.isOpen { return "the reservation has ended" }
      state.isOpen = false
      state.isReleased = entry.kind == .release
      state.isExposed = entry.kind == .settle
    case .settleLate, .unpaid:
      if state.isOpen || !state.isReleased { return "the reservation was not released" }
      if state.isExposed { return "its exposure was recorded before" }
      state.isExposed = true
    default:
      if !state.isExposed { return "a goal without an exposure" }
      if state.hasGoal { return "its goal was recorded before" }
      state.hasGoal = true
    }
    reservations[entry.reservation] = state
    return nil
  }

  private func differs(_ entry: JournalEntry, from state: ReservationState) -> String? {
    if entry.at < state.at { return "it is older than what it follows" }
    // `settle` and `release` name neither.
    guard let placed = state.placed, entry.kind != .settle, entry.kind != .release else {
      return nil
    }
    if entry.user != placed.user { return "it was reserved for user \(placed.user)" }
    return entry.item == placed.item ? nil : "it was reserved for item \(placed.item)"
  }

  private mutating func move(_ entry: JournalEntry) -> String? {
    var account = totalsOf[entry.campaign] ?? CampaignTotals(campaign: entry.campaign)
    if let (from, to) = entry.kind.movement {
      let (less, isUnder) = account[from].value.subtractingReportingOverflow(entry.amount.value)
      let (more, isOver) = account[to].value.addingReportingOverflow(entry.amount.value)
      if isUnder || isOver { return "more than can be counted" }
      account[from] = Micros(less)
      account[to] = Micros(more)
    }
    switch entry.kind {
    case .settle, .settleLate: account.exposures += 1
    case .goal: account.goals += 1
    case .unpaid:
      account.unpaidExposures += 1
      account.unpaid.value = account.unpaid.value.addingClamped(entry.amount.value)
    default: break
    }
    totalsOf[entry.campaign] = account
    return nil
  }

  private mutating func opening(_ entry: JournalEntry, _ sequence: Int64) -> String? {
    guard sequence == 0, leases.isEmpty, reservations.isEmpty else {
      return "an opening after the beginning"
    }
    guard let subject = OpeningSubject(rawValue: entry.reservation) else {
      return "an opening of nothing known"
    }
    referencesUntil = max(referencesUntil, entry.expires)
    var account = totalsOf[entry.campaign] ?? CampaignTotals(campaign: entry.campaign)
    switch subject {
    case .owner: account.owner = entry.amount
    case .budget: account.budget = entry.amount
    case .spent: account.spent = entry.amount
    case .exposures: account.exposures = entry.amount.value
    case .goals: account.goals = entry.amount.value
    case .unpaidExposures: account.unpaidExposures = entry.amount.value
    case .unpaidMicros: account.unpaid = entry.amount
    }
    totalsOf[entry.campaign] = account
    return nil
  }
}
