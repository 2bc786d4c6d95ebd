import Core
import Foundation
import Testing

@testable import Engine

@Suite struct LocalTimeTests {
  private func expectCalendar(_ milliseconds: Int64, _ offset: Int32) throws {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
    // Whole seconds, rounded down, which a double of seconds holds exactly.
    let seconds = (milliseconds - (milliseconds % 1_000 + 1_000) % 1_000) / 1_000
    let date = Date(timeIntervalSince1970: Double(seconds + 60 * Int64(offset)))
    let parts = calendar.dateComponents([.hour, .weekday], from: date)
    let local = LocalTime(unixMilliseconds: milliseconds, utcOffsetMinutes: offset)
    #expect(local.hour == parts.hour, "\(milliseconds) ms at \(offset) min")
    // Foundation counts from Sunday 1.
    let weekday = try #require(parts.weekday)
    #expect(local.weekday == (weekday + 5) % 7, "\(milliseconds) ms at \(offset) min")
  }

  @Test func agreesWithTheCalendar() throws {
    let edges: [Int64] = [
      0, 1, -1, 999, -999, -1_000, 59_999, 60_000, -60_000, -60_001, 86_399_999, 86_400_000,
      -86_400_000, -86_400_001, 951_782_400_000, 1_732_406_400_000, -2_208_988_800_000,
    ]
    for time in edges {
      for offset: Int32 in [0, 1, -1, 59, 330, 345, -210, 840, -720, 1_439, -1_441, 100_003] {
        try expectCalendar(time, offset)
      }
    }
    let seed: UInt64 = 77
    var random = SplitMix64(seed: seed)
    for _ in 0..<2_000 {
      try expectCalendar(
        Int64.random(in: -9_000_000_000_000...9_000_000_000_000, using: &random),
        Int32.random(in: -2_000...2_000, using: &random))
    }
  }

  @Test func theEndsOfTimeAreInRange() {
    for time in [Int64.min, Int64.max] {
      for offset in [Int32.min, 0, Int32.max] {
        let local = LocalTime(unixMilliseconds: time, utcOffsetMinutes: offset)
        #expect((0..<24).contains(local.hour) && (0..<7).contains(local.weekday))
      }
    }
  }
}
