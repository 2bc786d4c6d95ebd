import Testing

@testable import Report

@Suite struct LoadDocumentTests {
  @Test func aRunIsReadWhole() throws {
    let document = try Reports.document(Reports.run())
    let run = document.runs[0]
    #expect(!document.isSweep && document.runs.count == 1)
    #expect(run.rate == 100 && run.setup.schedule == "poisson" && run.setup.connections == 8)
    // In the order of their numbers, whatever the file's.
    #expect(run.statuses.map(\.name) == ["OK", "RESOURCE_EXHAUSTED"])
    #expect(run.fidelities.map(\.name) == ["FULL", "PRIOR"])
    #expect(run.latency.p99 == 8 && run.latency.max == nil)
    #expect(run.latencyLevels.last == RunRecord.Level(share: 1, milliseconds: nil))
    #expect(run.series?.seconds == [-1, 0, 1] && run.series?.p99 == [2, nil, 8])
    #expect(run.texts == [RunRecord.Words(name: "RESOURCE_EXHAUSTED", text: "queue full")])
    #expect(run.latencyObjectives.map(\.share) == [0.99])
  }

  @Test func aRunOfTheFirstVersionIsRead() throws {
    let run = try Reports.document(Reports.old).runs[0]
    #expect(run.rate == 50 && run.series == nil && run.setup.target == nil && run.server == nil)
    // The curve is made of what there is.
    #expect(run.levels(run.latencyLevels, run.latency).map(\.milliseconds) == [1, 2, 3, 4, 5, 6])
  }

  @Test func aSweepIsReadByRisingRates() throws {
    let document = try Reports.document(Reports.sweep([300, 100, 200]))
    #expect(document.isSweep && document.runs.map(\.rate) == [100, 200, 300])
    #expect(document.capacity == 250)
  }

  @Test(arguments: [
    ("", "JSON"), ("[]", "JSON object"), ("{}", "offered_rps is missing"), ("{", "JSON"),
    ("{\"sweep\":[]}", "without a run"), ("{\"sweep\":7}", "sweep is of another type"),
    ("{\"sweep\":[{}]}", "sweep[0].offered_rps is missing"),
  ])
  func foreignFiles(_ json: String, _ hint: String) {
    #expect { try Reports.document(json, name: "b.json") } throws: { error in
      "\(error)".contains("b.json") && "\(error)".contains(hint)
    }
  }

  @Test(arguments: [
    ("\"calls\":1000", "\"calls\":-1", "calls is no count"),
    ("\"calls\":1000", "\"calls\":\"many\"", "calls is of another type"),
    ("\"calls\":1000", "\"calls\":1e300", "calls is no count"),
    ("\"calls\":1000", "\"calls\":0.5", "calls is no count"),
    ("\"offered_rps\":100.0", "\"offered_rps\":1e99", "offered_rps is out of range"),
    ("\"in_flight\":[0.5,1.5,1.0]", "\"in_flight\":[0.5]", "series.in_flight has not 3 elements"),
    ("\"t_s\":[-1.0,0.0,1.0]", "\"t_s\":[-1.0,0.0,0.0]", "series.t_s does not rise"),
    ("[0.0,1.0],[50.0", "[0.0,1.0],[500.0", "percentiles.latency_ms"),
    ("[0.0,1.0],[50.0,2.0]", "[0.0,1.0],[50.0]", "percentiles.latency_ms"),
    ("\"latency_ms\":{\"p50\":2.0", "\"latency_ms\":{\"p50\":[]", "latency_ms.p50"),
    ("\"fell_behind\":false", "\"fell_behind\":0", "generator.fell_behind"),
  ])
  func brokenFields(_ from: String, _ to: String, _ hint: String) {
    let json = Reports.run().replacing(from, with: to)
    #expect(json != Reports.run())
    #expect { try Reports.document(json) } throws: { "\($0)".contains(hint) }
  }

  @Test func seriesAreOfBoundedLength() {
    let column = "[" + (0...3_600).map { "\($0).0" }.joined(separator: ",") + "]"
    let json = Reports.run().replacing("\"t_s\":[-1.0,0.0,1.0]", with: "\"t_s\":\(column)")
    #expect { try Reports.document(json) } throws: { "\($0)".contains("more than 3600") }
  }
}
