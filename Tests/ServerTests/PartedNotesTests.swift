import Campaigns
import Core
import Testing

@testable import Server

/// When what is kept of campaigns is stored.
@Suite struct PartedNotesTests {
  private func record(_ key: UInt64, price: Double) -> PacerRecord {
    let plan = SpendPlan(flight: 0..<1_000, budget: Micros(10), mode: .even, shape: .even)
    var memory = PacerMemory()
    memory.price = price
    return PacerRecord(
      key: key,
      DualPacer(
        plan: plan, cost: Micros(1), worth: Micros(1), now: 0, shape: .even, memory: memory))
  }

  private func prices() -> PartedNotes {
    PartedNotes(prefix: "a.", period: Limits.priceNoteMilliseconds)
  }

  @Test func writesWhatHasChangedWhenItIsDue() {
    var notes = prices()
    notes.use([1, 2])
    var price = 0.5
    func take(_ now: Int64) -> Int {
      notes.take(at: now) {
        PacerRecord.encode($0.map { record(UInt64($0) + 1, price: $0 == 0 ? price : 0) })
      }.count
    }
    #expect(take(0) == 2 && take(1) == 0)
    price = 0.75
    #expect(take(Limits.priceNoteMilliseconds - 1) == 0)
    #expect(take(Limits.priceNoteMilliseconds) == 1)
    #expect(take(2 * Limits.priceNoteMilliseconds) == 0)
  }

  @Test func nothingIsNotWritten() {
    var notes = prices()
    notes.use([1, 2])
    #expect(notes.take(at: 0) { $0 == [0] ? [] : [7] }.map(\.key) == ["a.2"])
  }

  /// A hundred thousand: each tick writes a little, and all are written within minutes.
  @Test func writesLittleAtATime() {
    let keys = (0..<100_000).map { splitmix64(UInt64($0)) }
    var notes = prices()
    notes.use(keys)
    var (stored, ticks): ([String: [UInt8]], Int) = ([:], 0)
    while stored.count < Limits.noteParts, ticks < 1_000 {
      let taken = notes.take(at: Int64(ticks) * 500) {
        PacerRecord.encode($0.map { record(keys[$0], price: Double($0)) })
      }
      #expect(taken.reduce(0) { $0 + $1.1.count } < 3 * Limits.noteBytes)
      for (key, value) in taken { stored[key] = value }
      ticks += 1
    }
    #expect(ticks <= 2 * 150)
    let read = PartedNotes.read("a.", stored).flatMap { PacerRecord.decode($0) ?? [] }
    #expect(read.count == keys.count)
    #expect(read.first { $0.key == keys[54_321] }?.memory.price == 54_321)
    #expect(PartedNotes.read("b.", stored) == [])
  }
}
