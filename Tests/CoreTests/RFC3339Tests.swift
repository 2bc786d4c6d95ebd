import Core
import Testing

@Suite struct RFC3339Tests {
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2026-12-01T00:00:00Z", 1_796_083_200_000),
    ("2024-02-29T23:59:59.999Z", 1_709_251_199_999), ("2000-02-29T00:00:00Z", 951_782_400_000),
    ("1969-12-31T23:59:59.5Z", -500), ("2026-12-01t01:30:00+01:30", 1_796_083_200_000),
    ("2026-11-30 19:00:00-05:00", 1_796_083_200_000),
    ("2026-12-01T00:00:00.1000Z", 1_796_083_200_100),
    ("0000-01-01T00:00:00Z", -62_167_219_200_000),
    ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
  ])
  func instants(_ text: String, _ milliseconds: Int64) throws {
    #expect(try RFC3339.unixMilliseconds(text) == milliseconds)
  }

  @Test(arguments: [
    ("", RFC3339.Fault.form), ("now", .form), ("2026-12-01", .noZone),
    ("2026-12-01T00:00:00", .noZone), ("2026-12-01T00:00Z", .form),
    ("2026-12-01T00:00:00.Z", .form),
    ("2026-12-01T00:00:00+1", .form), ("2026-12-01T00:00:00Z ", .form),
    ("26-12-01T00:00:00Z", .form),
    ("2026-13-01T00:00:00Z", .noSuchTime), ("2026-00-01T00:00:00Z", .noSuchTime),
    ("2026-11-31T00:00:00Z", .noSuchTime), ("2025-02-29T00:00:00Z", .noSuchTime),
    ("1900-02-29T00:00:00Z", .noSuchTime), ("2026-12-01T24:00:00Z", .noSuchTime),
    ("2026-12-01T00:60:00Z", .noSuchTime), ("2026-12-01T00:00:61Z", .noSuchTime),
    ("2026-12-01T00:00:00+24:00", .noSuchTime), ("2026-12-01T00:00:00+00:60", .noSuchTime),
    ("0000-01-01T00:00:00+00:01", .noSuchTime), ("9999-12-31T23:59:00-00:01", .noSuchTime),
    ("2016-12-31T23:59:60Z", .leapSecond), ("2026-12-01T00:00:00.0001Z", .finerThanMilliseconds),
  ])
  func whatIsNone(_ text: String, _ fault: RFC3339.Fault) {
    #expect(throws: fault) { try RFC3339.unixMilliseconds(text) }
  }

  @Test func randomInstantsComeBack() throws {
    var random = SplitMix64(seed: 3339)
    for _ in 0..<20_000 {
      let instant = Int64.random(in: RFC3339.range, using: &random)
      #expect(try RFC3339.unixMilliseconds(RFC3339.text(instant)) == instant)
    }
    #expect(RFC3339.text(1_796_083_200_000) == "2026-12-01T00:00:00Z")
    #expect(RFC3339.text(-500) == "1969-12-31T23:59:59.500Z")
    #expect(RFC3339.text(.max) == "\(Int64.max)")
  }
}

@Suite struct DurationTextTests {
  @Test(arguments: [
    ("500us", 500_000), ("20ms", 20_000_000), ("1.5s", 1_500_000_000), ("7d", 604_800_000_000_000),
    ("12h", 43_200_000_000_000), ("30m", 1_800_000_000_000), ("0.001us", 1),
    ("1.500s", 1_500_000_000),
  ])
  func lengths(_ text: String, _ nanoseconds: UInt64) {
    #expect(DurationText.nanoseconds(text) == nanoseconds)
  }

  @Test(arguments: [
    "", "7", "d", "7 d", "-7d", "+7d", "1e3s", ".5s", "5.s", "1.2.3s", "7w", "0.0001us", "٣d",
    "213504d", "99999999999999999999s",
  ])
  func whatIsNone(_ text: String) {
    #expect(DurationText.nanoseconds(text) == nil)
  }

  @Test func secondsComeBack() {
    var random = SplitMix64(seed: 7)
    for seconds in [1, 60, 90, 3_600, 86_400, 604_800]
      + (0..<1_000).map({ _ in random.next() >> 34 })
    where seconds > 0 {
      #expect(
        DurationText.nanoseconds(DurationText.text(seconds: seconds)) == seconds * 1_000_000_000)
    }
    #expect(DurationText.text(seconds: 604_800) == "7d")
    #expect(DurationText.text(seconds: 90) == "90s")
  }
}
