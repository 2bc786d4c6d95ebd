import Allocation
import Campaigns
import Core
import Synchronization
import Testing

@testable import Ledger
@testable import Server

/// Keeps notes as a ledger's file does: the last of each.
private final class NoteStorage: Storage {
  private(set) var notes: [String: [UInt8]] = [:]

  func commit(_ records: [StoredRecord]) throws(StorageError) {
    for case .note(let key, let value) in records { notes[key] = value }
  }

  func recover(_ visit: (StoredRecord, Int64) -> Bool) throws(StorageError) {}

  func answer(user: UInt64, requestID: RequestID) throws(StorageError) -> [UInt8]? { nil }

  func entries(
    after sequence: Int64, limit: Int
  ) throws(StorageError) -> [(sequence: Int64, entry: JournalEntry)] { [] }

  func compact(_ compaction: Compaction) throws(StorageError) -> Int { 0 }
}

/// One campaign in a market where five times as much could be bought as it plans to buy, a tick a
/// minute: its keeper, the store that keeps its notes, and what it buys at a price.
private final class Market {
  static let key: UInt64 = 9
  private static let cost = 10_000.0
  private static let minute: Int64 = 60_000
  private static let day = 1_440 * minute
  private static let begins: Int64 = 1_795_824_000_000

  private let time = Time()
  private let storage = NoteStorage()
  private let store: AllocationStore
  private let campaign: Campaign
  private(set) var keeper: PaceKeeper
  private var reservation: UInt64 = 0
  private var owed = 0.0

  private final class Time: Sendable {
    let now = Atomic<Int64>(Market.begins)

    var clock: Clock {
      Clock(
        monotonicNanoseconds: { 0 },
        unixMilliseconds: { [self] in now.load(ordering: .relaxed) })
    }
  }

  init() throws {
    let flight = Market.begins..<Market.begins + 2 * 1_440 * Market.minute
    campaign = Campaign(
      id: "one", items: ["a"], flight: flight, budget: Micros(57_600_000), cost: Micros(10_000),
      worth: Micros(1_000_000), pacing: .even)
    store = AllocationStore(
      storage: storage, budgets: BudgetStore(holders: 1, start: 1), opening: [])
    #expect(
      try store.apply([], budgets: [Market.key: campaign.budget], at: 0).isEmpty)
    keeper = PaceKeeper(clock: time.clock, notes: [:], kept: Self.day)
    try use()
  }

  private func use() throws {
    let definition = CampaignDefinition(campaign: campaign, key: Market.key, isPaused: false)
    let set = try CampaignSet(
      [definition], policy: CampaignPolicy(currency: "EUR"),
      catalog: CampaignCatalog(rowCount: 1) { _ in 0 })
    keeper.use(set, [definition]) { store.totals(of: $0) }
  }

  /// A server that is started again; `notes`: whether it finds what was stored.
  func restart(notes: Bool) throws {
    keeper = PaceKeeper(
      clock: time.clock, notes: notes ? storage.notes : [:], kept: Self.day)
    try use()
  }

  /// What of a minute's ten exposures, of values even from 0 to 0.1, is worth its price.
  func pass(minutes: Int) throws -> (largestError: Double, bought: Int) {
    let before = reservation
    var largest = 0.0
    for _ in 0..<minutes {
      time.now.add(Market.minute, ordering: .relaxed)
      let price = keeper.figures(of: Market.key).price
      let share = min(max(1 - price * Market.cost / 100_000, 0), 1)
      owed += 10 * share
      try buy(Int(owed), value: 1 - share / 2)
      owed -= owed.rounded(.down)
      _ = try keeper.tick(store)
      try store.commit()
      largest = max(largest, keeper.paceError.largest)
    }
    return (largest, Int(reservation - before))
  }

  private func buy(_ count: Int, value: Double) throws {
    guard count > 0 else { return }
    let amount = Micros(Int64(count) * 10_000)
    let wish = LeaseWish(campaign: Market.key, wanted: amount)
    let lease = try #require(
      try store.lease(wish, holder: 0, quantum: Micros(10_000), at: 0))
    for _ in 0..<count {
      reservation += 1
      var entry = JournalEntry(
        kind: .reserve, at: 0, campaign: Market.key, amount: Micros(10_000))
      (entry.lease, entry.reservation, entry.user, entry.expires) = (lease.id, reservation, 1, 1)
      _ = try store.take([.entry(entry)])
    }
    var rest = lease
    rest.remaining = lease.remaining - amount
    _ = try store.take([.entry(rest.returned(at: 0))])
    var expected = Expectation()
    expected.add(worth: Double(count) * value * 100_000, goals: Double(count) * value)
    store.expect([Market.key: expected])
  }
}

/// A restart in the middle of a day leaves a campaign's pace where it was.
@Suite struct PriceRestartTests {
  @Test func goesOnWhereItWas() throws {
    let (kept, lost) = (try Market(), try Market())
    let planned = 2 * 5
    for market in [kept, lost] { _ = try market.pass(minutes: 720) }
    let price = kept.keeper.figures(of: Market.key).price
    #expect(price > 6)
    let error = kept.keeper.paceError.largest
    try kept.restart(notes: true)
    #expect(kept.keeper.figures(of: Market.key).price == price)
    #expect(kept.keeper.paceError.largest == error)
    try lost.restart(notes: false)
    let (after, without) = (try kept.pass(minutes: 5), try lost.pass(minutes: 5))
    #expect(abs(after.bought - planned) <= 1, "\(after)")
    // What the notes are for: a price that begins anew buys more until it has learned again.
    #expect(without.bought > planned + 1, "\(without)")
  }
}
