import Ledger
import Testing

@Suite struct JournalEntryTests {
  @Test func moneyMovesBetweenTwoAccountsOrNotAtAll() {
    for kind in JournalEntry.Kind.allCases {
      if let (from, to) = kind.movement { #expect(from != to) }
    }
    let still = JournalEntry.Kind.allCases.filter { $0.movement == nil }
    #expect(still == [.unpaid, .goal, .opening])
  }
}
