import Testing

@testable import Report

@Suite struct UnitsTests {
  @Test(
    arguments: [
      (0, "0"), (0.0005, "500 ns"), (0.001, "1 µs"), (0.4567, "457 µs"), (0.99999, "1 ms"),
      (1, "1 ms"), (12.345, "12.3 ms"), (999.96, "1 s"), (1_000, "1 s"), (61_234, "61.2 s"),
    ] as [(Double, String)])
  func times(_ milliseconds: Double, _ text: String) {
    #expect(Units.time(milliseconds) == text)
  }

  @Test func aTimeWithoutEnd() {
    #expect(Units.time(Double?.none) == "infinite")
    #expect(Units.number(.infinity) == "infinite")
  }

  /// A call in a million that failed is not "100 %".
  @Test(
    arguments: [
      (0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.999, "99.9 %"), (0.99996, "99.996 %"),
      (0.999999, "99.9999 %"), (0.00012, "0.012 %"), (0.125, "13 %"),
    ] as [(Double, String)])
  func percentages(_ share: Double, _ text: String) {
    #expect(Units.percent(share) == text)
  }

  @Test(
    arguments: [
      (0.1, "0.1"), (12.34, "12.3"), (99.95, "100"), (1_234.5, "1,235"), (1_234_567, "1,234,567"),
    ] as [(Double, String)])
  func rates(_ value: Double, _ text: String) {
    #expect(Units.rate(value) == text)
  }

  @Test func thousands() {
    #expect(Units.grouped("999") == "999" && Units.grouped("1000") == "1,000")
    #expect(Units.grouped("-1234567.25") == "-1,234,567.25")
    #expect(Units.count(100_000) == "100,000")
    #expect(Units.nines(0.999) == "99.9" && Units.nines(1) == "100" && Units.nines(0) == "0")
  }
}
