import Core
import HTTP2
import Testing

@testable import Client

@Suite struct ClientConnectionEndTests {
  @Test func theDeadlineEndsACallHereAndThere() throws {
    let pair = try ClientPair { _, _ in }
    let id = try pair.start(timeout: 500)
    let patient = try pair.start(timeout: 900)
    #expect(pair.client.nextDeadlineNanoseconds == 1_500)
    try pair.exchange()
    pair.client.expire(nowNanoseconds: 1_499)
    #expect(pair.client.takeOutcome(id) == nil)
    pair.client.expire(nowNanoseconds: 1_500)
    #expect(pair.client.nextDeadlineNanoseconds == 1_900)
    let failed = try pair.failure(id)
    #expect(failed?.failure.code == .deadlineExceeded)
    #expect(failed?.origin == .client)
    #expect(pair.server.requests[1]?.resetCode == HTTP2ErrorCode.cancel)
    #expect(pair.client.takeOutcome(patient) == nil)
    #expect(pair.server.requests[3]?.resetCode == nil)
  }

  @Test func anAnswerAfterTheDeadlineIsDropped() throws {
    let pair = try ClientPair(script: answering([1]))
    let id = try pair.start(timeout: 500)
    try pair.server.receive(pair.clientOutput())
    let late = try pair.server.output()
    pair.client.expire(nowNanoseconds: 5_000)
    pair.deliver(late)
    #expect(try pair.failure(id)?.failure.code == .deadlineExceeded)
    #expect(try pair.outcome(try pair.start())?.get().message == [1])
  }

  @Test func aTimeoutBeyondTheClockIsNoDeadline() throws {
    let pair = try ClientPair(script: answering([1]))
    let id = try pair.start(timeout: UInt64.max)
    #expect(pair.client.nextDeadlineNanoseconds == nil)
    pair.client.expire(nowNanoseconds: UInt64.max - 1)
    #expect(try pair.outcome(id)?.get().message == [1])
  }

  @Test func goAwayFailsWhatTheServerNeverSaw() throws {
    let pair = try ClientPair(script: answering([1]))
    let id = try pair.start()
    try pair.server.session.submitGoAway(HTTP2ErrorCode.enhanceYourCalm)
    pair.deliver(try pair.server.output())
    let failed = try #require(pair.client.takeOutcome(id))
    guard case .failure(let failure) = failed else {
      Issue.record("the call went well")
      return
    }
    #expect(failure.failure.code == .unavailable)
    #expect(failure.failure.message.contains("ENHANCE_YOUR_CALM"))
    #expect(!pair.client.isOpen)
    #expect(throws: ClientError.self) { try pair.start() }
  }

  @Test func goAwayLetsRunningCallsFinish() throws {
    var waiting: [ScriptedServer.Request] = []
    let pair = try ClientPair { _, request in waiting.append(request) }
    let id = try pair.start()
    try pair.exchange()
    try pair.server.session.submitGoAway()
    #expect(try pair.outcome(id) == nil)
    let refused = #expect(throws: ClientError.self) { try pair.start() }
    guard case .failed(let failed) = refused else {
      Issue.record("\(String(describing: refused))")
      return
    }
    #expect(failed.failure.code == .unavailable)
    answering([5])(pair.server, try #require(waiting.first))
    #expect(try pair.outcome(id)?.get().message == [5])
  }

  @Test func aLostConnectionFailsEveryCall() throws {
    let pair = try ClientPair { _, _ in }
    let ids = [try pair.start(), try pair.start()]
    try pair.exchange()
    pair.client.end("the server closed the connection")
    pair.client.end("again")
    for id in ids {
      let failed = try pair.failure(id)
      #expect(failed?.failure == CallFailure(.unavailable, "the server closed the connection"))
      #expect(failed?.origin == .connection)
    }
    #expect(pair.client.nextOutput() == nil)
    #expect(throws: ClientError.self) { try pair.start() }
  }

  @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\0\0\0\0\0\0"])
  func aPeerThatSpeaksSomethingElseIsUnavailable(greeting: String) throws {
    let pair = try ClientPair { _, _ in }
    let id = try pair.start()
    _ = pair.clientOutput()
    // nghttp2 believes a frame header until it has read it whole.
    pair.deliver(Array(greeting.utf8) + [UInt8](repeating: 0, count: 64))
    _ = pair.clientOutput()
    guard case .failure(let failed)? = pair.client.takeOutcome(id) else {
      Issue.record("no failure")
      return
    }
    #expect(failed.failure.code == .unavailable)
    #expect(failed.failure.message.contains(greeting.hasPrefix("HTTP/1") ? "HTTP/1" : "HTTP/2"))
    #expect(!pair.client.isOpen)
  }

  @Test func aPeerThatWantsTLSIsNamed() throws {
    let pair = try ClientPair { _, _ in }
    let id = try pair.start()
    pair.deliver([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46])
    #expect(
      try pair.failure(id)?.failure
        == CallFailure(.unavailable, "the peer speaks TLS, not plaintext HTTP/2"))
  }

  @Test func windowsComeBackFromDeadStreams() throws {
    var options = ClientOptions()
    options.http2.streamWindowBytes = 65_535
    options.http2.connectionWindowBytes = 65_535
    let message = [UInt8](repeating: 1, count: 200_000)
    let pair = try ClientPair(options, script: answering(message))
    for round in 0..<20 {
      let doomed = try pair.start(timeout: 10)
      // One window's worth of the answer is on its way when the client gives up.
      try pair.server.receive(pair.clientOutput())
      let inFlight = try pair.server.output()
      if round % 2 == 0 { pair.deliver(inFlight) }
      pair.now += 100
      pair.client.expire(nowNanoseconds: pair.now)
      if round % 2 == 1 { pair.deliver(inFlight) }
      #expect(try pair.failure(doomed)?.failure.code == .deadlineExceeded)
      #expect(try pair.outcome(try pair.start())?.get().message.count == message.count)
    }
  }

  @Test func aRequestBeyondTheWindowIsSentWhole() throws {
    let message = (0..<300_000).map { UInt8($0 % 251) }
    var body: [UInt8] = []
    let client = try ClientConnection(authority: "test:1")
    let server = try ScriptedServer(streamWindowBytes: 10_000) { server, request in
      body = request.body
      answering([1])(server, request)
    }
    let pair = ClientPair(client, server)
    #expect(try pair.outcome(try pair.start(message))?.get().message == [1])
    #expect(body == framed(message))
  }

  @Test func callsOverTheServersLimitWaitTheirTurn() throws {
    let client = try ClientConnection(authority: "test:1")
    let server = try ScriptedServer(concurrentStreams: 2, script: answering([4]))
    let pair = ClientPair(client, server)
    try pair.exchange()
    let ids = try (0..<9).map { _ in try pair.start() }
    for id in ids { #expect(try pair.outcome(id)?.get().message == [4]) }
  }

  @Test func aCallThatWaitsForItsTurnCanExpire() throws {
    var held: [ScriptedServer.Request] = []
    let client = try ClientConnection(authority: "test:1")
    let server = try ScriptedServer(concurrentStreams: 1) { server, request in
      if held.isEmpty { held.append(request) } else { answering([4])(server, request) }
    }
    let pair = ClientPair(client, server)
    try pair.exchange()
    let first = try pair.start()
    let waiting = try pair.start(timeout: 10)
    try pair.exchange()
    client.expire(nowNanoseconds: pair.now + 10)
    #expect(try pair.failure(waiting)?.failure.code == .deadlineExceeded)
    let third = try pair.start()
    #expect(try pair.outcome(third) == nil)
    answering([5])(server, try #require(held.first))
    #expect(try pair.outcome(first)?.get().message == [5])
    #expect(try pair.outcome(third)?.get().message == [4])
    #expect(server.requests.keys.sorted() == [1, 5])
  }

  @Test(arguments: [
    MetadataEntry("Upper", "x"), MetadataEntry("", "x"), MetadataEntry("grpc-timeout", "1S"),
    MetadataEntry("te", "gzip"), MetadataEntry("a b", "x"), MetadataEntry("a", "new\nline"),
    MetadataEntry("a", "ä"), MetadataEntry(":path", "/x"),
  ]) func metadataThatCannotBeSentIsRefused(entry: MetadataEntry) throws {
    let pair = try ClientPair(script: answering([1]))
    let error = #expect(throws: ClientError.self) {
      try pair.client.start(
        path: echoPath, message: [], timeoutNanoseconds: nil, metadata: [entry],
        nowNanoseconds: 0)
    }
    guard case .invalidRequest = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try pair.outcome(try pair.start())?.get().message == [1])
  }
}

@Suite struct UnaryResponseTests {
  private func feed(_ response: inout CallResponse, _ headers: [(StaticString, StaticString)])
    -> UnaryOutcome?
  {
    for (name, value) in headers { response.header(ByteSlice(name), ByteSlice(value)) }
    return response.headersEnded(isTooLarge: false)
  }

  @Test func informationalBlocksAreSkipped() throws {
    var response = CallResponse(limitBytes: 100)
    #expect(feed(&response, [(":status", "103"), ("grpc-status", "13")]) == nil)
    #expect(
      feed(&response, [(":status", "200"), ("content-type", "application/grpc+proto")]) == nil)
    #expect([UInt8]([0, 0, 0, 0, 1, 6]).withUnsafeBytes { response.data($0) } == nil)
    #expect(feed(&response, [("grpc-status", " 0 ")]) == nil)
    #expect(try response.streamEnded()?.get().message == [6])
  }

  @Test func aPageWithoutEndIsCutOff() {
    var response = CallResponse(limitBytes: 100)
    #expect(feed(&response, [(":status", "502"), ("content-type", "text/html")]) == nil)
    let page = [UInt8](repeating: 32, count: 60)
    #expect(page.withUnsafeBytes { response.data($0) } == nil)
    guard case .failure(let failed)? = page.withUnsafeBytes({ response.data($0) }) else {
      Issue.record("no failure")
      return
    }
    #expect(failed.failure.code == .unavailable)
  }

  @Test(arguments: ["application/grpcx", "application/json", ""])
  func anOKWithAnotherContentTypeIsUnknown(type: String) {
    var response = CallResponse(limitBytes: 100)
    response.header(ByteSlice(":status"), ByteSlice("200"))
    type.utf8.withContiguousStorageIfAvailable {
      response.header(ByteSlice("content-type"), ByteSlice(UnsafeRawBufferPointer($0)))
    }
    response.header(ByteSlice("grpc-status"), ByteSlice("0"))
    #expect(response.headersEnded(isTooLarge: false) == nil)
    guard case .failure(let failed)? = response.streamEnded() else {
      Issue.record("no failure")
      return
    }
    #expect(failed.failure.code == .unknown)
  }
}

@Suite struct CallTimeoutTests {
  @Test(
    arguments: [
      (0, "0n"), (1, "1n"), (99_999_999, "99999999n"), (100_000_000, "100000u"),
      (100_000_001, "100001u"), (99_999_999_000, "99999999u"), (99_999_999_001, "100000m"),
      (99_999_999_000_001, "100000S"), (UInt64.max, "5124096H"),
    ] as [(UInt64, String)]) func aTimeoutHasAtMostEightDigits(nanoseconds: UInt64, text: String)
  {
    let value = CallTimeout.headerValue(nanoseconds: nanoseconds)
    #expect(value == text)
    #expect(value.count <= 9)
  }
}
