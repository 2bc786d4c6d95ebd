import Foundation
import Testing

@testable import Core

struct LimitsNamedTests {
  private func declared(_ file: String, _ keyword: String) throws -> [String] {
    let source = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/Core/\(file)")
    let text = try String(contentsOf: source, encoding: .utf8)
    return text.matches(of: /package (static let|var) (\w+)/)
      .filter { $0.output.1 == keyword }.map { String($0.output.2) }
  }

  /// The lists against the sources themselves: whoever adds a limit has to show it.
  @Test func everyLimitIsListed() throws {
    let formats = try ["Limits.swift", "Limits+Ledger.swift"].flatMap {
      try declared($0, "static let")
    }
    let serving = try declared("ServingLimits.swift", "var")
    #expect(formats.count > 20 && serving.count > 30)
    #expect(Limits.named.map(\.name) == formats + serving)
    #expect(ServingLimits.settings.map(\.name) == serving)
  }

  @Test func valuesAreTheLimits() {
    let values = Dictionary(uniqueKeysWithValues: Limits.named.map { ($0.name, $0.value) })
    #expect(values["messageBytes"] == Double(Limits.serving.messageBytes))
    #expect(values["drainNanoseconds"] == Double(Limits.serving.drainNanoseconds))
    #expect(values["jsonDepth"] == Double(Limits.jsonDepth))
    #expect(values.values.allSatisfy { $0 > 0 })
  }
}

struct ServingLimitsTests {
  @Test func nothingGivenIsTheDefaults() throws {
    #expect(try ServingLimits(replacing: [:]) == ServingLimits())
  }

  @Test func eachReachesItsOwnPlace() throws {
    let defaults = ServingLimits()
    for setting in ServingLimits.settings {
      let value = setting.read(defaults)
      #expect(setting.range.contains(value), "\(setting.name)")
      let other = setting.range.contains(value + 1) ? value + 1 : value - 1
      let changed = try ServingLimits(replacing: [setting.name: other])
      #expect(setting.read(changed) == other, "\(setting.name)")
      for second in ServingLimits.settings where second.name != setting.name {
        let follows =
          [
            "messageBytes": "connectionBufferedBytes",
            "connectionOutboundBytes": "processOutboundBytes",
            "campaignMessageBytes": "campaignBufferedBytes",
            "shardQueueNanoseconds": "batchQueueNanoseconds",
            "reservationNanoseconds": "leaseNanoseconds",
          ][setting.name] == second.name
        #expect(
          follows || second.read(changed) == second.read(defaults),
          "\(setting.name) moved \(second.name)")
      }
    }
  }

  @Test func multiplesFollowUnlessGiven() throws {
    let small = try ServingLimits(replacing: ["messageBytes": 4_096])
    #expect(small.connectionBufferedBytes == 16_384)
    let long = try ServingLimits(
      replacing: ["messageBytes": 40 << 20, "arenaBytes": 1 << 30, "candidates": 3])
    #expect((long.campaignMessageBytes, long.campaignBufferedBytes) == (40 << 20, 80 << 20))
    let both = try ServingLimits(
      replacing: ["messageBytes": 4_096, "connectionBufferedBytes": 5_000])
    #expect(both.connectionBufferedBytes == 5_000)
    #expect(
      try ServingLimits(replacing: ["shardQueueNanoseconds": 8_000_000]).batchQueueNanoseconds
        == 4_000_000)
    #expect(
      try ServingLimits(replacing: ["reservationNanoseconds": 40_000_000]).leaseNanoseconds
        == 80_000_000)
    #expect(
      try ServingLimits(replacing: ["connectionOutboundBytes": 1 << 20]).processOutboundBytes
        == 64 << 20)
  }

  @Test(arguments: [
    ("candidate", 5, "there is no limit candidate; is it candidates?"),
    ("nonsense", 5, "there is no limit nonsense; serve --print-config shows them all"),
    ("candidates", 0, "candidates 0: 1 to 100000 are possible"),
    ("candidates", 100_001, "candidates 100001: 1 to 100000 are possible"),
    ("arenaBytes", 1 << 20, "messageBytes (4194304) is over arenaBytes (1048576)"),
    (
      "streamOutboundBytes", 17 << 20,
      "streamOutboundBytes (17825792) is over connectionOutboundBytes (16777216)"
    ),
    (
      "streamWindowBytes", 5 << 20,
      "streamWindowBytes (5242880) is over connectionWindowBytes (4194304)"
    ),
    (
      "leaseNanoseconds", 3_599_999_999_999,
      "reservationNanoseconds (1800000000000) is over half of leaseNanoseconds (3599999999999)"
    ),
  ])
  func refused(_ name: String, _ value: UInt64, _ reason: String) {
    #expect(throws: LimitError(reason)) { try ServingLimits(replacing: [name: value]) }
  }

  @Test func endsOfRangesAreTaken() throws {
    for setting in ServingLimits.settings {
      for value in [setting.range.lowerBound, setting.range.upperBound] {
        do throws(LimitError) {
          #expect(setting.read(try ServingLimits(replacing: [setting.name: value])) == value)
        } catch {
          // Only for the sake of its neighbours.
          #expect(error.description.contains(" is over "), "\(setting.name): \(error)")
        }
      }
    }
  }
}
