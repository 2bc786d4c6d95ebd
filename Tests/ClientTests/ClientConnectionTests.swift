import Core
import HTTP2
import Testing
import Wire

@testable import Client

@Suite struct ClientConnectionTests {
  @Test func aCallGoesOutAsGRPCAndItsAnswerComesBack() throws {
    let pair = try ClientPair(
      script: answering([9, 8], trailers: [.init("grpc-status", "0"), .init("x-cost", "7")]))
    let id = try pair.client.start(
      path: echoPath, message: [1, 2, 3], timeoutNanoseconds: 20_000_000,
      metadata: [MetadataEntry("crescendo-client", "shelf")], nowNanoseconds: 0)
    let outcome = try pair.outcome(id)
    #expect(try outcome?.get().message == [9, 8])
    #expect(try outcome?.get().trailers == [MetadataEntry("x-cost", "7")])
    let request = try #require(pair.server.requests[1])
    #expect(request.body == framed([1, 2, 3]))
    #expect(
      request.headers == [
        ":method": "POST", ":scheme": "http", ":path": echoPath, ":authority": "test:1",
        "te": "trailers", "content-type": "application/grpc",
        "user-agent": "crescendo/\(Version.text)", "grpc-timeout": "20000000n",
        "crescendo-client": "shelf",
      ])
    #expect(request.resetCode == HTTP2ErrorCode.noError)
    #expect(pair.client.takeOutcome(id) == nil)
  }

  @Test func manyCallsShareOneConnection() throws {
    let pair = try ClientPair { server, request in
      server.respond(
        request, chunks: [request.body], trailers: ScriptedServer.okTrailers)
    }
    for round in 0..<300 {
      let message = [UInt8](repeating: UInt8(round & 255), count: round)
      let id = try pair.start(message)
      #expect(try pair.outcome(id)?.get().message == message)
    }
    let first = try pair.start([1])
    let second = try pair.start([2])
    try pair.exchange()
    #expect(try pair.client.takeOutcome(second)?.get().message == [2])
    #expect(try pair.client.takeOutcome(first)?.get().message == [1])
  }

  @Test(arguments: [1, 2, 3, 7, 16]) func anAnswerMayBeCutAnywhere(size: Int) throws {
    let message = (0..<100).map { UInt8($0) }
    let whole = framed(message)
    let chunks = stride(from: 0, to: whole.count, by: size).map {
      Array(whole[$0..<min(whole.count, $0 + size)])
    }
    let pair = try ClientPair { server, request in
      server.respond(request, chunks: chunks, trailers: ScriptedServer.okTrailers)
    }
    let id = try pair.start()
    #expect(try pair.outcome(id, cut: 1)?.get().message == message)
  }

  @Test func anEmptyMessageIsAnAnswer() throws {
    let pair = try ClientPair(script: answering([]))
    #expect(try pair.outcome(try pair.start([]))?.get().message == [])
  }

  @Test func trailersOnlyCarriesTheStatus() throws {
    let pair = try ClientPair { server, request in
      server.respond(
        request,
        only: ScriptedServer.gRPCHeaders + [
          .init("grpc-status", "8"),
          .init("grpc-message", "100%25 full, pr%C3%B6va %e2%82%ac%ZZ%4"),
          .init("grpc-retry-pushback-ms", "-1"),
        ])
    }
    let failed = try pair.failure(try pair.start())
    #expect(
      failed?.failure
        == CallFailure(.resourceExhausted, "100% full, pröva €%ZZ%4", retryPushbackMilliseconds: -1)
    )
    #expect(failed?.origin == .server)
    #expect(failed?.trailers == [MetadataEntry("grpc-retry-pushback-ms", "-1")])
  }

  @Test(arguments: [("0", 0), ("250", 250), ("-7", -1), ("soon", -1), ("4294967296", -1)])
  func aPushbackIsRead(value: String, milliseconds: Int32) throws {
    let trailers: [ScriptedServer.Header] = [
      .init("grpc-status", "14"), .init("grpc-retry-pushback-ms", value),
    ]
    let pair = try ClientPair(script: answering([1], trailers: trailers))
    #expect(try pair.failure(try pair.start())?.failure.retryPushbackMilliseconds == milliseconds)
  }

  @Test func anErrorAfterTheMessageIsTheOutcome() throws {
    let trailers: [ScriptedServer.Header] = [
      .init("grpc-status", "15"), .init("grpc-message", "late"),
    ]
    let pair = try ClientPair(script: answering([1], trailers: trailers))
    #expect(
      try pair.failure(try pair.start())
        == FailedCall(CallFailure(.dataLoss, "late"), origin: .server))
  }

  @Test(arguments: [
    (HTTP2ErrorCode.noError, StatusCode.internalError),
    (HTTP2ErrorCode.protocolError, .internalError),
    (HTTP2ErrorCode.refusedStream, .unavailable), (HTTP2ErrorCode.cancel, .cancelled),
    (HTTP2ErrorCode.enhanceYourCalm, .resourceExhausted),
    (HTTP2ErrorCode.inadequateSecurity, .permissionDenied), (13, .internalError),
    (4_000_000_000, .internalError),
  ]) func aResetIsMapped(errorCode: UInt32, expected: StatusCode) throws {
    let pair = try ClientPair { server, request in
      server.session.resetStream(request.id, errorCode)
    }
    let failed = try pair.failure(try pair.start())
    #expect(failed?.failure.code == expected)
    #expect(failed?.origin == .connection)
    #expect(pair.client.isOpen)
  }

  @Test func aResetBecauseOfTheDeadlineIsTheDeadline() throws {
    let pair = try ClientPair { server, request in
      server.session.resetStream(request.id, HTTP2ErrorCode.cancel)
    }
    let id = try pair.start(timeout: 10)
    pair.now += 10
    #expect(try pair.failure(id)?.failure.code == .deadlineExceeded)
  }

  @Test(arguments: [
    (400, StatusCode.internalError), (401, .unauthenticated), (403, .permissionDenied),
    (404, .unimplemented), (429, .unavailable), (431, .internalError), (500, .unknown),
    (502, .unavailable), (503, .unavailable), (504, .unavailable), (302, .unknown), (200, .unknown),
  ]) func anHTTPStatusStandsInForAMissingOne(status: Int, expected: StatusCode) throws {
    let head: [ScriptedServer.Header] = [
      .init(":status", "\(status)"), .init("content-type", "text/html"),
    ]
    let withBody = try ClientPair { server, request in
      server.respond(request, headers: head, chunks: [Array("<html>".utf8)], trailers: nil)
    }
    let failed = try withBody.failure(try withBody.start())
    #expect(failed?.failure.code == expected)
    #expect(failed?.failure.message.contains("HTTP status \(status)") == true)
    let bare = try ClientPair { server, request in server.respond(request, only: head) }
    #expect(try bare.failure(try bare.start())?.failure.code == expected)
  }

  @Test func aStatusOfTheServerGoesBeforeHTTP() throws {
    let pair = try ClientPair { server, request in
      server.respond(
        request, only: [.init(":status", "503"), .init("grpc-status", "7")])
    }
    #expect(try pair.failure(try pair.start())?.failure.code == .permissionDenied)
  }

  @Test func aMissingStatusIsUnknown() throws {
    let pair = try ClientPair { server, request in
      server.respond(request, chunks: [framed([1])], trailers: nil)
    }
    let failed = try pair.failure(try pair.start())
    #expect(failed?.failure == CallFailure(.unknown, "the answer ends without grpc-status"))
    let early = try ClientPair { server, request in
      let head = ScriptedServer.gRPCHeaders + [.init("grpc-status", "0")]
      server.respond(request, headers: head, chunks: [framed([1])], trailers: nil)
    }
    #expect(try early.failure(try early.start())?.failure.code == .unknown)
  }

  @Test(arguments: ["17", "-1", "x", "", "000", "99999999999999999999"])
  func aStrangeStatusIsUnknown(value: String) throws {
    let pair = try ClientPair(script: answering([1], trailers: [.init("grpc-status", value)]))
    let failed = try pair.failure(try pair.start())
    #expect(failed?.failure.code == .unknown)
    #expect(failed?.origin == .connection)
  }

  @Test(
    arguments: [
      ([], StatusCode.unimplemented), ([0, 0], .internalError),
      ([0, 0, 0, 0, 2, 1], .internalError),
      (framed([1]) + framed([2]), .unimplemented), (framed([1]) + [0], .unimplemented),
      ([1, 0, 0, 0, 0], .internalError), ([2, 0, 0, 0, 0], .internalError),
      ([0, 255, 255, 255, 255], .resourceExhausted), ([0, 0, 64, 0, 1], .resourceExhausted),
    ] as [([UInt8], StatusCode)]) func aBodyThatIsNotOneMessageFails(
      body: [UInt8], expected: StatusCode
    ) throws
  {
    var options = ClientOptions()
    options.responseLimitBytes = 4 << 20
    let pair = try ClientPair(options) { server, request in
      server.respond(request, chunks: [body], trailers: ScriptedServer.okTrailers)
    }
    #expect(try pair.failure(try pair.start())?.failure.code == expected)
  }

  @Test func anAnswerMayBeAsLongAsTheLimitAndNoLonger() throws {
    var options = ClientOptions()
    options.responseLimitBytes = 100_000
    let fits = try ClientPair(options, script: answering([UInt8](repeating: 7, count: 100_000)))
    #expect(try fits.outcome(try fits.start())?.get().message.count == 100_000)
    // Longer than the window, so that the server is still at it when the client says no.
    let tail = [UInt8](repeating: 7, count: 400_000)
    let over = try ClientPair(options) { server, request in
      let prefix: [UInt8] = [0, 0, 1, 134, 161]
      server.respond(request, chunks: [prefix + tail], trailers: ScriptedServer.okTrailers)
    }
    let failed = try over.failure(try over.start())
    #expect(failed?.failure.code == .resourceExhausted)
    #expect(failed?.origin == .client)
    #expect(over.server.requests[1]?.resetCode == HTTP2ErrorCode.cancel)
  }

  @Test(arguments: [false, true]) func headersFarOverTheLimitAreNoResetOfTheServer(
    inTrailers: Bool
  ) throws {
    // 66 KB as HTTP/2 counts them: nghttp2 reads no more, and resets the stream itself.
    let many = (0..<400).map { ScriptedServer.Header("x", String(repeating: "\($0)", count: 55)) }
    let pair = try ClientPair { server, request in
      let more = request.id == 1 ? many : []
      server.respond(
        request, headers: ScriptedServer.gRPCHeaders + (inTrailers ? [] : more),
        chunks: [framed([1])], trailers: ScriptedServer.okTrailers + (inTrailers ? more : []))
    }
    let failed = try pair.failure(try pair.start())
    #expect(failed?.failure.code == .resourceExhausted)
    #expect(failed?.origin == .client)
    #expect(try pair.outcome(try pair.start())?.get().message == [1])
  }

  @Test func headersOverTheLimitFailTheCallAlone() throws {
    let pair = try ClientPair { server, request in
      let long = ScriptedServer.Header("x", String(repeating: "a", count: 9_000))
      let tail = request.id == 1 ? ScriptedServer.okTrailers + [long] : ScriptedServer.okTrailers
      server.respond(request, chunks: [framed([1])], trailers: tail)
    }
    #expect(try pair.failure(try pair.start())?.failure.code == .resourceExhausted)
    #expect(try pair.outcome(try pair.start())?.get().message == [1])
  }
}
