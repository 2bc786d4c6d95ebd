internal import Core

/// What a start needs to know beside the storage.
package struct RecoverySetup: Sendable {
  package var times: LedgerTimes
  package var bounds: ShardLedger.Bounds
  package var shards: Int
  /// The shard of a user, below `shards`.
  package var shardOf: @Sendable (_ user: UInt64) -> Int
  package var reading: LedgerClock.Reading
  /// Random; see `IdempotencyTable`.
  package var seed: UInt64

  package init(
    times: LedgerTimes = LedgerTimes(), bounds: ShardLedger.Bounds = ShardLedger.Bounds(),
    shards: Int, shardOf: @escaping @Sendable (_ user: UInt64) -> Int,
    reading: LedgerClock.Reading, seed: UInt64
  ) {
    precondition(shards > 0)
    self.times = times
    self.bounds = bounds
    self.shards = shards
    self.shardOf = shardOf
    self.reading = reading
    self.seed = seed
  }
}

package struct RecoveredLedger: Sendable {
  package var store: BudgetStore
  /// Where the next compaction begins.
  package var compactor: Compactor
  package var shards: [ShardLedger]
  /// One per shard.
  package var requests: [IdempotencyTable]
  package var clock: LedgerClock
  /// This start's number, from 1.
  package var start: UInt64
  package var campaigns: [StoredCampaign]
  /// Those that the ledger does not read itself.
  package var notes: [String: [UInt8]]
  /// To be committed before anything else: this start, its clock, the leases that came back.
  package var records: [StoredRecord]
  /// How many entries were read.
  package var entries: Int
}

package enum RecoveryError: Error, Sendable, Equatable, CustomStringConvertible {
  case storage(StorageError)
  /// The journal breaks an invariant. Nothing is served on it.
  case fault(LedgerFault, sequence: Int64)
  /// A note that is not as it was written.
  case note(key: String)
  /// As often as the ids allow.
  case startedTooOften

  package var description: String {
    switch self {
    case .storage(let error): error.description
    case .fault(let fault, let sequence): "journal entry \(sequence): \(fault)"
    case .note(let key): "the note \(key) is damaged"
    case .startedTooOften: "started \(Limits.ledgerStarts - 1) times on this data: no ids are left"
    }
  }
}

/// What caps count, in the order in which it was decided: doing the same again makes the same caps.
package enum CapEvent: Sendable, Equatable {
  /// Counted at the time of its reservation.
  case reserved(Placement, at: Int64)
  /// Counts no more; `at` is the time of its reservation.
  case released(Placement, at: Int64)
  /// An exposure after its release, counted at the time of its report.
  case late(Placement, at: Int64)
}

/// From a storage to everything that was in memory.
package struct Recovery {
  package static let startNote = "ledger.start"
  package static let clockNote = "ledger.clock"
  /// The longest that a reservation ever had in this journal.
  package static let timesNote = "ledger.times"

  private let setup: RecoverySetup
  private let visit: (CapEvent) -> Void
  private var store: BudgetStore
  private var compactor: Compactor
  private var shards: [ShardLedger] = []
  /// Of every open reservation, its shard.
  private var homes = IDIndex()
  private var allocations: [StoredAllocation] = []
  private var campaigns: [StoredCampaign] = []
  private var notes: [String: [UInt8]] = [:]
  private var lastTime = Int64.min
  private var entries = 0

  /// - Parameter caps: is given every event that the journal still holds, in its order.
  package static func recover(
    _ storage: any Storage, _ setup: RecoverySetup, caps: (CapEvent) -> Void
  ) throws(RecoveryError) -> RecoveredLedger {
    var failure: RecoveryError?
    let recovered: Result<RecoveredLedger, RecoveryError> = withoutActuallyEscaping(caps) { visit in
      do throws(RecoveryError) {
        var recovery = try Recovery(storage, setup, visit)
        do throws(StorageError) {
          try storage.recover { record, sequence in
            do throws(LedgerFault) {
              try recovery.add(record, sequence)
              return true
            } catch {
              failure = .fault(error, sequence: sequence)
              return false
            }
          }
        } catch {
          throw .storage(error)
        }
        if let failure { throw failure }
        return .success(try recovery.finish())
      } catch {
        return .failure(error)
      }
    }
    return try recovered.get()
  }

  /// The notes come before all else, and the ids of this start need its number: they are read
  /// first.
  private init(
    _ storage: any Storage, _ setup: RecoverySetup, _ visit: @escaping (CapEvent) -> Void
  ) throws(RecoveryError) {
    self.setup = setup
    self.visit = visit
    var notes: [String: [UInt8]] = [:]
    do throws(StorageError) {
      try storage.recover { record, _ in
        guard case .note(let key, let value) = record else { return false }
        notes[key] = value
        return true
      }
    } catch {
      throw .storage(error)
    }
    var before: UInt64 = 0
    if let value = notes[Self.startNote] {
      guard let words = NoteWords.decode(value, count: 1) else { throw .note(key: Self.startNote) }
      before = words[0]
    }
    guard before < UInt64(Limits.ledgerStarts) - 1 else { throw .startedTooOften }
    var longest = setup.times.reservation
    if let value = notes[Self.timesNote] {
      guard let words = NoteWords.decode(value, count: 1) else { throw .note(key: Self.timesNote) }
      longest = max(longest, Int64(clamping: words[0]))
    }
    if let value = notes[Compaction.timeKey] {
      guard let words = NoteWords.decode(value, count: 1) else {
        throw .note(key: Compaction.timeKey)
      }
      lastTime = Int64(bitPattern: words[0])
    }
    longestReservation = longest
    store = BudgetStore(times: setup.times, holders: setup.shards, start: before + 1)
    compactor = Compactor(times: setup.times)
    shards = (0..<setup.shards).map { index in
      ShardLedger(
        times: setup.times, bounds: setup.bounds, start: before + 1, index: index,
        shards: setup.shards)
    }
    self.notes = notes
    start = before + 1
  }

  private let start: UInt64
  private let longestReservation: Int64

  private mutating func add(
    _ record: StoredRecord, _ sequence: Int64
  ) throws(LedgerFault) {
    switch record {
    case .note: break
    case .campaign(let campaign): campaigns.append(campaign)
    case .allocation(let allocation):
      allocations.append(allocation)
      // When it was decided, at the earliest. One that placed nothing has no entry that says so.
      lastTime = max(lastTime, allocation.expires.addingClamped(-longestReservation))
    case .entry(let entry):
      try store.replay(entry)
      if sequence == 0 { try compactor.open(entry) }
      restore(entry)
      // An opening says when it was made, which is no later than what follows it.
      lastTime = max(lastTime, entry.at)
      entries += 1
    }
  }

  private mutating func restore(_ entry: JournalEntry) {
    switch entry.kind {
    case .reserve:
      let shard = setup.shardOf(entry.user)
      homes.insert(entry.reservation, UInt32(shard))
      shards[shard].restore(Reservation(entry))
      visit(.reserved(Placement(entry), at: entry.at))
    case .settle, .release:
      guard let shard = homes.remove(entry.reservation),
        let reservation = shards[Int(shard)].restore(
          end: entry.kind == .settle ? .settled : .released, of: entry.reservation, at: entry.at)
      else { return }
      if entry.kind == .release { visit(.released(reservation.placement, at: reservation.at)) }
    case .settleLate, .unpaid:
      shards[setup.shardOf(entry.user)].restoreLate(entry.reservation, at: entry.at)
      visit(.late(Placement(entry), at: entry.at))
    case .goal: shards[setup.shardOf(entry.user)].restoreGoal(entry.reservation, at: entry.at)
    case .fund, .lease, .leaseReturn, .opening: break
    }
  }

  private mutating func finish() throws(RecoveryError) -> RecoveredLedger {
    var anchor: LedgerClock.Anchor?
    if let value = notes.removeValue(forKey: Self.clockNote) {
      guard let stored = LedgerClock.Anchor(encoded: value) else {
        throw .note(key: Self.clockNote)
      }
      anchor = stored
    }
    notes[Self.startNote] = nil
    notes[Self.timesNote] = nil
    notes[Compaction.timeKey] = nil
    let clock = LedgerClock(resuming: anchor, lastTime: lastTime, reading: setup.reading)
    let now = clock.anchor.ledgerMilliseconds
    // Nobody knows how long the machine was off: what was open has its whole time again.
    let extended = clock.isSameBoot ? nil : now + setup.times.reservation
    for index in shards.indices { shards[index].restored(at: now, openUntil: extended) }
    var requests = shards.indices.map { index in
      IdempotencyTable(seed: splitmix64(setup.seed &+ UInt64(index)), bound: setup.bounds.open)
    }
    for allocation in allocations {
      let wasKept = allocation.expires > (clock.isSameBoot ? now : lastTime)
      if wasKept {
        let shard = setup.shardOf(allocation.user)
        // One whose hash is taken (1 in 2⁶⁴) is refused if it comes again, never answered anew.
        _ = requests[shard].restore(allocation, expires: extended ?? allocation.expires)
      }
    }
    let records: [StoredRecord] =
      [
        .note(key: Self.startNote, value: NoteWords.encode([start])),
        .note(key: Self.clockNote, value: clock.anchor.encoded),
        .note(
          key: Self.timesNote, value: NoteWords.encode([UInt64(clamping: longestReservation)])),
      ] + store.reclaimAll(at: now).map { .entry($0) }
    return RecoveredLedger(
      store: store, compactor: compactor, shards: shards, requests: requests, clock: clock,
      start: start, campaigns: campaigns, notes: notes, records: records, entries: entries)
  }
}

extension ShardLedger {
  mutating func restore(_ reservation: Reservation) {
    open.insert(reservation.id, reservation, expires: reservation.expires)
  }

  mutating func restore(
    end: ReservationEnd, of id: UInt64, at time: Int64
  ) -> Reservation? {
    ended.advance(to: time)
    ended.insert(id, end)
    return open.remove(id)
  }

  /// Its release may have been compacted away or forgotten; its exposure may not.
  mutating func restoreLate(_ id: UInt64, at time: Int64) {
    ended.advance(to: time)
    if let (_, hasGoal) = ended[id] {
      ended.change(id, to: .late, hasGoal: hasGoal)
    } else {
      ended.insert(id, .late)
    }
  }

  mutating func restoreGoal(_ id: UInt64, at time: Int64) {
    ended.advance(to: time)
    if let (end, _) = ended[id] { ended.change(id, to: end, hasGoal: true) }
  }

  /// - Parameter openUntil: the new end of what is open; nil = as it was.
  mutating func restored(at now: Int64, openUntil: Int64?) {
    ended.advance(to: now)
    guard let openUntil else { return }
    var all: [Reservation] = []
    open.forEach { _, _, reservation in all.append(reservation) }
    for reservation in all { open.remove(reservation.id) }
    for reservation in all { open.insert(reservation.id, reservation, expires: openUntil) }
  }
}
