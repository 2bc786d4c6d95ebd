import ArgumentParser
import Client
import Core
import Foundation
import Testing
import Wire

@testable import crescendo

private let text = """
  currency: USD
  campaigns:
    - id: summer-drop
      items: [7, 8]
      flight: {start: 2026-12-01T00:00:00Z, end: 2026-12-31T00:00:00Z}
      budget: {amount: "2500.00"}
      cost: {per: exposure, amount: "0.0150"}
      worth: {per: goal, amount: "0.4000"}

  """

private func source(_ text: String, name: String = "folder/campaigns.yaml", files: [String: String])
  -> CampaignSource
{
  CampaignSource(name: name, text: text, nowUnixMilliseconds: 1_795_000_000_000) {
    path throws(UsageError) in
    guard let text = files[path] else { throw UsageError("cannot read \(path)") }
    return text
  }
}

private func fault(_ field: String, line: UInt32 = 0) -> CampaignFaultMessage {
  CampaignFaultMessage(line: line, field: field, reason: "x")
}

@Suite struct CampaignSourceTests {
  @Test func aFileGoesAsItStands() {
    let source = source(text, files: [:])
    #expect(source.document == text && source.faults.isEmpty)
    #expect(source.line(of: fault("campaigns[0].id", line: 9)) == 9)
  }

  @Test func itemsOfOtherFilesArePutInPlace() {
    let withFile = text.replacing("items: [7, 8]", with: "items_file: shelf/items.txt")
    let source = source(withFile, files: ["folder/shelf/items.txt": "7\n8 # eight\n"])
    #expect(source.faults.isEmpty && !source.document.contains("items_file"))
    let again = CampaignSource(
      name: "x", text: source.document, nowUnixMilliseconds: 1_795_000_000_000
    ) { path throws(UsageError) in throw UsageError(path) }
    #expect(again.faults.isEmpty && again.document == source.document)
    #expect(source.line(of: fault("campaigns[0].budget.amount", line: 99)) == 6)
    #expect(source.line(of: fault("campaigns[0].id", line: 99)) == 3)
    #expect(source.line(of: fault("campaigns[0].caps[1]", line: 99)) == 3)
    for field in ["campaigns[1].id", "campaigns[99999999999999999999]", "currency", ""] {
      #expect(source.line(of: fault(field, line: 99)) == 0)
    }
  }

  /// What the server will hardly take is not read here first; it says so itself.
  @Test func aFileThatIsTooLongGoesUnread() {
    let tail = String(repeating: "#", count: 32 << 20)
    let broken = text.replacing("2500.00", with: "-3")
    let long = source(broken + tail, files: [:])
    #expect(long.faults.isEmpty && long.document.utf8.count == broken.utf8.count + tail.utf8.count)
    #expect(long.line(of: fault("campaigns[0].budget.amount", line: 6)) == 6)
    #expect(source(broken, files: [:]).faults.map(\.line) == [6])
    #expect(CampaignSource.goesUnread(text, from: 100))
    for key in ["items_file", "items_items_file", "items_fil_items_file"] {
      let withFile = text.replacing("items: [7, 8]", with: "\(key): items.txt")
      #expect(!CampaignSource.goesUnread(withFile, from: 100), "\(key)")
    }
    #expect(CampaignSource.goesUnread("items_fil items_ _file", from: 1))
    #expect(!CampaignSource.goesUnread("items_file", from: 1))
  }

  @Test func theLineThatIsNotUTF8IsNamed() {
    let fault = CampaignSource.notUTF8(Array("a\nø\nb".utf8) + [0xFF, 0x0A] + Array("c".utf8))
    #expect((fault.line, fault.reason) == (3, "it is not UTF-8"))
  }

  @Test func faultsAreFoundBeforeAServerIsAsked() {
    let missing = source(
      text.replacing("items: [7, 8]", with: "items_file: items.txt"), files: [:])
    #expect(missing.faults.map(\.line) == [4] && missing.document.isEmpty)
    #expect(missing.faults.first?.field == "campaigns[0].items_file")
    let broken = source(text.replacing("2500.00", with: "-3"), files: [:])
    #expect(broken.faults.map(\.line) == [6])
  }
}

@Suite struct CampaignReportTests {
  @Test func aDifferenceIsShown() throws {
    var response = ApplyCampaignsResponseMessage()
    response.applied = true
    response.changes = [
      CampaignChangeMessage(
        campaignID: "", kind: .policy,
        fields: [.init(field: "holdout.percent", before: "", after: "2.0")]),
      CampaignChangeMessage(campaignID: "a\u{1B}", kind: .added),
      CampaignChangeMessage(campaignID: "b", kind: .unchanged),
      CampaignChangeMessage(campaignID: "c", kind: .init(rawValue: 77)),
    ]
    let report = ApplyReport(response, source: source(text, files: [:]), dryRun: false)
    #expect(
      report.table(palette: .plain) == """
        ~ for all campaigns
            holdout.percent: - -> 2.0
        + a\u{FFFD}
        ? c (77)

        applied: 1 added, 0 changed, 1 unchanged
        """)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(report.json.utf8)) as? [String: Any])
    #expect(
      Set(object.keys) == [
        "applied", "dry_run", "changes", "faults", "faults_left_out", "added", "changed",
        "unchanged", "changes_left_out", "warnings", "warnings_left_out",
      ])
  }

  @Test func warningsAndWhatIsLeftOutAreShown() {
    var response = ApplyCampaignsResponseMessage()
    (response.applied, response.changesLeftOut) = (true, 7)
    (response.added, response.unchanged) = (8, 2)
    response.changes = [CampaignChangeMessage(campaignID: "a", kind: .added)]
    response.warnings = (1...12).map { fault("campaigns[0].caps[0]", line: $0) }
    response.warningsLeftOut = 3
    let report = ApplyReport(response, source: source(text, files: [:]), dryRun: false)
    let lines = report.table(palette: .plain).split(separator: "\n").map(String.init)
    #expect(lines[0...1] == ["+ a", "and 7 campaigns that are not shown"])
    #expect(lines[2] == "warning: folder/campaigns.yaml:1: campaigns[0].caps[0]: x")
    #expect(lines[12] == "and 5 more warnings; --output json has up to 100")
    #expect(lines.last == "applied: 8 added, 0 changed, 2 unchanged")
  }

  @Test func whatMayHaveBeenApplied() {
    let failed: (StatusCode, FailedCall.Origin) -> ClientError = {
      .failed(FailedCall(CallFailure($0, "x"), origin: $1))
    }
    for open in [
      failed(.deadlineExceeded, .client), failed(.deadlineExceeded, .server),
      failed(.unavailable, .connection), failed(.unavailable, .server),
      failed(.internalError, .client),
    ] {
      #expect(CampaignApplyCommand.leavesOpen(open), "\(open)")
    }
    #expect(!CampaignApplyCommand.leavesOpen(failed(.resourceExhausted, .server)))
    #expect(!CampaignApplyCommand.leavesOpen(.invalidRequest("x")))
  }

  @Test func pricesAreInOneNotation() {
    let texts = [0, 0.25, 0.000_012_3, 0.000_099_9999, 1e-9, 3.5].map(priceText)
    #expect(
      texts == ["0.000000", "0.250000", "0.000012", "0.000100", "<0.000001", "3.500000"])
  }

  @Test func faultsAreLinesOfTheFile() {
    var response = ApplyCampaignsResponseMessage()
    response.faults = [fault("campaigns[0].id", line: 3), fault("", line: 0)]
    response.faultsLeftOut = 5
    let report = ApplyReport(response, source: source(text, files: [:]), dryRun: true)
    #expect(
      report.table(palette: .plain) == """
        folder/campaigns.yaml:3: campaigns[0].id: x
        folder/campaigns.yaml: x
        and 5 more

        nothing was applied
        """)
  }

  @Test func barsAreForTerminalsThatShowThem() {
    let values: [Int64] = [-5, 0, 10, 50, 100]
    #expect(Sparkline.text(values, most: 100, .blocks) == "▁▁▂▅█")
    #expect(Sparkline.text(values, most: 100, .ascii) == "__.=#")
    #expect(Sparkline.text([.max], most: .max, .ascii) == "#")
    let style: ([String: String], Bool) -> Sparkline.Style = { environment, isTerminal in
      Sparkline.Style.style(isTerminal: isTerminal) { environment[$0] }
    }
    #expect(style(["LANG": "sv_SE.UTF-8"], true) == .blocks)
    #expect(style(["LANG": "sv_SE.UTF-8"], false) == .ascii)
    #expect(style(["LC_ALL": "C", "LANG": "sv_SE.utf8"], true) == .ascii)
    #expect(style(["LC_ALL": "", "LC_CTYPE": "C.utf8", "LANG": "C"], true) == .blocks)
    #expect(style([:], true) == .ascii)
  }

  @Test func everyStateCanBeListed() throws {
    let states = (1...6).map { CampaignStatus(rawValue: Int32($0)).name.lowercased() }
    #expect(Set(CampaignListCommand.Status.allCases.map(\.rawValue)) == Set(states))
    let command = try #require(
      try Crescendo.parseAsRoot(["campaign", "list", "--status", "reserved"])
        as? CampaignListCommand)
    var campaign = CampaignStateMessage()
    campaign.status = .reserved
    #expect(command.isWanted(campaign))
    campaign.status = .running
    #expect(!command.isWanted(campaign))
  }

  @Test func namesAreForKeysThatAreKnown() {
    var names = CampaignNames(wanted: [0, 5, 6, 5])
    var campaign = CampaignStateMessage()
    (campaign.id, campaign.key) = ("a", 5)
    names.take([campaign])
    #expect(names.found == [5: "a"] && !names.isComplete)
    #expect(CampaignNames.name(of: 5, names.found) == "a")
    #expect(CampaignNames.name(of: 6, names.found) == "key:0000000000000006")
    #expect(CampaignNames.name(of: 0, names.found) == nil)
    #expect(CampaignNames(wanted: [0, 0]).isComplete)
  }

  @Test func scoresShowTheirBoosts() throws {
    var response = ScoreResponseMessage()
    response.scores = [0.5, 0.25]
    (response.allFidelity, response.allReason) = (4, 1)
    response.boosts = [0, 0.125]
    response.campaignKeys = [0, 5]
    response.boostReasons = [10, 1]
    response.provenance.boostScale = "micros:1000"
    response.explanations = [
      .init(
        position: 1, expectedRaw: 0, contributions: [], terms: [.init(name: "worth", value: 400)]),
      .init(position: 9, expectedRaw: 0, contributions: [], terms: [.init(name: "x", value: 1)]),
    ]
    let report = ScoreReport(
      response, items: try ItemList(commaSeparated: "7,8"), campaigns: [5: "summer-drop"])
    #expect(
      report.table(top: nil, palette: .plain).hasPrefix(
        """
        rank  item     score     boost  campaign     boost reason  fidelity  reason
           1  7     0.500000  0.000000  -            NO_CAMPAIGN   FULL      OK
           2  8     0.250000  0.125000  summer-drop  OK            FULL      OK

        8: worth 400.0

        """))
    #expect(
      report.json(top: nil).contains(
        #""boost":0.125,"fidelity":"FULL","reason":"OK","campaign":"summer-drop","#
          + #""boost_reason":"OK","terms":{"worth":400.0}}"#))
  }
}

@Suite struct AllocateCommandTests {
  private func allocate(_ arguments: String...) throws -> AllocateCommand {
    try #require(try Crescendo.parseAsRoot(["allocate"] + arguments) as? AllocateCommand)
  }

  @Test func flagsReachTheRequest() throws {
    let command = try allocate(
      "--user", "5", "--items", "7,8", "--slots", "3", "--market", "SE", "--request-id",
      "00112233445566778899AABBccddeeff")
    let id = try #require(command.requestId)
    let items = try command.about.itemList { path throws(UsageError) in throw UsageError(path) }
    let request = try command.request(for: items, id: id)
    #expect(request.slots == 3 && request.request.userID == 5)
    #expect(request.request.itemIDs == [7, 8] && request.request.context.market == "SE")
    #expect(AllocationID.text(request.requestID) == "00112233445566778899aabbccddeeff")
    #expect(try AllocationID.random() != AllocationID.random())
    #expect(try AllocationID.random().bytes.count == 16)
  }

  @Test(arguments: ["0", "101"]) func slotsAreBounded(slots: String) throws {
    let command = try allocate("--items", "7", "--slots", slots)
    let items = try ItemList(commaSeparated: "7")
    let failure = #expect(throws: CommandFailure.self) {
      try command.request(for: items, id: try AllocationID.random())
    }
    #expect(failure == CommandFailure(.usage, "--slots is 1 to 100"))
  }
}
