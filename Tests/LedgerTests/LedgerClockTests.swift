import Testing

@testable import Ledger

@Suite struct LedgerClockTests {
  let boot = RequestID(high: 1, low: 2)

  func reading(_ bootMilliseconds: Int64, _ unix: Int64, low: UInt64 = 2) -> LedgerClock.Reading {
    LedgerClock.Reading(
      bootMilliseconds: bootMilliseconds, bootID: RequestID(high: 1, low: low),
      unixMilliseconds: unix)
  }

  @Test func theSameBootIsCountedOnWhateverTheWallClockSays() {
    let first = LedgerClock(resuming: nil, lastTime: .min, reading: reading(500, 1_000_000))
    #expect(first.anchor.ledgerMilliseconds == 1_000_000 && !first.isSameBoot)
    for unix in [0, 1_000_000, .max] as [Int64] {
      var next = LedgerClock(
        resuming: first.anchor, lastTime: 1_000_100, reading: reading(900, unix))
      #expect(next.isSameBoot && next.now(bootMilliseconds: 900) == 1_000_400)
      #expect(next.now(bootMilliseconds: 950) == 1_000_450)
      #expect(next.now(bootMilliseconds: 10) == 1_000_450)
    }
    // What the journal knows is never undercut.
    let late = LedgerClock(resuming: first.anchor, lastTime: 2_000_000, reading: reading(900, 0))
    #expect(late.anchor.ledgerMilliseconds == 2_000_000)
  }

  @Test func anotherBootTakesTheLaterTime() {
    let anchor = LedgerClock.Anchor(ledgerMilliseconds: 5_000, bootMilliseconds: 900, bootID: boot)
    func resumed(_ last: Int64, _ reading: LedgerClock.Reading) -> Int64 {
      let clock = LedgerClock(resuming: anchor, lastTime: last, reading: reading)
      #expect(!clock.isSameBoot)
      return clock.anchor.ledgerMilliseconds
    }
    #expect(resumed(.min, reading(10, 8_000, low: 3)) == 8_000)
    #expect(resumed(.min, reading(10, 100, low: 3)) == 5_000)
    #expect(resumed(9_000, reading(10, 8_000, low: 3)) == 9_000)
    // A boot whose time has gone back is another one, whatever its id.
    #expect(resumed(.min, reading(10, 8_000)) == 8_000)
  }

  @Test func anAnchorIsStored() {
    let anchor = LedgerClock.Anchor(
      ledgerMilliseconds: -5, bootMilliseconds: .max, bootID: RequestID(high: .max, low: 1 << 63))
    #expect(anchor.encoded.count == 32)
    #expect(LedgerClock.Anchor(encoded: anchor.encoded) == anchor)
    #expect(LedgerClock.Anchor(encoded: Array(anchor.encoded.dropLast())) == nil)
  }
}
