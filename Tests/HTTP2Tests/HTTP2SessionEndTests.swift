import Core
import Testing

@testable import HTTP2

struct HTTP2SessionEndTests {
  @Test func afterItsGoAwayOpenStreamsFinishAndThenNothingIsWanted() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    let call = try client.request(body: [[1]], isFinished: false)
    try exchange(client, server)
    try server.session.submitGoAway()
    try exchange(client, server)
    #expect(client.goAways.map(\.last) == [1] && client.goAways.map(\.code) == [0])
    #expect(server.session.wantsToRead)
    server.onEnd = { [unowned server] in server.respond($0, chunks: [$0.body]) }
    client.send(call, [2], isFinished: true)
    try exchange(client, server)
    #expect(call.body == [1, 2] && call.closedWith == [0])
    #expect(!server.session.wantsToRead && !server.session.wantsToWrite)
  }

  /// What crossed the GOAWAY on the wire is not taken, and does not end what was.
  @Test func framesThatCrossTheGoAwayAreIgnored() throws {
    let server = try greetedServer()
    try server.receive(.request(1))
    try server.session.submitGoAway()
    #expect(try server.outputFrames().goAwayCodes == [0])
    try server.receive(
      .request(3), .data(3, [1, 2, 3]), .headers(3, HPACK.trailers, endsStream: true))
    try server.receive(.request(5, endsStream: true), .reset(5, 8))
    #expect(try server.outputFrames().goAwayCodes.isEmpty)
    #expect(server.order == [1])
    server.onEnd = { [unowned server] in server.respondWithHeadersOnly($0) }
    try server.receive(.data(1, [], endsStream: true))
    #expect(try server.outputFrames().contains { $0.kind == Frame.Kind.headers && $0.stream == 1 })
  }

  @Test func aNoticeStillTakesNewStreams() throws {
    let server = try greetedServer()
    try server.session.submitShutdownNotice()
    let frames = try server.outputFrames()
    #expect(frames.map(\.kind) == [Frame.Kind.goAway])
    #expect(frames[0].number(at: 0) == 0x7FFF_FFFF && frames.goAwayCodes == [0])
    try expectAlive(server, stream: 1)
    try server.session.submitGoAway()
    let last = try server.outputFrames()
    #expect(last[0].number(at: 0) == 1)
  }

  /// A call that comes too late was never seen by the server: it may be made again elsewhere.
  @Test func aCallAfterThePeersGoAwayIsRefusedHere() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    let open = try client.request(body: [[1]], isFinished: false)
    try exchange(client, server)
    try server.session.submitGoAway()
    try client.receive(try server.output())
    let late = try client.request()
    let frames = try client.outputFrames()
    #expect(late.closedWith == [HTTP2ErrorCode.refusedStream])
    #expect(!frames.contains { $0.stream == late.id }, "the server has never heard of it")
    // The open call goes on: a frame of an unknown stream would have ended the connection.
    try server.receive(frames.flatMap(\.bytes))
    server.onEnd = { [unowned server] in server.respond($0, chunks: [$0.body]) }
    client.send(open, [2], isFinished: true)
    try exchange(client, server)
    #expect(open.body == [1, 2] && open.closedWith == [0])
  }

  /// More calls than the peer takes at once wait here; after its GOAWAY they are refused.
  @Test func callsThatWaitWhenTheGoAwayComesAreRefused() throws {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    try exchange(client, server)
    let calls = try (0..<120).map { _ in try client.request() }
    try exchange(client, server)
    try server.session.submitGoAway()
    try exchange(client, server)
    for id in server.order { server.streams[id].map(server.respondWithHeadersOnly) }
    try exchange(client, server)
    #expect(calls[..<100].allSatisfy { $0.closedWith == [0] })
    #expect(calls[100...].allSatisfy { $0.closedWith == [HTTP2ErrorCode.refusedStream] })
    #expect(client.goAways.count == 1 && server.goAways.isEmpty)
  }

  @Test func terminatingNamesTheErrorAndEndsAll() throws {
    let server = try greetedServer()
    try server.receive(.request(1), .request(3))
    try server.session.terminate(HTTP2ErrorCode.enhanceYourCalm)
    #expect(try server.outputFrames().goAwayCodes == [HTTP2ErrorCode.enhanceYourCalm])
    #expect(!server.session.wantsToRead && !server.session.wantsToWrite)
    try server.receive(.request(5), .ping, Frame(kind: Frame.Kind.ping, payload: [1]))
    #expect(server.order == [1, 3])
    #expect(try server.output().isEmpty)
  }

  @Test func destroyingDoesNotReportOpenStreams() throws {
    let server = try greetedServer()
    try server.receive(.request(1), .data(1, [1]), .request(3))
    let records = [1, 3].compactMap { server.streams[$0] }
    server.destroy()
    #expect(records.count == 2)
    #expect(records.allSatisfy { $0.closedWith.isEmpty })
  }
}
