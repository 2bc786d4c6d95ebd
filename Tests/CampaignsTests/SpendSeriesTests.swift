import Core
import Testing

@testable import Campaigns

@Suite struct SpendSeriesTests {
  private func series(_ flight: Range<Int64>, _ spends: [(Int64, at: Int64)]) -> SpendSeries {
    var series = SpendSeries(flight)
    for (amount, time) in spends { series.add(amount, at: time) }
    return series
  }

  @Test func partsAreEqualAndHoldAll() {
    let one = series(100..<580, [(1, at: 100), (2, at: 109), (4, at: 110), (8, at: 579)])
    #expect(one.parts[0] == 3 && one.parts[1] == 4 && one.parts[47] == 8)
    #expect(one.ends.first == 110 && one.ends.last == 580)
    // What is not of the flight, and what is too much.
    let odd = series(100..<580, [(1, at: .min), (2, at: .max), (.max, at: 580)])
    #expect(odd.parts[0] == 1 && odd.parts[47] == .max)
    // Shorter than its parts.
    #expect(series(0..<5, [(7, at: 4)]).parts[4] == 7)
  }

  @Test func movesToAnotherFlight() {
    let one = series(0..<480, [(1, at: 5), (2, at: 475)])
    #expect(one.moved(to: 0..<480) == one)
    let longer = one.moved(to: 0..<960)
    #expect(longer.parts[0] == 1 && longer.parts[23] == 2 && longer.parts.reduce(0, +) == 3)
    #expect(one.moved(to: 400..<880).parts[0] == 1)
  }

  @Test func recordsComeBack() {
    let records = [
      SpendRecord(key: 7, until: 300, series: series(0..<480, [(9, at: 200)])),
      SpendRecord(key: .max, until: -1, series: series(5..<6, [])),
    ]
    let bytes = SpendRecord.encode(records)
    #expect(SpendRecord.decode(bytes) == records)
    #expect(SpendRecord.decode(SpendRecord.encode([])) == [])
    for count in 0..<bytes.count where count != 8 && (count - 8) % (52 * 8) != 0 {
      #expect(SpendRecord.decode(Array(bytes[..<count])) == nil)
    }
  }

  /// The version, a flight without length or beyond all times, a part below nothing.
  @Test(arguments: [(0, 2), (3, 480), (4, 0), (4, Int64.max), (3, .min), (10, -1)])
  func damagedRecordsAreNone(word: Int, value: Int64) {
    let sound = SpendRecord(key: 7, until: 3, series: series(0..<480, [(9, at: 200)]))
    var words = NoteWords.decode(SpendRecord.encode([sound])) ?? []
    words[word] = UInt64(bitPattern: value)
    #expect(SpendRecord.decode(NoteWords.encode(words)) == nil)
  }
}
