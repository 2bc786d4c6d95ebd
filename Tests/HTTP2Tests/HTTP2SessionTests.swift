import Core
import Testing

@testable import HTTP2

private let permanentHeaders = HTTP2HeaderBlock(permanent: [
  HTTP2Header(":status", "200"), HTTP2Header("content-type", "application/grpc"),
])

struct HTTP2SessionTests {
  /// RFC 9113 §6.5.2: 3 MAX_CONCURRENT_STREAMS, 4 INITIAL_WINDOW_SIZE, 6 MAX_HEADER_LIST_SIZE.
  @Test func theServersFirstFlightNamesItsLimits() throws {
    let limits = HTTP2Limits(
      concurrentStreams: Limits.serving.concurrentStreams,
      streamWindowBytes: Limits.serving.streamWindowBytes,
      connectionWindowBytes: Limits.serving.connectionWindowBytes,
      headerListBytes: Limits.serving.headerListBytes, headerCount: Limits.serving.headerCount)
    let frames = try Endpoint(.server, limits: limits).outputFrames()
    #expect(frames.map(\.kind) == [Frame.Kind.settings, Frame.Kind.windowUpdate])
    #expect(settings(frames[0]) == [3: 100, 4: 262_144, 6: 8_192])
    #expect(frames[0].flags == 0)
    #expect(frames[1].stream == 0 && frames[1].number(at: 0) == 4_194_304 - 65_535)
  }

  @Test func theClientsFirstFlightStartsWithThePrefaceAndWantsNoPush() throws {
    let output = try Endpoint(.client).output()
    #expect(output.starts(with: clientPreface))
    let frames = try #require(Frame.parse(output))
    #expect(settings(frames[0]) == [2: 0, 3: 100, 4: 40_000, 6: 8_192])
  }

  private func settings(_ frame: Frame) -> [UInt16: UInt32] {
    var result: [UInt16: UInt32] = [:]
    for start in stride(from: 0, to: frame.payload.count, by: 6) {
      let id = UInt16(frame.payload[start]) << 8 | UInt16(frame.payload[start + 1])
      result[id] = frame.number(at: start + 2)
    }
    return result
  }

  @Test(arguments: [0, 1, 5, 16_384, 16_385, 39_999, 200_000])
  func aCallGoesUpAndItsAnswerComesDown(byteCount: Int) throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    let message = (0..<byteCount).map { UInt8(truncatingIfNeeded: splitmix64(UInt64($0))) }
    server.onEnd = { [unowned server] record in
      server.respond(
        record, chunks: [record.body], trailers: [HTTP2Header("grpc-status", "0")])
    }
    let call = try client.request([HTTP2Header("te", "trailers")], body: [message])
    try exchange(client, server)
    let request = try #require(server.streams[1])
    #expect(
      request.headers == [
        ":method: POST", ":scheme: http", ":path: /test.Service/Call", ":authority: test",
        "te: trailers",
      ])
    #expect(request.blocks == [0] && request.body == message && request.ends == 1)
    #expect(call.headers == [":status: 200", "grpc-status: 0"])
    #expect(call.blocks == [0, HTTP2BlockFlags.trailers | HTTP2BlockFlags.endOfStream])
    #expect(call.body == message && call.ends == 1)
    #expect(call.closedWith == [0] && request.closedWith == [0])
  }

  @Test func aRequestWithoutABodyEndsWithItsHeaders() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    server.onEnd = { [unowned server] in server.respondWithHeadersOnly($0) }
    let call = try client.request()
    try exchange(client, server)
    #expect(server.streams[1]?.blocks == [HTTP2BlockFlags.endOfStream])
    #expect(call.blocks == [HTTP2BlockFlags.endOfStream] && call.ends == 1)
    #expect(call.closedWith == [0])
  }

  @Test func manyStreamsShareAConnection() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    server.onEnd = { [unowned server] in server.respond($0, chunks: [$0.body]) }
    for round in 0..<5 {
      let calls = try (0..<100).map { index in
        try client.request(body: [[UInt8](repeating: UInt8(index), count: 50 * index)])
      }
      try exchange(client, server)
      for (index, call) in calls.enumerated() {
        #expect(call.id == Int32(200 * round + 2 * index + 1))
        #expect(call.body == [UInt8](repeating: UInt8(index), count: 50 * index))
        #expect(call.closedWith == [0])
      }
    }
  }

  @Test func moreThanAHundredCallsWaitForTheirTurn() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    try exchange(client, server)
    let calls = try (0..<250).map { _ in try client.request() }
    try exchange(client, server)
    #expect(server.streams.count == 100)
    server.onEnd = { [unowned server] in server.respondWithHeadersOnly($0) }
    for id in server.order { server.streams[id].map(server.respondWithHeadersOnly) }
    try exchange(client, server)
    #expect(calls.allSatisfy { $0.closedWith == [0] && $0.ends == 1 })
  }

  @Test func aDeferredBodyGoesOnWhenItIsResumed() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    server.onEnd = { [unowned server] in server.respond($0, chunks: [[1]], isFinished: false) }
    let call = try client.request()
    try exchange(client, server)
    let answer = try #require(server.streams[1])
    #expect(call.body == [1] && call.ends == 0 && answer.deferrals == 1)
    try exchange(client, server)
    #expect(answer.deferrals == 1, "a deferred body is not asked again")
    server.send(answer, [2, 3], isFinished: false)
    try exchange(client, server)
    #expect(call.body == [1, 2, 3] && answer.deferrals == 2)
    server.send(answer, [4], isFinished: true)
    try exchange(client, server)
    #expect(call.body == [1, 2, 3, 4] && call.ends == 1 && call.closedWith == [0])
    // Neither the stream's end nor a stream that never was minds being resumed.
    server.session.resumeBody(1)
    server.session.resumeBody(4_001)
    #expect(try server.output().isEmpty)
  }

  @Test func aBodyThatFailsResetsItsStreamOnly() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    server.onEnd = { [unowned server] in server.respond($0, chunks: [[1]], isFinished: false) }
    let call = try client.request()
    try exchange(client, server)
    server.failBody(try #require(server.streams[1]))
    try exchange(client, server)
    #expect(call.closedWith == [HTTP2ErrorCode.internalError])
    server.onEnd = { [unowned server] in server.respondWithHeadersOnly($0) }
    let next = try client.request()
    try exchange(client, server)
    #expect(next.closedWith == [0])
  }

  @Test func aResetReachesTheOtherSideWithItsCode() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    let call = try client.request(body: [[1]], isFinished: false)
    try exchange(client, server)
    client.session.resetStream(call.id, HTTP2ErrorCode.cancel)
    try exchange(client, server)
    #expect(server.streams[1]?.closedWith == [HTTP2ErrorCode.cancel])
    #expect(call.closedWith == [HTTP2ErrorCode.cancel])
  }

  /// Answers come from other threads' work: the stream may be gone by then.
  @Test func anAnswerToAStreamThatIsGoneIsDropped() throws {
    let server = try greetedServer()
    try server.receive(.request(1, endsStream: true))
    try server.receive(.reset(1, 8))
    let record = try #require(server.streams[1])
    #expect(record.closedWith == [HTTP2ErrorCode.cancel])
    server.respond(record, chunks: [[1, 2, 3]], trailers: [HTTP2Header("grpc-status", "0")])
    #expect(try server.output().isEmpty)
    try expectAlive(server, stream: 3)
  }

  @Test func headersThatCannotBeSentResetTheirStream() throws {
    let server = try greetedServer()
    try server.receive(.request(1, endsStream: true))
    let long = [UInt8](repeating: 0x61, count: 70_000)
    long.withUnsafeBytes {
      server.session.submitResponse(
        1, [HTTP2Header(":status", "200"), HTTP2Header(ByteSlice("long"), ByteSlice($0))],
        endsStream: true)
    }
    let frames = try server.outputFrames()
    #expect(frames.resetCodes(1) == [HTTP2ErrorCode.internalError])
    #expect(server.streams[1]?.closedWith == [HTTP2ErrorCode.internalError])
    try expectAlive(server, stream: 3)
  }

  @Test func permanentHeadersAreSentAsOftenAsWanted() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    server.onEnd = { [unowned server] in
      server.session.submitResponse($0.id, permanentHeaders, endsStream: true)
    }
    for _ in 0..<20 {
      let call = try client.request()
      try exchange(client, server)
      #expect(call.headers == [":status: 200", "content-type: application/grpc"])
    }
  }

  /// Values that change with each message stay out of the peer's table.
  @Test func volatileHeadersAreNeverIndexed() throws {
    let server = try greetedServer()
    var sizes: [Int] = []
    for index in 0..<6 as Range<Int32> {
      try server.receive(.request(2 * index + 1, endsStream: true))
      let value = ByteSlice("a value that is long enough to be seen")
      server.session.submitResponse(
        2 * index + 1,
        [
          HTTP2Header(":status", "200"),
          HTTP2Header(ByteSlice("grpc-message"), value, isVolatile: index < 3),
        ], endsStream: true)
      sizes.append(try server.output().count)
    }
    #expect(sizes[1] == sizes[0] && sizes[2] == sizes[0])
    #expect(sizes[5] < sizes[0] / 2)
  }

  @Test func theLibrarysVersionIsOneThatIsPatched() {
    let parts = HTTP2Library.version.split(separator: ".").compactMap { Int($0) }
    #expect(parts.count == 3)
    #expect((parts[0], parts[1]) >= (1, 52))
  }
}
