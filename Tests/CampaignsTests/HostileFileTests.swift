import Campaigns
import Core
import Testing

@Suite struct HostileFileTests {
  /// A fault that has to do with how a text is written; its field may be the whole campaign.
  struct Case: Sendable {
    var line: Int
    var text: String
    var at: Int
    var field: String
    var reason: String

    init(_ line: Int, _ text: String, at: Int? = nil, _ field: String, _ reason: String) {
      (self.line, self.text, self.at) = (line, text, at ?? line)
      (self.field, self.reason) = (field, reason)
    }
  }

  static let cases: [Case] = [
    Case(1, "currency: &a USD", "", "anchors and aliases"),
    Case(1, "currency: *a", "", "anchors and aliases"),
    Case(1, "currency: !!str USD", "", "tags"),
    Case(1, "currency: |", "", "several lines"),
    Case(1, "currency: \"US", "", "end on its line"),
    Case(1, "currency: @USD", "", "has to be quoted"),
    Case(1, "? currency", "", "? is not taken"),
    Case(1, "%YAML 1.1", "", "has to be quoted"),
    Case(1, "currency: USD\ncurrency: USD", at: 1, "", "\"currency\" stands twice"),
    Case(1, "currency: USD\n---\na: b", at: 2, "", "one document"),
    Case(1, "currency: USD\u{7}", "", "control character"),
    Case(1, "currency: USD\u{2028}", "", "control character"),
    Case(1, "currency: USD\rboost: x", "", "carriage return"),
    Case(1, "currency:\n  USD", at: 2, "", "goes on in line 3"),
    Case(1, "currency: USD\n  EUR", at: 1, "", "goes on in line 2"),
    Case(1, String(repeating: " ", count: 65) + "currency: USD", "", "more than 64 columns"),
    Case(2, "boost: [", "", "not closed"),
    Case(2, "boost: {]", "", "did not find expected node content, while parsing"),
    Case(2, "boost: ]", "", "no [ or { is open"),
    Case(2, "\tboost: {}", at: 1, "", "goes on in line 2"),
    Case(3, "\tholdout: {}", "", "it is no YAML: found character"),
    Case(4, "campaigns:\ncampaigns:", "", "stands twice"),
    Case(8, "    <<: *base", "campaigns[0]", "anchors and aliases"),
    Case(8, "    budget: {amount: 1, amount: 2}", "campaigns[0]", "\"amount\" stands twice"),
    Case(8, "    budget: {amount: 1}\n    budget: {amount: 1}", "campaigns[0]", "stands twice"),
    Case(
      8, "    budget: {amount: 1", "campaigns[0]",
      "or a ] or } is missing; this text goes on in line 9"),
    Case(18, "    exploration: [", "campaigns[0]", "not closed"),
    Case(
      18, "    exploration: {\"a\": b]", "campaigns[0]", "while parsing a flow mapping from line 18"
    ),
    Case(8, "    budget: {amount: \"1}", "campaigns[0]", "end on its line"),
    Case(8, "    budget: " + String(repeating: "[", count: 100_000), "campaigns[0]", "nested"),
    Case(8, "    budget: " + String(repeating: "{a: ", count: 17), "campaigns[0]", "nested"),
    Case(
      8, "    budget: [\"]\",[\"]\",[" + String(repeating: "['}',", count: 20), "campaigns[0]",
      "nes"),
    Case(8, "    " + String(repeating: "- ", count: 100) + "a", "campaigns[0]", "a list within"),
  ]

  @Test(arguments: cases.indices)
  func isRefusedWithLine(_ index: Int) throws {
    let expected = HostileFileTests.cases[index]
    let faults = FileFixture.faults(FileFixture.text(expected.line, expected.text))
    let fault = try #require(faults.first)
    #expect(fault.line == expected.at, "\(fault)")
    #expect(fault.field == expected.field, "\(fault)")
    #expect(fault.reason.contains(expected.reason), "\(fault)")
  }

  /// The other campaigns' faults are found all the same.
  @Test func oneThatIsNoYAMLHidesNoOther() {
    var lines = FileFixture.lines
    lines[7] = "    budget: {amount: 1"
    lines[18] = "  - id: WINTER"
    let faults = FileFixture.faults(FileFixture.text(lines))
    #expect(faults.map(\.line) == [8, 19])
    #expect(faults.map(\.field) == ["campaigns[0]", "campaigns[1].id"])
  }

  /// Ten aliases of ten aliases of …, as a key, would be hashed 10^12 times.
  @Test func billionLaughs() {
    var text = "a0: &a0 [x]\n"
    for level in 1...12 {
      let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(aliases)]\n"
    }
    let faults = FileFixture.faults(text + "? *a12\n: 1\n")
    #expect(faults.map(\.line) == [1])
    #expect(faults.first?.reason.contains("anchors") == true)
  }

  @Test func whatLooksLikeAnAnchorInATextIsNone() throws {
    let text = FileFixture.text(6, "    items: [\"a:x&y\", a:&b*c, 'it:''s &d *e']  # R &B, *this*")
    let faults = FileFixture.faults(text)
    #expect(faults.map(\.field) == ["campaigns[0].items[2]"])
    let fine = try FileFixture.parse(text.replacing("''s &d *e", with: "s&d*e"))
    #expect(fine.campaigns[0].items == ["a:x&y", "a:&b*c", "it:s&d*e"])
  }

  /// A line that only looks like the key of the campaigns.
  @Test func campaignsWithinAText() {
    let flow = "{currency: USD,\ncampaigns:\n- a\n}\n"
    #expect(!FileFixture.faults(flow).isEmpty)
    let quoted = "currency: \"\ncampaigns:\n  - id: x\n\"\n"
    #expect(!FileFixture.faults(quoted).isEmpty)
    let nested = "  currency: USD\ncampaigns:\n  - id: x\n"
    #expect(!FileFixture.faults(nested).isEmpty)
  }

  @Test(arguments: [
    "", "\n", "# nothing\n", "---\n", "{}", "campaigns: []", "[]", "x", "campaigns:",
  ])
  func nothingIsAFault(_ text: String) {
    let faults = FileFixture.faults(text)
    #expect(faults.count == 1)
    #expect(faults.first?.line == (text == "---\n" ? 2 : 1))
  }

  @Test func aFileHasABound() {
    let text = String(repeating: "#", count: Limits.campaignFileBytes + 1)
    #expect(FileFixture.faults(text).map(\.reason).first?.contains("at most") == true)
  }

  @Test func onePieceHasABound() {
    let list = String(repeating: "1,", count: Limits.campaignPartValues + 1)
    let faults = FileFixture.faults("{\"campaigns\": [\(list)]}")
    #expect(faults.map(\.line) == [1])
    #expect(faults.first?.reason.contains("values in one piece") == true)
  }

  @Test func thereAreAtMostSoManyCampaigns() {
    let entries = String(repeating: "- 1\n", count: Limits.campaigns + 5)
    let error = #expect(throws: FileFaults.self) {
      try FileFixture.parse("campaigns:\n" + entries)
    }
    // One for each that is none, one for all that are too many.
    #expect(error.map { $0.kept.count + $0.leftOut } == Limits.campaigns + 1)
  }

  /// Whatever is done to a file: values or faults, and each fault within the file.
  @Test(arguments: 0..<8)
  func mutatedFilesAreReadOrRefused(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let bytes = Array(CampaignFileTests.example.utf8) + Array("\n".utf8)
    let pieces = Array("\n\n  -:#&*!|>'\"%@`[]{},?\t\r\\-~0".utf8)
    var (accepted, refused) = (0, 0)
    for _ in 0..<2_500 {
      var mutated = bytes
      for _ in 0...Int.random(in: 0..<3, using: &random) {
        let at = Int.random(in: mutated.indices, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: mutated[at] = UInt8.random(in: 0...255, using: &random)
        case 1: mutated.remove(at: at)
        case 2: mutated.insert(pieces.randomElement(using: &random) ?? 0, at: at)
        case 3: mutated[at] = pieces.randomElement(using: &random) ?? 0
        default:
          let end = min(mutated.count, at + Int.random(in: 1..<40, using: &random))
          mutated.insert(contentsOf: mutated[at..<end], at: at)
        }
      }
      let text = String(decoding: mutated, as: UTF8.self)
      do throws(FileFaults) {
        let document = try FileFixture.parse(text)
        #expect(document.places.count == document.campaigns.count)
        accepted += 1
      } catch {
        refused += 1
        let lines = text.utf8.count { $0 == 0x0A } + 1
        #expect(!error.kept.isEmpty)
        #expect(error.kept.allSatisfy { (1...lines + 1).contains($0.line) && !$0.reason.isEmpty })
      }
    }
    #expect(accepted > 100)
    #expect(refused > 100)
  }
}
