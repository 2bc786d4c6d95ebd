import Core
import Syscalls
import Testing

@testable import Client

@Suite struct ConfigurationTests {
  @Test func defaultsAreValid() throws {
    let configuration = ClientConfiguration(addresses: ["localhost:7001", "[::1]:7001"])
    #expect(try configuration.validated().map(\.description) == ["localhost:7001", "[::1]:7001"])
  }

  private struct Case: CustomTestStringConvertible {
    var setting: String
    var change: @Sendable (inout ClientConfiguration) -> Void
    var testDescription: String { setting }
  }

  private static let refused: [Case] = [
    Case(setting: "addresses.count") { $0.addresses = [] },
    Case(setting: "addresses") { $0.addresses = ["localhost"] },
    Case(setting: "addresses") { $0.addresses = ["a:1", "a:1"] },
    Case(setting: "addresses") { $0.addresses = ["a:0"] },
    Case(setting: "connectionsMax") { $0.connectionsMax = 0 },
    Case(setting: "timeout") { $0.timeout = .zero },
    Case(setting: "connectTimeout") { $0.connectTimeout = .seconds(-1) },
    Case(setting: "closeTimeout") { $0.closeTimeout = .seconds(-1) },
    Case(setting: "retries.attemptsMax") { $0.retries?.attemptsMax = 6 },
    Case(setting: "retries.budgetTokens") { $0.retries?.budgetTokens = 0 },
    Case(setting: "retries.budgetRatio") { $0.retries?.budgetRatio = 0 },
    Case(setting: "retries.delayInitial") { $0.retries?.delayInitial = .zero },
    Case(setting: "retries.delayMax") { $0.retries?.delayMax = .zero },
    Case(setting: "hedging.attemptsMax") { $0.hedging?.attemptsMax = 1 },
    Case(setting: "hedging.percentile") { $0.hedging?.percentile = 1 },
    Case(setting: "hedging.delayMin") { $0.hedging?.delayMin = .seconds(61) },
    Case(setting: "throttling.k") { $0.throttling?.k = 1 },
    Case(setting: "keepalive.interval") { $0.keepalive.interval = .milliseconds(999) },
    Case(setting: "keepalive.timeout") { $0.keepalive.timeout = .zero },
    Case(setting: "backoff.initial") { $0.backoff.initial = .zero },
    Case(setting: "backoff.max") { $0.backoff.max = .milliseconds(1) },
    Case(setting: "bounds.waitingCalls") { $0.bounds.waitingCalls = -1 },
    Case(setting: "bounds.callsPerConnection") { $0.bounds.callsPerConnection = 0 },
    Case(setting: "bounds.responseBytes") { $0.bounds.responseBytes = 1 },
    Case(setting: "bounds.unreadBytes") { $0.bounds.unreadBytes = 1 },
    Case(setting: "bounds.unsentBytes") { $0.bounds.unsentBytes = 1 },
    Case(setting: "metadata") { $0.metadata = [("grpc-timeout", "1S")] },
  ]

  @Test(arguments: refused)
  private func eachIsRefusedByName(_ refused: Case) {
    var configuration = ClientConfiguration(addresses: ["localhost:7001"])
    refused.change(&configuration)
    let error = #expect(throws: ClientConfigurationError.self) {
      try PromotionScoreClient(configuration)
    }
    #expect(error?.setting == refused.setting)
  }

  @Test func openEnumsKeepWhatTheyDoNotKnow() {
    for number: Int32 in -1...25 {
      #expect(ScoreResponse.Fidelity(number: number).number == number)
      #expect(ScoreResponse.Reason(number: number).number == number)
    }
    #expect(ScoreResponse.Reason(number: 16) == .recentlyPlayed)
    #expect(ScoreResponse.Reason.recentlyPlayed.description == "RECENTLY_PLAYED")
    #expect(ScoreResponse.Fidelity.other(9).description == "9")
  }
}
