import Testing

@testable import Report

@Suite struct ComparisonTests {
  private func compare(_ a: String, _ b: String) throws -> LoadComparison {
    try LoadComparison(Reports.document(a), Reports.document(b, name: "b.json"))
  }

  private func row(_ comparison: LoadComparison, _ key: String) throws -> RunComparison.Row {
    try #require(comparison.runs[0].rows.first { $0.key == key }, "no row \(key)")
  }

  @Test func differencesAndRatios() throws {
    let both = try compare(
      Reports.run(), Reports.run(p99: "10.0", ok: 900, refused: 100, cpu: "15"))
    let p99 = try row(both, "latency_ms.p99")
    #expect((p99.a, p99.b, p99.difference, p99.ratio) == (8, 10, 2, 1.25))
    let cpu = try row(both, "server.cpu_us_per_call")
    #expect(cpu.difference == -5 && cpu.ratio == 0.75)
    // Shares of the intended calls, in per cent.
    let refused = try row(both, "status.RESOURCE_EXHAUSTED")
    #expect((refused.a, refused.b, refused.difference, refused.ratio) == (1, 10, 9, 10))
    let full = try row(both, "fidelity.FULL")
    #expect(full.a == 90 && full.b == 81)
    #expect(both.warnings.isEmpty && both.runs[0].warnings.isEmpty)
  }

  @Test func whatIsInfiniteHasNoDifference() throws {
    let both = try compare(Reports.run(), Reports.run(p99: "null"))
    let p99 = try row(both, "latency_ms.p99")
    #expect(p99.b == nil && p99.difference == nil && p99.ratio == nil)
    #expect(p99.text(p99.b) == "infinite" && p99.text(p99.a) == "8.000")
    // Nor has a ratio to nothing.
    let never = try row(both, "missing")
    #expect(never.difference == 0 && never.ratio == nil)
  }

  @Test func anOldReportIsComparedInWhatItHas() throws {
    let both = try compare(Reports.old, Reports.run(rate: 50))
    #expect(try row(both, "latency_ms.p50").ratio == 2)
    #expect(try row(both, "status.RESOURCE_EXHAUSTED").a == 0)
    #expect(try row(both, "server.cpu_us_per_call").a == nil)
    #expect(both.runs[0].warnings.isEmpty)
  }

  @Test func whatMakesRunsIncomparableIsSaid() throws {
    let hints: [(String, String)] = [
      (Reports.run(rate: 200), "rates differ: 100 and 200"),
      (Reports.run(schedule: "constant"), "schedules differ: poisson and constant"),
      (Reports.run(target: "10.1.2.3:7001"), "different kinds"),
      (Reports.run(fellBehind: true), "fell behind in B"),
      (
        Reports.run().replacing("\"timeout_ms\":20.0", with: "\"timeout_ms\":5.0"),
        "timeouts differ"
      ),
      (Reports.run().replacing("\"max\":64", with: "\"max\":256"), "64 and 64 to 256 candidates"),
      (Reports.run().replacing("\"grpc\"", with: "\"session\""), "framings differ"),
    ]
    for (b, hint) in hints {
      let warnings = try compare(Reports.run(), b).runs[0].warnings
      #expect(warnings.count == 1 && warnings[0].contains(hint), "\(hint): \(warnings)")
    }
    // A per cent is Poisson's own scatter, and two ports of a machine are one kind.
    #expect(try compare(Reports.run(), Reports.run(rate: 100.9)).runs[0].warnings == [])
    #expect(try compare(Reports.run(), Reports.run(target: "[::1]:9")).runs[0].warnings == [])
  }

  @Test func sweepsAreComparedRateByRate() throws {
    let both = try compare(Reports.sweep([100, 200, 400]), Reports.sweep([201, 100, 300]))
    #expect(both.runs.map(\.a.rate) == [100, 200] && both.runs.map(\.b.rate) == [100, 201])
    #expect(both.warnings == ["only A has 400 calls/s", "only B has 300 calls/s"])
  }

  @Test func sweepsWithoutACommonRateAreWarnedOfToo() throws {
    let other = Reports.sweep([300]).replacing("poisson", with: "constant")
    let both = try compare(Reports.sweep([100]), other)
    #expect(both.runs.isEmpty && both.warnings.count == 3)
    #expect(both.warnings[0] == "the schedules differ: poisson and constant")
  }

  @Test func aRunIsNoSweep() {
    #expect { try compare(Reports.run(), Reports.sweep([100])) } throws: {
      "\($0)".contains("b.json is a sweep and a.json is one run")
    }
  }
}
