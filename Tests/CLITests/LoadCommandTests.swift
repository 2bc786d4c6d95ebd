import ArgumentParser
import Core
import Syscalls
import Testing
import Wire

@testable import Load
@testable import crescendo

private func load(_ arguments: String...) throws -> LoadCommand {
  try #require(
    try Crescendo.parseAsRoot(["load", "--rate", "10", "--items-file", "x"] + arguments)
      as? LoadCommand)
}

private func report(failing status: StatusCode? = nil) -> LoadReport {
  let plan = LoadPlan(
    target: SocketAddress(host: "127.0.0.1", port: 1), ratePerSecond: 10, warmUpNanoseconds: 0,
    durationNanoseconds: 1_000_000_000, timeoutNanoseconds: 1_000_000_000)
  var tally = LoadTally(window: 0..<1_000_000_000, timeoutNanoseconds: 1_000_000_000)
  for index: UInt64 in 0..<10 {
    tally.record(
      CallRecord(
        intendedNanoseconds: index, sentNanoseconds: index, endedNanoseconds: index + 2_000_000,
        status: index == 0 ? .unavailable : status ?? .ok, fidelity: .full))
  }
  return LoadReport(
    plan: plan, tally: tally, generator: LoadReport.GeneratorUsage(),
    server: LoadReport.ServerShare(cpuNanoseconds: 50_000, residentBytes: 4_096),
    texts: [.unavailable: "gone\u{1B}[2J"])
}

@Suite struct LoadCommandTests {
  @Test func defaults() throws {
    let plan = try load().plan(ratePerSecond: 10)
    #expect(plan.connectionCount == 8 && plan.inFlightMax == 800)
    #expect(plan.durationNanoseconds == 30_000_000_000 && plan.warmUpNanoseconds == 2_000_000_000)
    #expect(plan.schedule == .poisson)
    let probe = try load("--find-capacity", "--slo", "p99=1ms").plan(ratePerSecond: 10)
    #expect(probe.durationNanoseconds == 3_000_000_000 && probe.warmUpNanoseconds == 500_000_000)
    #expect(try load("--warm-up", "0").plan(ratePerSecond: 10).warmUpNanoseconds == 0)
  }

  @Test(arguments: ["64": 64...64, "16-256": 16...256, "1-1": 1...1])
  func batchSizes(_ text: String, _ sizes: ClosedRange<Int>) throws {
    #expect(try BatchArgument(parsing: text).sizes == sizes)
  }

  @Test(arguments: ["", "0", "-1", "5-", "-5", "9-3", "a", "1-2-3", "100001"])
  func notABatchSize(_ text: String) {
    #expect(throws: UsageError.self) { try BatchArgument(parsing: text) }
  }

  @Test(arguments: ["0", "-5", "nan", "inf", "1e9", "x", ""])
  func notARate(_ text: String) {
    #expect(throws: UsageError.self) { try LoadNumber.rate(text) }
  }

  @Test func batchesAreDrawnWithoutRepeats() throws {
    let items = try ItemList(lines: (1...50).map { "\($0)" }.joined(separator: "\n"))
    var like = ScoreRequestMessage()
    like.model = "m"
    let batches = try LoadBatches.from(items, sizes: 5...50, like: like, seed: 3)
    #expect(batches.count == LoadBatches.countMax)
    for batch in batches {
      #expect((5...50).contains(batch.itemIDs.count) && batch.model == "m")
      #expect(Set(batch.itemIDs).count == batch.itemIDs.count)
      #expect(batch.itemIDs.allSatisfy { (1...50).contains($0) })
    }
    #expect(Set(batches.map(\.itemIDs.count)).count > 30)
    #expect(try LoadBatches.from(items, sizes: 5...50, like: like, seed: 3) == batches)
    #expect(
      try LoadBatches.from(items, sizes: nil, like: like, seed: 3).map(\.itemIDs) == [items.ids])
    #expect(throws: UsageError.self) {
      try LoadBatches.from(items, sizes: 5...51, like: like, seed: 3)
    }
  }

  @Test func jsonHasTheKeysOfTheFormat() throws {
    let verdicts = try ServiceObjective.parse("p50=5ms,p99=5ms,full=80%") { _ in 5_000_000 }
      .map { $0.verdict(report().tally) }
    let json = report().json(verdicts: verdicts)
    #expect(json.hasPrefix("{\"offered_rps\":10.0,\"achieved_rps\":10.0,"))
    for part in [
      "\"calls\":10,\"status\":{\"OK\":9,\"UNAVAILABLE\":1},\"missing\":0",
      "\"fidelity\":{\"FULL\":9}",
      "\"latency_ms\":{\"p50\":2.0", "\"p99\":null,\"p99_9\":null,\"p99_99\":null,\"max\":null}",
      "\"server\":{\"cpu_us_per_call\":5.0,\"rss_bytes\":4096}",
      "{\"name\":\"p99\",\"limit\":5.0,\"value\":null,\"ok\":false,\"unit\":\"ms\"}",
      "{\"name\":\"full\",\"limit\":80.0,\"value\":90.0,\"ok\":true,\"unit\":\"%\"}",
    ] {
      #expect(json.contains(part), "no \(part) in \(json)")
    }
  }

  @Test func theTableIsSafeToShow() {
    let text = report().table(verdicts: [], palette: .plain)
    #expect(!text.contains("\u{1B}"))
    #expect(text.contains("10 calls: OK 9, UNAVAILABLE 1"))
    #expect(text.contains("infinite"))
  }

  @Test func exitCodes() throws {
    func code(_ report: LoadReport, _ slo: String?) throws -> Int32 {
      let objectives = try slo.map { try ServiceObjective.parse($0) { _ in 5_000_000 } } ?? []
      do {
        try LoadRun.end(report, objectives.map { $0.verdict(report.tally) })
        return 0
      } catch {
        return CommandEnd(error).exitCode
      }
    }
    #expect(try code(report(), nil) == 0)
    #expect(try code(report(), "errors=10%") == 0)
    #expect(try code(report(), "errors=9%") == 1)
    #expect(try code(report(failing: .internalError), nil) == 4)
    #expect(try code(report(failing: .internalError), "errors=100%") == 0)
    var unsent = report()
    unsent.tally = LoadTally(window: 0..<10, timeoutNanoseconds: 5)
    #expect(try code(unsent, nil) == 0)
    unsent.tally.recordMissing(intendedNanoseconds: 1)
    #expect(try code(unsent, nil) == 4)
    var late = report()
    late.plan.ownLagMaxNanoseconds = 0
    late.tally.noteSent(intendedNanoseconds: 1, possibleNanoseconds: 1, sentNanoseconds: 9_999)
    #expect(try code(late, "errors=9%") == 5)
  }
}
