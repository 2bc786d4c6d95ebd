import Core
import Testing

@testable import crescendo

@Suite struct TimeArgumentTests {
  @Test(
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("2026-11-23T08:00:00Z", 1_795_420_800_000),
      ("2026-11-23T08:00:00.5Z", 1_795_420_800_500),
      ("2026-11-23t08:00:00.123999z", 1_795_420_800_123),
      ("2026-11-23T10:00:00+02:00", 1_795_420_800_000),
      ("2026-11-23 07:30:00-00:30", 1_795_420_800_000),
      ("1969-12-31T23:59:59.999Z", -1), ("2024-02-29T00:00:00Z", 1_709_164_800_000),
      ("2000-02-29T12:00:00Z", 951_825_600_000), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
      ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
      ("2016-12-31T23:59:60Z", 1_483_228_800_000),
      ("1795420800000", 1_795_420_800_000), ("-1", -1), ("0", 0),
    ] as [(String, Int64)]) func instantsAreRead(text: String, milliseconds: Int64) throws
  {
    #expect(try TimeArgument(parsing: text).unixMilliseconds == milliseconds)
  }

  @Test(arguments: [
    "", "now", "2026-11-23", "2026-11-23T08:00:00", "2026-11-23T08:00Z", "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z", "2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
    "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
    "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+0100",
    "2026-01-01T00:00:00ZZ", "226-01-01T00:00:00Z", "99999999999999999999", "2026-01-01T00:00:0éZ",
  ]) func otherTextIsRefused(text: String) {
    #expect(throws: UsageError.self) { try TimeArgument(parsing: text) }
  }

  @Test func everyInstantReadsBackAsItIsShown() throws {
    var state: UInt64 = 20_261_123
    let range: Int64 = 253_402_300_800_000 + 62_167_219_200_000
    for _ in 0..<20_000 {
      state = splitmix64(state)
      let instant = Int64(state >> 1) % range - 62_167_219_200_000
      let text = TimeArgument(unixMilliseconds: instant).text
      #expect(try TimeArgument(parsing: text).unixMilliseconds == instant, "\(text)")
      #expect(text.count == (instant % 1_000 == 0 ? 20 : 24))
    }
  }

  @Test(arguments: [Int64.min, Int64.max, 253_402_300_800_000, -62_167_219_200_001])
  func instantsOutsideTheCalendarAreNumbers(instant: Int64) {
    #expect(TimeArgument(unixMilliseconds: instant).text == "\(instant)")
  }
}
