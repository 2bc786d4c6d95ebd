import Allocation
import Core
import Ledger
import Testing

/// A storage that takes no group while it is told so.
private final class ReluctantStorage: Storage {
  var refusal: StorageError?
  private(set) var groups: [[StoredRecord]] = []

  func commit(_ records: [StoredRecord]) throws(StorageError) {
    if let refusal { throw refusal }
    groups.append(records)
  }

  func recover(_ visit: (StoredRecord, Int64) -> Bool) throws(StorageError) {}

  func answer(user: UInt64, requestID: RequestID) throws(StorageError) -> [UInt8]? { nil }

  func entries(
    after sequence: Int64, limit: Int
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)] { [] }

  func compact(_ compaction: Compaction) throws(StorageError) -> Int { 0 }
}

/// What a store does while its storage takes nothing.
@Suite struct InterruptionTests {
  private let storage = ReluctantStorage()
  private let store: AllocationStore
  private let full: StorageError

  init() throws {
    var full = StorageError(operation: "commit", reason: "database or disk is full")
    full.isTransient = true
    self.full = full
    store = AllocationStore(
      storage: storage, budgets: BudgetStore(holders: 1, start: 1), opening: [])
    #expect(try store.apply([], budgets: [7: Micros(100)], at: 0).isEmpty)
    try store.commit()
  }

  @Test func whatWaitsIsCommittedWholeAndInOrder() throws {
    storage.refusal = full
    try store.note("a", [1])
    #expect(throws: StoreFailure.storage(full)) { try store.commit() }
    #expect(store.failure == nil && store.halt == .storage(full))
    // Nothing new is begun; what shards have decided is kept.
    #expect(throws: StoreFailure.storage(full)) { try store.note("b", [2]) }
    #expect(throws: StoreFailure.storage(full)) {
      try store.apply([], budgets: [7: Micros(200)], at: 1)
    }
    let id = RequestID(high: 1, low: 2)
    let decided = StoredRecord.allocation(
      StoredAllocation(user: 5, requestID: id, digest: id, expires: 9, answer: [3]))
    #expect(try store.take([decided]).isEmpty)
    #expect(throws: StoreFailure.storage(full)) { try store.commit() }
    #expect(throws: StoreFailure.storage(full)) { try store.resume() }
    #expect(storage.groups.count == 1)
    storage.refusal = nil
    // Only `resume` tries again.
    #expect(throws: StoreFailure.storage(full)) { try store.commit() }
    try store.resume()
    #expect(storage.groups.last == [.note(key: "a", value: [1]), decided])
    #expect(store.halt == nil && !store.hasPending && store.totals(of: 7)?.budget == Micros(100))
    try store.commit()
    #expect(storage.groups.count == 2 && store.commits == 2)
  }

  @Test func whatIsNotTransientStopsIt() throws {
    var lost = full
    lost.isTransient = false
    storage.refusal = lost
    try store.note("a", [1])
    #expect(throws: StoreFailure.storage(lost)) { try store.commit() }
    storage.refusal = nil
    #expect(throws: StoreFailure.storage(lost)) { try store.resume() }
    #expect(throws: StoreFailure.storage(lost)) { _ = try store.take([]) }
    #expect(storage.groups.count == 1 && store.failure == .storage(lost))
  }

  @Test func whatWaitsIsBounded() throws {
    storage.refusal = full
    try store.note("a", [1])
    #expect(throws: StoreFailure.storage(full)) { try store.commit() }
    let many = [StoredRecord](
      repeating: .note(key: "b", value: []), count: Limits.ledgerWaitingRecords - 1)
    _ = try store.take(many)
    #expect(store.failure == nil)
    #expect(throws: StoreFailure.storage(full)) { try store.take([many[0]]) }
    #expect(store.failure == .storage(full) && !store.hasPending)
  }
}
