import Testing

@testable import Load

@Suite struct ServerUsageTests {
  /// A line of proc(5) with 52 fields; the name holds what makes naive readers stumble.
  private let stat =
    "4711 (a (b) c) S 1 4711 4711 0 -1 4194560 9 0 0 0 250 150 0 0 20 0 5 0 900 1000 300 "
    + "18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0"

  @Test func reads() throws {
    let usage = try #require(
      ServerUsage(
        stat: stat, statm: "1000 300 20 1 0 90 0\n", ticksPerSecond: 100, pageBytes: 4_096))
    #expect(usage.cpuNanoseconds == 4_000_000_000)
    #expect(usage.residentBytes == 300 * 4_096)
  }

  @Test(arguments: [
    ("", "1 2"), ("4711 (x) S 1", "1 2"), ("no name", "1 2"),
    ("1 (x) S 1 1 1 0 -1 4 9 0 0 0 x 150 0", "1 2"), ("1 (x) S 1 1 1 0 -1 4 9 0 0 0 1 1 0", "1"),
    ("1 (x) S 1 1 1 0 -1 4 9 0 0 0 18446744073709551615 1 0", "1 2"),
    ("1 (x) S 1 1 1 0 -1 4 9 0 0 0 1 1 0", "1 18446744073709551615"),
  ])
  func refuses(_ stat: String, _ statm: String) {
    #expect(ServerUsage(stat: stat, statm: statm, ticksPerSecond: 100, pageBytes: 4_096) == nil)
  }
}
