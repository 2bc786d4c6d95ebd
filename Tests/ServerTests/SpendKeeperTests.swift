import Campaigns
import Core
import Testing

@testable import Server

/// What was spent when, over a restart after which the journal tells of the last day only.
@Suite struct SpendKeeperTests {
  private static let hour: Int64 = 3_600_000
  private let flight: Range<Int64> = 0..<48 * SpendKeeperTests.hour
  private let key: UInt64 = 300

  @Test func notesAndTheJournalMakeOnePicture() {
    var (keeper, stored) = (SpendKeeper([:], period: Self.hour), [String: [UInt8]]())
    keeper.use([key])
    var journal: [(amount: Int64, at: Int64)] = []
    for minute in 0..<48 * 60 - 17 {
      let now = Int64(minute) * 60_000
      // Two entries, and a tick that hears of both.
      for entry in [(amount: Int64(minute % 7), at: now - 30_000), (amount: 1, at: now)] {
        journal.append(entry)
      }
      keeper.add(Int64(minute % 7) + 1, to: key, at: now, in: flight)
      for (name, value) in keeper.take(at: now, { _ in key }) { stored[name] = value }
    }
    #expect(stored.count == 1)
    let kept = journal.filter { $0.at >= 24 * Self.hour }
    func restarted(_ notes: [String: [UInt8]]) -> SpendSeries {
      var keeper = SpendKeeper(notes, period: Self.hour)
      for entry in kept { keeper.restore(key, entry.amount, at: entry.at, in: flight) }
      return keeper[key, flight]
    }
    #expect(restarted(stored).parts == keeper[key, flight].parts)
    #expect(restarted([:]).parts[..<23].allSatisfy { $0 == 0 })
  }

  /// A campaign that was given another flight keeps what it has spent.
  @Test func aChangedFlightKeepsItsSpend() {
    var keeper = SpendKeeper([:], period: Self.hour)
    keeper.add(5, to: key, at: 2 * Self.hour, in: flight)
    let longer = 0..<96 * Self.hour
    keeper.add(3, to: key, at: 95 * Self.hour, in: longer)
    #expect(keeper[key, longer].parts[1] == 5 && keeper[key, longer].parts[47] == 3)
  }

  @Test func damagedNotesBeginAnew() {
    let keeper = SpendKeeper(["\(SpendKeeper.prefix)44": [1, 2, 3]], period: Self.hour)
    #expect(keeper[key, flight] == SpendSeries(flight))
  }

  @Test func nothingSpentIsNotStored() {
    var keeper = SpendKeeper([:], period: Self.hour)
    keeper.use([key])
    #expect(keeper.take(at: 0) { _ in key }.isEmpty)
  }

  /// The journal will not tell it for ever.
  @Test func whatTheJournalToldIsStored() {
    var keeper = SpendKeeper([:], period: Self.hour)
    keeper.use([key])
    for amount in [5, 6] as [Int64] { keeper.restore(key, amount, at: 7, in: flight) }
    let notes = keeper.take(at: 8) { _ in key }
    let next = SpendKeeper(
      Dictionary(uniqueKeysWithValues: notes.map { ($0.key, $0.1) }), period: Self.hour)
    #expect(next[key, flight].parts[0] == 11)
  }
}
