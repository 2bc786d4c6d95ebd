import Foundation
import Testing

@testable import Campaigns

/// proto/CAMPAIGNS.md against the code and the contract.
@Suite struct CampaignReferenceTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../..")

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
  }

  /// The first cells of the table's rows under a heading, without their back quotes.
  private func rows(_ heading: String) throws -> [String] {
    let sections = try text("proto/CAMPAIGNS.md").components(separatedBy: "\n## ")
    let section = try #require(sections.first { $0.hasPrefix(heading) })
    return section.matches(of: /\n\| `([^`]+)`/).map { String($0.output.1) }
  }

  /// All that has nothing within, by its place.
  private var leaves: [String] {
    CampaignKeys.within.flatMap { place, keys in
      keys.map { place.isEmpty ? $0 : "\(place).\($0)" }
    }.filter { CampaignKeys.within[$0] == nil }.sorted()
  }

  @Test func everyKeyIsThere() throws {
    #expect(leaves.count > 20)
    #expect(try rows("Keys").sorted() == leaves)
  }

  /// The parser takes no other keys than those that `CampaignKeys` lists.
  @Test func noKeysStandElsewhere() throws {
    let folder = Self.root.appending(path: "Sources/Campaigns/File")
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let source = try text("Sources/Campaigns/File/\(name)")
      #expect(!source.contains("ields(node, ["), "\(name)")
      #expect(!source.contains("ields(value, ["), "\(name)")
      #expect(!source.contains("let keys = ["), "\(name)")
    }
  }

  @Test func everyReasonIsThere() throws {
    let proto = try text("proto/crescendo/v1/score.proto")
    let reasons = proto.matches(of: /\n  REASON_(\w+) = \d+;/).map { String($0.output.1) }
      .filter { $0 != "UNSPECIFIED" }
    #expect(reasons.count > 12)
    let told = Set(try rows("Reasons"))
    #expect(reasons.filter { !told.contains($0) } == [])
  }

  @Test func everyCauseAndStatusIsThere() throws {
    let proto = try text("proto/crescendo/v1/campaign.proto")
    for (prefix, heading) in [("CAUSE", "Causes"), ("STATUS", "States")] {
      let names = proto.matches(of: /\n    ([A-Z]+)_(\w+) = \d+;/)
        .filter { $0.output.1 == prefix && $0.output.2 != "UNSPECIFIED" }
        .map { String($0.output.2) }
      #expect(names.count > 4)
      #expect(try rows(heading).sorted() == names.sorted())
    }
  }

  /// The examples are files that the parser takes.
  @Test func examplesAreTaken() throws {
    let examples = try text("proto/CAMPAIGNS.md").matches(of: /```yaml\n([^`]*)```/)
    #expect(!examples.isEmpty)
    for example in examples {
      let document = try CampaignFile.parse(
        String(example.output.1), catalog: .unknown, now: FileFixture.now)
      #expect(CampaignWarnings.of(document, hasItem: nil).isEmpty)
      // Whole: an example that leaves a key out teaches less than it could.
      let said = try CampaignFile.text(policy: document.policy, campaigns: document.campaigns)
      #expect(said.contains("holdout") && said.contains("exploration"))
    }
  }
}
