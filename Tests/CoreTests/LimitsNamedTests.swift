import Foundation
import Testing

@testable import Core

struct LimitsNamedTests {
  /// The list against the source itself: whoever adds a limit has to show it.
  @Test func everyLimitIsListed() throws {
    let source = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/Core/Limits.swift")
    let text = try String(contentsOf: source, encoding: .utf8)
    let declared = text.matches(of: /static let (\w+)/).map { String($0.output.1) }
    #expect(declared.count > 40)
    #expect(Limits.named.map(\.name) == declared)
  }

  @Test func valuesAreTheLimits() {
    let values = Dictionary(uniqueKeysWithValues: Limits.named.map { ($0.name, $0.value) })
    #expect(values["messageBytes"] == Double(Limits.messageBytes))
    #expect(values["drainNanoseconds"] == Double(Limits.drainNanoseconds))
    #expect(values.values.allSatisfy { $0 > 0 })
  }
}
