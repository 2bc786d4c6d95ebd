import Core
import Testing

@Suite struct MicrosTests {
  @Test(arguments: [
    ("2500.00", 2_500_000_000), ("0.0150", 15_000), ("0", 0), ("-1.5", -1_500_000),
    ("0.000001", 1), ("9223372036854.775807", Int64.max),
  ])
  func decimalsAreExact(_ text: String, _ value: Int64) {
    #expect(Micros(parsing: text) == Micros(value))
  }

  @Test(arguments: [
    "", "-", ".5", "1.", "1.0000001", "1e3", "+1", "1,000", " 1", "0x10", "٣", "1.2.3",
    "9223372036854.775808", "99999999999999999999",
  ])
  func anythingElseIsRefused(_ text: String) {
    #expect(Micros(parsing: text) == nil)
  }

  @Test(arguments: [
    (2_500_000_000, "2500.00"), (15_000, "0.015"), (1, "0.000001"), (0, "0.00"),
    (-1_500_000, "-1.50"), (Int64.min, "-9223372036854.775808"),
  ])
  func whatIsWrittenIsExact(_ value: Int64, _ text: String) {
    #expect("\(Micros(value))" == text)
    if value != .min { #expect(Micros(parsing: text) == Micros(value)) }
  }
}
