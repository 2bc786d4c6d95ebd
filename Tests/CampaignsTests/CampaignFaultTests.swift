import Campaigns
import Core
import Testing

/// One line of the fixture replaced, and the one fault that this makes.
struct FaultCase: Sendable, CustomTestStringConvertible {
  var line: Int
  var text: String
  /// Where the fault is, if not in `line`.
  var at: Int
  var field: String
  var reason: String

  init(_ line: Int, _ text: String, at: Int? = nil, _ field: String, _ reason: String) {
    self.line = line
    self.text = text
    self.at = at ?? line
    self.field = field
    self.reason = reason
  }

  var testDescription: String { text }
}

@Suite struct CampaignFaultTests {
  static let policy: [FaultCase] = [
    FaultCase(1, "currency: usd", "currency", "\"usd\" is not a currency's three"),
    FaultCase(1, "currency: USDT", "currency", "three upper-case letters"),
    FaultCase(1, "currency: [USD]", "currency", "single value"),
    FaultCase(1, "currency:", "currency", "no value"),
    FaultCase(1, "currency: ~", "currency", "no value"),
    FaultCase(1, "curency: USD", "curency", "did you mean currency?"),
    FaultCase(1, "colour: red", "colour", "there are currency, boost, holdout and campaigns"),
    FaultCase(1, "[a]: USD", "", "a key is a single word"),
    FaultCase(2, "boost: {scale_micros: 0}", "boost.scale_micros", "whole number from 1"),
    FaultCase(2, "boost: {scale_micros: 1.5}", "boost.scale_micros", "whole number from 1"),
    FaultCase(2, "boost: {scale_micros: 010}", "boost.scale_micros", "whole number from 1"),
    FaultCase(2, "boost: 3", "boost", "has to be a mapping"),
    FaultCase(2, "boost: {surfaces: [radio]}", "boost.surfaces", "has to be a mapping"),
    FaultCase(
      2, "boost: {surfaces: {rado: {}}}", "boost.surfaces.rado",
      "knows home and radio; did you mean radio?"),
    FaultCase(
      2, "boost: {surfaces: {radio: {wieght: 1}}}", "boost.surfaces.radio.wieght",
      "did you mean weight?"),
    FaultCase(
      2, "boost: {surfaces: {radio: {weight: .nan}}}", "boost.surfaces.radio.weight", "finite"),
    FaultCase(
      2, "boost: {surfaces: {radio: {weight: nan}}}", "boost.surfaces.radio.weight", "finite"),
    FaultCase(
      2, "boost: {surfaces: {radio: {cap: 1e999}}}", "boost.surfaces.radio.cap", "finite"),
    FaultCase(2, "boost: {surfaces: {radio: {cap: -1}}}", "boost.surfaces.radio.cap", "at least 0"),
    FaultCase(2, "boost: {surfaces: {radio: {cap: 0x1p3}}}", "boost.surfaces.radio.cap", "number"),
    FaultCase(3, "holdout: {percent: 2}", "holdout.salt", "missing"),
    FaultCase(3, "holdout: {salt: \"\", percent: 2}", "holdout.salt", "empty"),
    FaultCase(3, "holdout: {salt: \"a\\u2028\", percent: 2}", "holdout.salt", "control characters"),
    FaultCase(3, "holdout: {salt: a}", "holdout.percent", "missing"),
    FaultCase(3, "holdout: {salt: a, percent: 100.01}", "holdout.percent", "from 0 to 100"),
    FaultCase(3, "holdout: {salt: a, percent: 0.125}", "holdout.percent", "two decimals"),
    FaultCase(3, "holdout: {salt: a, percent: -0}", "holdout.percent", "from 0 to 100"),
    FaultCase(3, "holdout: {salt: a, percent: 2%}", "holdout.percent", "from 0 to 100"),
  ]

  static let campaign: [FaultCase] = [
    FaultCase(5, "  - id: Summer", "campaigns[0].id", "a-z, 0-9 and -"),
    FaultCase(5, "  - id: \"\"", "campaigns[0].id", "1 to 64"),
    FaultCase(5, "  - id: " + String(repeating: "a", count: 65), "campaigns[0].id", "1 to 64"),
    FaultCase(5, "  - id: winter", at: 19, "campaigns[1].id", "campaign in line 5 already"),
    FaultCase(5, "  - name: x", at: 5, "campaigns[0].id", "missing"),
    FaultCase(6, "    items: []", "campaigns[0].items", "promotes nothing"),
    FaultCase(6, "    items: spotify:track:1", "campaigns[0].items", "a list"),
    FaultCase(6, "    items: [7, 8, 7]", "campaigns[0].items[2]", "stands twice, first in line 6"),
    FaultCase(6, "    items: [track]", "campaigns[0].items[0]", "neither a URI nor a decimal id"),
    FaultCase(6, "    items: [\":x\"]", "campaigns[0].items[0]", "neither a URI nor a decimal id"),
    FaultCase(6, "    items: [0]", "campaigns[0].items[0]", "0 is no item's id"),
    FaultCase(6, "    items: [007]", "campaigns[0].items[0]", "zeros in front"),
    FaultCase(6, "    items: [18446744073709551616]", "campaigns[0].items[0]", "largest id"),
    FaultCase(6, "    items: [\"a:b c\"]", "campaigns[0].items[0]", "white space"),
    FaultCase(6, "    items: [\"a:\\0\"]", "campaigns[0].items[0]", "control characters"),
    FaultCase(6, "    items: [[a:b]]", "campaigns[0].items[0]", "single value"),
    FaultCase(6, "    items: [null]", "campaigns[0].items[0]", "no value"),
    FaultCase(6, "    items_file: list.txt", "campaigns[0].items_file", "a server reads no files"),
    FaultCase(21, "      - a b", "campaigns[1].items[0]", "white space"),
    FaultCase(22, "      - spotify:track:2", "campaigns[1].items[1]", "first in line 21"),
    FaultCase(7, "    flight: {start: 2026-12-01T00:00:00Z}", "campaigns[0].flight.end", "missing"),
    FaultCase(7, flight("2026-12-31T00:00:00Z"), "campaigns[0].flight.end", "not after the start"),
    FaultCase(
      24, "      start: 2026-12-31T00:00:00Z", at: 25, "campaigns[1].flight.end", "not after"),
    FaultCase(24, "      start: 2026-12-01T00:00:00", "campaigns[1].flight.start", "time zone"),
    FaultCase(24, "      start: 2026-12-01", "campaigns[1].flight.start", "time zone"),
    FaultCase(24, "      start: soon", "campaigns[1].flight.start", "RFC 3339"),
    FaultCase(24, "      start: 2025-02-29T00:00:00Z", "campaigns[1].flight.start", "is not"),
    FaultCase(24, "      start: 2026-06-30T23:59:60Z", "campaigns[1].flight.start", "leap second"),
    FaultCase(
      24, "      start: 2026-12-01T00:00:00.0001Z", "campaigns[1].flight.start", "millisecond"),
    FaultCase(
      24, "      start: 2016-12-01T00:00:00Z", at: 25, "campaigns[1].flight.end", "ten years"),
    FaultCase(
      7, "    flight: {start: 2026-11-01T00:00:00Z, end: 2026-11-28T00:00:00Z}",
      "campaigns[0].flight.end", "is over: it is 2026-11-28T00:00:00Z now"),
    FaultCase(11, "    markets: []", "campaigns[0].markets", "for nobody"),
    FaultCase(11, "    markets: SE", "campaigns[0].markets", "a list"),
    FaultCase(11, "    markets: [SE, se]", "campaigns[0].markets[1]", "two upper-case"),
    FaultCase(11, "    markets: [SE, XX]", "campaigns[0].markets[1]", "it knows NO, SE and US"),
    FaultCase(11, "    markets: [SE, SE]", "campaigns[0].markets[1]", "stands twice"),
    FaultCase(12, "    surfaces: [hom]", "campaigns[0].surfaces[0]", "did you mean home?"),
    FaultCase(13, "    tiers: [gold]", "campaigns[0].tiers[0]", "it knows free and premium"),
    FaultCase(14, "    segments: []", "campaigns[0].segments", "for nobody"),
    FaultCase(14, "    segments: [\"\"]", "campaigns[0].segments[0]", "empty"),
    FaultCase(16, "    pacing: {mode: fast}", "campaigns[0].pacing.mode", "traffic, even or asap"),
    FaultCase(16, "    pacing: traffic", "campaigns[0].pacing", "mapping"),
    FaultCase(16, "    pacing: {}", "campaigns[0].pacing.mode", "missing"),
    FaultCase(17, "    minimum_exposures: -1", "campaigns[0].minimum_exposures", "whole number"),
    FaultCase(
      17, "    minimum_exposures: 166667", "campaigns[0].minimum_exposures",
      "166667 exposures at 0.015 cost more than the budget of 2500.00"),
    FaultCase(
      17, "    minimum_exposures: 9223372036854775807", "campaigns[0].minimum_exposures",
      "cost more than the budget"),
    FaultCase(
      28, "    worth: {per: goal, amount: 0.5}\n    minimum_exposures: 1", at: 29,
      "campaigns[1].minimum_exposures", "costs nothing has no price"),
    FaultCase(17, "    minimum: 1", "campaigns[0].minimum", "there are id, items,"),
    FaultCase(18, "    exploration: thomson", "campaigns[0].exploration", "mean thompson?"),
    FaultCase(19, "  - [winter]\n  - id: winter", "campaigns[1]", "mapping"),
  ]

  static func flight(_ start: String) -> String {
    "    flight: {start: \(start), end: 2026-12-31T00:00:00Z}"
  }

  static let money: [FaultCase] = [
    FaultCase(8, "    budget: {amount: \"0\"}", "campaigns[0].budget.amount", "more than 0"),
    FaultCase(8, "    budget: {amount: \"-5\"}", "campaigns[0].budget.amount", "below 0"),
    FaultCase(8, "    budget: {amount: 1e3}", "campaigns[0].budget.amount", "not a decimal amount"),
    FaultCase(8, "    budget: {amount: .inf}", "campaigns[0].budget.amount", "decimal amount"),
    FaultCase(8, "    budget: {amount: NaN}", "campaigns[0].budget.amount", "decimal amount"),
    FaultCase(8, "    budget: {amount: \"2,500.00\"}", "campaigns[0].budget.amount", "decimal"),
    FaultCase(8, "    budget: {amount: \"1.0000001\"}", "campaigns[0].budget.amount", "millionth"),
    FaultCase(
      8, "    budget: {amount: \"9223372036854.775808\"}", "campaigns[0].budget.amount",
      "largest amount, 9223372036854.775807"),
    FaultCase(8, "    budget: 2500", "campaigns[0].budget", "mapping"),
    FaultCase(8, "    budget: {}", "campaigns[0].budget.amount", "missing"),
    FaultCase(8, "    budget: {amount: 1, per: day}", "campaigns[0].budget.per", "no such key"),
    FaultCase(9, "    cost: {amount: 1}", "campaigns[0].cost.per", "missing"),
    FaultCase(9, "    cost: {per: goal, amount: 1}", "campaigns[0].cost.per", "is not exposure"),
    FaultCase(9, "    cost: {per: exposure, amount: -1}", "campaigns[0].cost.amount", "below 0"),
    FaultCase(
      9, "    cost: {per: exposure, amount: 2500.01}", "campaigns[0].cost",
      "costs 2500.01, more than the budget of 2500.00"),
    FaultCase(10, "    worth: {per: goal, amount: -0.1}", "campaigns[0].worth.amount", "below 0"),
    FaultCase(10, "    worth: {per: goal, amount: }", "campaigns[0].worth.amount", "no value"),
  ]

  static let caps: [FaultCase] = [
    FaultCase(15, "    caps: []", "campaigns[0].caps", "caps nothing"),
    cap("{scope: user, limit: 3, window: 7d}", "scope", "user_campaign, user_artist or"),
    cap("{scope: user_release, limit: 3, window: 7d}", "scope", "no column release"),
    cap("{scope: user_artist, limit: 0, window: 7d}", "limit", "from 1 to 4294967295"),
    cap("{scope: user_artist, limit: 4294967296, window: 7d}", "limit", "from 1 to"),
    cap("{scope: user_artist, limit: 1, window: 7}", "window", "no duration"),
    cap("{scope: user_artist, limit: 1, window: 500us}", "window", "not from 1s to 90d"),
    cap("{scope: user_artist, limit: 1, window: 91d}", "window", "not from 1s to 90d"),
    cap("{scope: user_artist, limit: 1, window: 1.5s}", "window", "whole number of seconds"),
    cap("{scope: user_artist, limit: 1}", "window", "missing"),
    FaultCase(
      15,
      "    caps: [{scope: user_artist, limit: 1, window: 24h}, "
        + "{scope: user_artist, limit: 2, window: 1d}]", "campaigns[0].caps[1]", "already"),
  ]

  static func cap(_ text: String, _ field: String, _ reason: String) -> FaultCase {
    FaultCase(15, "    caps: [\(text)]", "campaigns[0].caps[0].\(field)", reason)
  }

  /// Read in parts and in one piece, both with the same fault.
  @Test(arguments: policy + campaign + money + caps)
  func isRefusedWithLineAndField(_ expected: FaultCase) throws {
    let text = FileFixture.text(expected.line, expected.text)
    for text in [text, text.replacing("\ncampaigns:\n", with: "\n\"campaigns\":\n")] {
      let faults = FileFixture.faults(text)
      // A key that is not known leaves one out, too.
      let fault = try #require(faults.first { $0.field == expected.field }, "\(faults)")
      #expect(faults.count <= (expected.text.contains("- name:") ? 2 : 1), "\(faults)")
      #expect(fault.line == expected.at)
      #expect(fault.reason.contains(expected.reason), "\(fault)")
    }
  }

  @Test(arguments: [
    (6, "campaigns[0].items", 5), (7, "campaigns[0].flight", 5), (8, "campaigns[0].budget", 5),
    (9, "campaigns[0].cost", 5), (10, "campaigns[0].worth", 5),
  ])
  func whatIsMissingIsNamed(_ line: Int, _ field: String, _ at: Int) {
    let expected = FileFault(line: at, field: field, reason: "it is missing")
    #expect(FileFixture.faults(FileFixture.text(line, nil)) == [expected])
  }

  @Test func allFaultsAreFoundInTheOrderOfLines() {
    var lines = FileFixture.lines
    lines[18] = "  - id: WINTER"
    lines[7] = "    budget: {amount: x}"
    lines[10] = "    markets: [XX, YY]"
    lines[0] = "currency: usd"
    let faults = FileFixture.faults(FileFixture.text(lines))
    #expect(faults.map(\.line) == [1, 8, 11, 11, 19])
    #expect(
      faults.map(\.field) == [
        "currency", "campaigns[0].budget.amount", "campaigns[0].markets[0]",
        "campaigns[0].markets[1]", "campaigns[1].id",
      ])
  }

  @Test func aHundredFaultsAreKeptAndTheRestCounted() throws {
    var lines = FileFixture.lines
    lines[0] = "currency: usd"
    lines[5] = "    items:\n" + (0..<1_000).map { "      - x\($0)\n" }.joined()
    let error = #expect(throws: FileFaults.self) {
      try FileFixture.parse(FileFixture.text(lines))
    }
    let faults = try #require(error)
    #expect(faults.kept.count == Limits.campaignFaults)
    #expect(faults.leftOut == 1_001 - Limits.campaignFaults)
    #expect(faults.kept.map(\.line) == [1] + (0..<99).map { 7 + $0 })
  }

  @Test func longTextsAreCutInReasons() {
    let text = FileFixture.text(5, "  - id: " + String(repeating: "É", count: 10_000))
    #expect(FileFixture.faults(text).allSatisfy { $0.reason.utf8.count < 300 })
    let key = FileFixture.text(
      5, "  - id: a\n    \"" + String(repeating: "k", count: 900) + "\": 1")
    #expect(FileFixture.faults(key).first?.field.utf8.count ?? 999 < Limits.fieldPathBytes)
    #expect(FileFixture.faults(key).count == 1)
  }
}
