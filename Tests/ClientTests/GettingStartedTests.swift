import Foundation
import Testing

@testable import Client

/// The article's code is the example's, and works.
@Suite struct GettingStartedTests {
  @Test func theArticleShowsTheExample() throws {
    let here = URL(filePath: #filePath).deletingLastPathComponent()
    let example = try String(
      contentsOf: here.appending(path: "GettingStartedExample.swift"), encoding: .utf8)
    let article = try String(
      contentsOf: here.appending(path: "../../Sources/Client/Client.docc/GettingStarted.md"),
      encoding: .utf8)
    let shown = article.components(separatedBy: "```swift\n").dropFirst()
      .compactMap { $0.components(separatedBy: "```").first }
    #expect(shown == [example])
  }

  @Test func theExampleWorks() async throws {
    let host = try ScriptedHost { server, request in
      answering([3 << 3 | 2, 8, 0, 0, 0, 0, 0, 0, 0x80, 0x3F])(server, request)
    }
    try await withPromotionScores(["\(host.address)"]) { client in
      // Fifty milliseconds may be short on a busy machine: then both are alike.
      let best = try await bestFirst([5, 6], user: 7, client: client)
      #expect(best == [6, 5] || best == [5, 6])
    }
    try host.stop()
  }
}
