import Campaigns
import Core
import Testing

@Suite struct PacerRecordTests {
  private func record(_ key: UInt64, anchor: Int64) -> PacerRecord {
    let plan = SpendPlan(
      flight: 0..<1_000_000, budget: Micros(5_000), mode: .even, shape: .even, from: anchor,
      spent: 12.5)
    var memory = PacerMemory()
    (memory.price, memory.meanReturn, memory.exposures) = (1.25, 0.1, 77)
    return PacerRecord(
      key: key,
      DualPacer(
        plan: plan, cost: Micros(5), worth: Micros(50), now: anchor, shape: .even, memory: memory))
  }

  @Test func readsWhatItWrites() throws {
    for count in 0...3 {
      let records = (0..<count).map { record(.max - UInt64($0), anchor: 1_000 + Int64($0)) }
      #expect(PacerRecord.decode(PacerRecord.encode(records)) == records)
    }
    let one = try #require(PacerRecord.decode(PacerRecord.encode([record(3, anchor: 9)]))?.first)
    #expect(one.anchor == 9 && one.anchorSpent == 12.5 && one.memory.price == 1.25)
  }

  /// Cut anywhere, of another version, or no numbers.
  @Test func refusesWhatItDoesNotWrite() {
    let bytes = PacerRecord.encode([record(3, anchor: 9)])
    for count in 0..<bytes.count where count != 8 {
      #expect(PacerRecord.decode(Array(bytes.prefix(count))) == nil)
    }
    #expect(PacerRecord.decode([2] + bytes.dropFirst()) == nil)
    for word in 3..<7 {
      var bad = bytes
      let nan = Double.nan.bitPattern
      for shift in 0..<8 {
        bad[word * 8 + shift] = UInt8(truncatingIfNeeded: nan >> UInt64(shift * 8))
      }
      #expect(PacerRecord.decode(bad) == nil)
    }
  }
}
