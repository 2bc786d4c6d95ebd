import Foundation
import Testing
import Wire

@testable import crescendo

private func response() -> ScoreResponseMessage {
  var response = ScoreResponseMessage()
  response.requestID = "r-\"1\""
  response.provenance.snapshot = "20261123T080000Z-3f2a9c"
  response.provenance.model = "default"
  response.provenance.modelSHA256 = "3f2a9c1d0b7e5544"
  response.provenance.treesUsed = 50
  response.provenance.treesTotal = 100
  response.provenance.timeUnixMilliseconds = 1_795_420_800_000
  response.scores = [0.25, 0, 0.5, 0.5, -1]
  response.fidelities = [4, 1, 4, 3, 2]
  response.reasons = [1, 2, 1, 3, 1]
  return response
}

private func items() throws -> ItemList { try ItemList(commaSeparated: "11,12,13,14,15") }

@Suite struct ScoreReportTests {
  @Test func theBestIsFirstAndTiesKeepTheirOrder() throws {
    let report = ScoreReport(response(), items: try items())
    #expect(report.ranked(top: nil).map(\.item) == ["13", "14", "11", "15", "12"])
    #expect(report.ranked(top: 2).map(\.position) == [2, 3])
    #expect(report.ranked(top: 9).count == 5)
  }

  @Test func boostsCountForTheOrder() throws {
    var boosted = response()
    boosted.boosts = [0.5, 9, 0, 0.1, 0]
    let report = ScoreReport(boosted, items: try items())
    #expect(report.ranked(top: 3).map(\.item) == ["11", "14", "13"])
    #expect(report.ranked(top: nil).last?.item == "12", "what has no score has no rank")
  }

  @Test func aTableIsAlignedAndSaysWhereItComesFrom() throws {
    let table = ScoreReport(response(), items: try items()).table(top: nil, palette: .plain)
    #expect(
      table == """
        rank  item      score  fidelity  reason
           1  13     0.500000  FULL      OK
           2  14     0.500000  PARTIAL   DEADLINE
           3  11     0.250000  FULL      OK
           4  15    -1.000000  PRIOR     OK
           5  12     0.000000  NONE      UNKNOWN_ITEM

        snapshot 20261123T080000Z-3f2a9c, model default (sha256 3f2a9c1d0b7e), trees 50/100, \
        time 2026-11-23T08:00:00Z
        """)
  }

  @Test func rawSumsHaveAColumnOfTheirOwn() throws {
    var answer = response()
    answer.rawScores = [0.1, .nan, 2, 3, -1.5]
    let table = ScoreReport(answer, items: try items()).table(top: 3, palette: .plain)
    #expect(
      table.hasPrefix(
        """
        rank  item     score  raw  fidelity  reason
           1  13    0.500000  2.0  FULL      OK
           2  14    0.500000  3.0  PARTIAL   DEADLINE
           3  11    0.250000  0.1  FULL      OK

        """))
  }

  @Test func coloursAreForTerminalsAndControlCharactersForNobody() throws {
    var answer = response()
    answer.provenance.snapshot = "\u{1B}[2Jx"
    let report = ScoreReport(answer, items: try items())
    let plain = report.table(top: nil, palette: .plain)
    #expect(!plain.contains("\u{1B}"))
    #expect(plain.contains("\u{FFFD}[2Jx"))
    let coloured = report.table(top: nil, palette: Palette(isColoured: true))
    #expect(coloured.contains("\u{1B}[31m   5  12"))
    #expect(!coloured.contains("\u{1B}[2J"))
  }

  @Test(arguments: [
    (0.1 as Float, "0.100000"), (1, "1.000000"), (123.456789, "123.456787"),
    (0.99999994, "1.000000"),
    (1e-5, "1e-05"), (1e12, "1e+12"), (-0.0002, "-0.000200"), (.infinity, "inf"),
  ]) func scoresHaveSixPlacesWhereThatShowsThem(score: Float, text: String) throws {
    var answer = ScoreResponseMessage()
    answer.scores = [score]
    answer.allFidelity = 4
    let table = ScoreReport(answer, items: try ItemList(commaSeparated: "1"))
      .table(top: nil, palette: .plain)
    #expect(table.split(separator: "\n")[1].split(separator: " ")[2] == text)
  }

  @Test func jsonHasTheKeysOfTheFormatPage() throws {
    var answer = response()
    answer.rawScores = [0.1, .nan, 2, 3, -.infinity]
    let text = ScoreReport(answer, items: try items()).json(top: nil)
    #expect(
      text.hasPrefix(
        #"{"request_id":"r-\"1\"","snapshot":"20261123T080000Z-3f2a9c","model":"default","#
          + #""model_sha256":"3f2a9c1d0b7e5544","trees_used":50,"trees_total":100,"#
          + #""time_unix_ms":1795420800000,"#
          + #""results":[{"position":0,"item":"11","score":0.25,"boost":null,"raw":0.1,"#
          + #""fidelity":"FULL","reason":"OK","campaign":null},"#))
    #expect(!text.contains("\n"))
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let added: Set = ["model_sha256", "trees_used", "trees_total", "time_unix_ms"]
    #expect(Set(object.keys) == added.union(["request_id", "snapshot", "model", "results"]))
    let results = try #require(object["results"] as? [[String: Any]])
    #expect(results.map { $0["position"] as? Int } == [0, 1, 2, 3, 4])
    #expect(results[1]["raw"] is NSNull)
    #expect(results[4]["raw"] is NSNull)
    #expect(results[4]["score"] as? Double == -1)
  }

  @Test func jsonWithTopIsRankedAndRawOnlyWhereAskedFor() throws {
    let text = ScoreReport(response(), items: try items()).json(top: 2)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let results = try #require(object["results"] as? [[String: Any]])
    #expect(results.map { $0["item"] as? String } == ["13", "14"])
    #expect(
      Set(results[0].keys) == [
        "position", "item", "score", "boost", "fidelity", "reason", "campaign",
      ])
  }

  @Test func anyTextIsAJSONString() throws {
    let text = String(String.UnicodeScalarView((1..<0x3000).compactMap(Unicode.Scalar.init)))
    let data = Data(JSONText.array([JSONText.string(text)]).utf8)
    #expect(try JSONSerialization.jsonObject(with: data) as? [String] == [text])
  }

  @Test(arguments: [0, -0.0, 0.1, 1e-38, 3.4e38, 1e21, 16_777_216, -5e-7] as [Float])
  func floatsReadBackExactly(value: Float) throws {
    let data = Data(JSONText.array([JSONText.number(value)]).utf8)
    let numbers = try #require(try JSONSerialization.jsonObject(with: data) as? [Double])
    #expect(Float(numbers[0]) == value)
    #expect(JSONText.number(Float.nan) == "null")
    #expect(JSONText.number(-Double.infinity) == "null")
  }
}
