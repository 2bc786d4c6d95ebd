import Testing

@testable import crescendo

@Suite struct DurationArgumentTests {
  @Test(
    arguments: [
      ("500us", 500_000), ("20ms", 20_000_000), ("1.5s", 1_500_000_000),
      ("7d", 604_800_000_000_000),
      ("1ns", 1), ("2m", 120_000_000_000), ("1h", 3_600_000_000_000), ("0.25us", 250),
      ("1.000s", 1_000_000_000), ("0.000000001s", 1), ("1.50d", 129_600_000_000_000),
      ("18446744073709551615ns", UInt64.max),
    ] as [(String, UInt64)]) func durationsAreExact(text: String, nanoseconds: UInt64) throws
  {
    #expect(try DurationArgument(parsing: text).nanoseconds == nanoseconds)
  }

  @Test(arguments: [
    "", "20", "ms", "-1s", "1.s", ".5s", "1..5s", "1.5.5s", "1 s", "1S", "1s ", "0s", "0.0ms",
    "0.5ns", "1.0000000001s", "213504d", "18446744073709551616ns", "99999999999999999999s", "1e3s",
    "١s", "1xs",
  ]) func otherTextIsRefused(text: String) {
    #expect(throws: UsageError.self) { try DurationArgument(parsing: text) }
  }

  @Test(arguments: ["500us", "20ms", "1500ms", "7d", "1ns", "90m"])
  func aDurationReadsBackAsItIsShown(text: String) throws {
    #expect(try DurationArgument(parsing: text).description == text)
  }
}
