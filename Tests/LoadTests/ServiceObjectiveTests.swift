import Core
import Testing

@testable import Load

@Suite struct ServiceObjectiveTests {
  private func duration(_ text: String) -> UInt64? {
    guard text.hasSuffix("ms"), let value = UInt64(text.dropLast(2)) else { return nil }
    return value * 1_000_000
  }

  private func parse(_ text: String) throws(ObjectiveError) -> [ServiceObjective] {
    try ServiceObjective.parse(text, duration: duration)
  }

  @Test func everyName() throws {
    let parsed = try parse(
      "p50=1ms,p99.9=5ms,p99.99=6ms,max=9ms,errors=0.1%,late=1%,full=99%,in_time=98.5%")
    #expect(
      parsed.map(\.measure) == [
        .latency(Quantile(millionths: 500_000)), .latency(Quantile(millionths: 999_000)),
        .latency(Quantile(millionths: 999_900)), .latency(Quantile(millionths: 1_000_000)),
        .errors, .late, .full, .inTime,
      ])
    #expect(parsed.map(\.limit) == [1e6, 5e6, 6e6, 9e6, 0.001, 0.01, 0.99, 0.985])
    #expect(parsed[1].name == "p99.9")
  }

  @Test(arguments: [
    "", "p99", "p99=", "p99=5", "p99=1%", "p0=1ms", "p101=1ms", "p99.99999=1ms", "p=1ms", "p9x=1ms",
    "pinf=1ms", "p-1=1ms", "p1e1=1ms", "errors=1", "errors=x%", "errors=101%", "errors=-1%",
    "errors=%", "latency=1ms", "p99=1ms,", "p99=1ms,p99=2ms", "P99=1ms", "full=nan%",
  ])
  func refused(_ text: String) {
    #expect(throws: ObjectiveError.self) { try parse(text) }
  }

  private var tally: LoadTally {
    var tally = LoadTally(window: 0..<1_000, timeoutNanoseconds: 10_000_000)
    for index: UInt64 in 0..<100 {
      let isFailed = index < 2
      tally.record(
        CallRecord(
          intendedNanoseconds: index, sentNanoseconds: index,
          endedNanoseconds: index + (index == 99 ? 20_000_000 : 1_000_000),
          status: isFailed ? .unavailable : .ok, fidelity: index < 12 ? .partial : .full))
    }
    return tally
  }

  @Test(arguments: [
    ("p50=2ms", true), ("p97=2ms", true), ("p98=2ms", false), ("p98=20ms", true),
    ("p98.0001=99ms", false), ("max=99ms", false), ("errors=2%", true), ("errors=1.9%", false),
    ("late=1%", true), ("late=0.9%", false), ("full=88%", true), ("full=88.1%", false),
    ("in_time=97%", true), ("in_time=97.1%", false),
  ])
  func verdicts(_ text: String, _ isMet: Bool) throws {
    let verdict = try #require(try parse(text).first).verdict(tally)
    #expect(verdict.isMet == isMet, "\(verdict)")
  }

  @Test func noCallMeetsNothing() throws {
    let empty = LoadTally(window: 0..<1, timeoutNanoseconds: 1)
    for objective in try parse("p50=1ms,errors=100%,late=100%,full=0%,in_time=0%") {
      #expect(!objective.verdict(empty).isMet, "\(objective.name)")
      #expect(objective.verdict(empty).value == nil)
    }
  }
}
