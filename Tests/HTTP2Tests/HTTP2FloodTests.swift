import Core
import Testing

@testable import HTTP2

struct HTTP2FloodTests {
  @Test func answersThatNobodyFetchesEndTheConnection() throws {
    let server = try greetedServer()
    let error = #expect(throws: HTTP2Session.ConnectionError.self) {
      for _ in 0..<1_100 { try server.receive(.ping) }
    }
    #expect(error?.code == -904)
  }

  @Test func pingsThatAreAnsweredAreEchoed() throws {
    let server = try greetedServer()
    for _ in 0..<12 {
      try server.receive((0..<900).flatMap { _ in Frame.ping.bytes })
      let answers = try server.outputFrames()
      #expect(answers.count == 900)
      #expect(answers.allSatisfy { $0.flags == 1 && $0.payload == Frame.ping.payload })
    }
    try expectAlive(server, stream: 1)
  }

  /// Honest gRPC clients cancel a lot: far more than the 1,000 that nghttp2 allows by itself.
  @Test func manyCancelledCallsAreNoAttack() throws {
    let server = try greetedServer()
    for index in 0..<5_000 as Range<Int32> {
      let id = 2 * index + 1
      try server.receive(.request(id), .reset(id, 8))
      #expect(server.streams[id]?.closedWith == [HTTP2ErrorCode.cancel])
      if index % 500 == 0 { #expect(try server.outputFrames().goAwayCodes.isEmpty) }
    }
    try expectAlive(server, stream: 10_001)
  }

  @Test func thirtyThreeSettingsAreTooMany() throws {
    let server = try greetedServer()
    let entry: [UInt8] = [0, 0xFF, 0, 0, 0, 1]
    try server.receive(Frame(kind: 4, payload: (0..<33).flatMap { _ in entry }))
    #expect(try server.outputFrames().goAwayCodes == [HTTP2ErrorCode.enhanceYourCalm])
  }
}
