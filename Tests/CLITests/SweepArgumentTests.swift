import ArgumentParser
import Core
import Syscalls
import Testing

@testable import Load
@testable import crescendo

private func load(_ arguments: String...) throws -> LoadCommand {
  try #require(try Crescendo.parseAsRoot(["load"] + arguments) as? LoadCommand)
}

@Suite struct SweepArgumentTests {
  @Test func listsAreSorted() throws {
    #expect(try SweepArgument(parsing: "4000,1000,2000") == .rates([1_000, 2_000, 4_000]))
    #expect(try SweepArgument(parsing: "5") == .rates([5]))
  }

  @Test func rangesArePartsOfTheCapacity() throws {
    #expect(try SweepArgument(parsing: "0.1..1.2") == .shares(low: 0.1, high: 1.2))
    let rates = SweepArgument.rates(low: 0.1, high: 1.2, of: 1_000)
    #expect(rates.count == 12)
    for (index, rate) in rates.enumerated() {
      #expect(abs(rate - Double(100 + 100 * index)) < 1e-9)
    }
  }

  @Test(arguments: [
    "", ",", "1,", "0", "-1", "x", "1,1", "1..", "..1", "1..1", "2..1", "0..1", "0.1..11",
    "100..200", "nan..1", "0.1..nan", "0.1..inf",
  ])
  func refused(_ text: String) {
    #expect(throws: UsageError.self) { try SweepArgument(parsing: text) }
  }

  @Test func aSweepIsOfBoundedLength() {
    let rates = (1...Limits.sweepRates + 1).map { "\($0)" }.joined(separator: ",")
    #expect(throws: UsageError.self) { try SweepArgument(parsing: rates) }
  }

  @Test func stepsAreShortUnlessTheyAreToBeLong() throws {
    let plan = try load("--items-file", "x", "--sweep", "1,2").plan(ratePerSecond: 1)
    #expect(plan.durationNanoseconds == 3_000_000_000 && plan.warmUpNanoseconds == 500_000_000)
  }

  @Test func aComparisonNeedsNothingElse() throws {
    #expect(try load("--compare", "a.json", "b.json").compare == ["a.json", "b.json"])
    let page = try load("--compare", "a.json", "b.json", "--report", "c.html", "--output", "json")
    #expect(page.report == "c.html" && page.compare.count == 2)
    #expect(throws: (any Error).self) { try load("--compare", "a.json") }
    #expect(throws: (any Error).self) { try load("--compare", "a", "b", "--find-capacity") }
    #expect(throws: (any Error).self) { try load("--items-file", "x") }
  }

  private func step(_ status: StatusCode, slo: String? = nil, ownLag: UInt64 = 0) throws
    -> LoadProbe
  {
    let plan = LoadPlan(
      target: SocketAddress(host: "127.0.0.1", port: 1), ratePerSecond: 10, warmUpNanoseconds: 0,
      durationNanoseconds: 1_000_000_000, timeoutNanoseconds: 1_000_000_000)
    var tally = LoadTally(window: 0..<1_000_000_000, timeoutNanoseconds: 1_000_000_000)
    tally.noteSent(intendedNanoseconds: 1, possibleNanoseconds: 1, sentNanoseconds: 1 + ownLag)
    tally.record(
      CallRecord(
        intendedNanoseconds: 1, sentNanoseconds: 1, endedNanoseconds: 2_000_001, status: status,
        fidelity: .full))
    let objectives = try slo.map { try ServiceObjective.parse($0) { _ in 5_000_000 } } ?? []
    return LoadProbe(
      ratePerSecond: 10,
      report: LoadReport(
        plan: plan, tally: tally, generator: LoadReport.GeneratorUsage(), server: nil, texts: [:]),
      verdicts: objectives.map { $0.verdict(tally) })
  }

  @Test func exitCodes() throws {
    func code(_ steps: [LoadProbe]) -> Int32 {
      do {
        try LoadSweep.end(steps)
        return 0
      } catch {
        return CommandEnd(error).exitCode
      }
    }
    #expect(code([try step(.ok), try step(.unavailable)]) == 0)
    #expect(code([try step(.unavailable), try step(.unavailable)]) == 4)
    #expect(code([try step(.ok, slo: "errors=0%"), try step(.aborted, slo: "errors=0%")]) == 0)
    #expect(code([try step(.aborted, slo: "errors=0%")]) == 1)
    #expect(code([try step(.ok, ownLag: 9_000_000), try step(.ok)]) == 5)
  }

  @Test func rowsAndJSON() throws {
    let steps = [try step(.ok, slo: "errors=0%"), try step(.unavailable, slo: "errors=0%")]
    let rows = steps.map { LoadSweep.row($0).split(separator: " ") }
    #expect(rows[0].prefix(4) == ["10.0", "1.0", "1.0", "2.000"])
    #expect(rows[0].suffix(4) == ["100.00", "100.00", "slo", "ok"])
    #expect(rows[1].contains("infinite") && rows[1].suffix(2) == ["slo", "missed"])
    #expect(LoadSweep.head.split(separator: "  ").count == 8)
    let json = LoadSweep.json(steps, nil)
    #expect(json.hasPrefix("{\"sweep\":[{\"offered_rps\":") && json.hasSuffix("]}"))
    for part in [
      "\"rate\":10.0", "\"schedule\":\"poisson\"", "\"framing\":\"grpc\"", "\"connections\":8",
      "\"series\":{\"interval_s\":0.1,\"t_s\":[0.0,0.1", "\"target\":\"127.0.0.1:1\"",
      "\"percentiles\":{\"latency_ms\":[[100.0,2.0]]", "\"candidates\":null",
    ] {
      #expect(json.contains(part), "no \(part) in \(json)")
    }
  }
}
