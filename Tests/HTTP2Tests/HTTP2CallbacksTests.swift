import Core
import Testing

@testable import HTTP2

/// What a peer may do wrong, or right but late, frame by frame (rpc.md §0 and §3).
struct HTTP2CallbacksTests {
  @Test func anEarlyAnswerTellsThatTheRestIsNotWanted() throws {
    let server = try greetedServer()
    server.onHeaders = { [unowned server] record, _ in server.respondWithHeadersOnly(record) }
    try server.receive(.request(1))
    let frames = try server.outputFrames().filter { $0.stream == 1 }
    #expect(frames.map(\.kind) == [Frame.Kind.headers, Frame.Kind.reset])
    #expect(frames.resetCodes(1) == [HTTP2ErrorCode.noError])
    #expect(server.streams[1]?.closedWith == [0])
    // Sent before the reset arrived: no fault, and nobody's business.
    try server.receive(
      .data(1, [1, 2, 3]), .headers(1, HPACK.trailers, endsStream: true), .reset(1, 8))
    #expect(try server.outputFrames().goAwayCodes.isEmpty)
    #expect(server.streams[1]?.body == [] && server.streams[1]?.blocks == [0])
    server.onHeaders = { _, _ in }
    try expectAlive(server, stream: 3)
  }

  @Test func anEarlyAnswerWithABodyDoesSoAfterIt() throws {
    let server = try greetedServer()
    server.onHeaders = { [unowned server] record, _ in server.respond(record, chunks: [[7]]) }
    try server.receive(.request(1))
    let frames = try server.outputFrames().filter { $0.stream == 1 }
    #expect(frames.map(\.kind) == [Frame.Kind.headers, Frame.Kind.data, Frame.Kind.reset])
  }

  @Test func anAnswerAfterTheRequestNeedsNoReset() throws {
    let server = try greetedServer()
    server.onEnd = { [unowned server] in server.respond($0, chunks: [[7]]) }
    try server.receive(.request(1), .data(1, [1], endsStream: true))
    #expect(try server.outputFrames().resetCodes(1).isEmpty)
    #expect(server.streams[1]?.closedWith == [0])
  }

  @Test func aSmallerStreamIDEndsTheConnection() throws {
    let server = try greetedServer()
    server.onEnd = { [unowned server] in server.respondWithHeadersOnly($0) }
    try server.receive(.request(5, endsStream: true))
    _ = try server.output()
    try server.receive(.request(3, endsStream: true))
    #expect(try server.outputFrames().goAwayCodes == [HTTP2ErrorCode.protocolError])
    #expect(server.order == [5])
    #expect(!server.session.wantsToRead)
  }

  /// PRIORITY names a stream without opening it (RFC 9113 §5.1.1): still smaller, still wrong.
  @Test func aSmallerStreamIDThatHasAPriorityEndsItToo() throws {
    let server = try greetedServer()
    try server.receive(
      Frame(kind: Frame.Kind.priority, stream: 3, payload: [0, 0, 0, 0, 15]),
      .request(5, endsStream: true), .request(3, endsStream: true))
    #expect(try server.outputFrames().goAwayCodes == [HTTP2ErrorCode.protocolError])
    #expect(server.order == [5])
  }

  @Test func evenStreamIDsAndStreamZeroEndTheConnection() throws {
    for stream: Int32 in [2, 0] {
      let server = try greetedServer()
      try server.receive(.request(stream, endsStream: true))
      #expect(try server.outputFrames().goAwayCodes == [HTTP2ErrorCode.protocolError])
      #expect(server.order.isEmpty)
    }
  }

  /// 128 streams that we reset, then late frames for all: legal, for the client may not know yet.
  @Test func lateFramesAfterOurResetsAreTolerated() throws {
    let server = try greetedServer()
    let ids = (0..<128).map { Int32(2 * $0 + 1) }
    for id in ids {
      try server.receive(.request(id))
      server.session.resetStream(id, HTTP2ErrorCode.cancel)
      #expect(try server.outputFrames().resetCodes(id) == [HTTP2ErrorCode.cancel])
    }
    for id in ids {
      try server.receive(.data(id, [1, 2, 3]), .headers(id, HPACK.trailers, endsStream: true))
      #expect(try server.outputFrames().goAwayCodes.isEmpty, "stream \(id)")
    }
    #expect(server.streams.values.allSatisfy { $0.body.isEmpty && $0.closedWith == [8] })
    try expectAlive(server, stream: 301)
  }

  @Test func aStreamThatItsOwnerDoesNotWantIsRefused() throws {
    let server = try greetedServer()
    server.refuses = { $0 == 1 }
    try server.receive(
      .request(1), .data(1, [1, 2, 3]), .headers(1, HPACK.trailers, endsStream: true))
    let frames = try server.outputFrames()
    #expect(frames.resetCodes(1) == [HTTP2ErrorCode.refusedStream])
    #expect(frames.goAwayCodes.isEmpty)
    try server.receive(.data(1, [4]))
    try expectAlive(server, stream: 3)
    #expect(server.order == [3])
  }

  /// A client that has not read our SETTINGS yet may open more than we take: each is refused, and
  /// what else it has already sent for them ends nothing.
  @Test func streamsOverTheMaximumAreRefusedBeforeItIsAcknowledged() throws {
    let server = try Endpoint(.server)
    try server.receive(clientPreface + Frame.settings.bytes)
    for index in 0..<100 { try server.receive(.request(Int32(2 * index + 1))) }
    try server.receive(
      .request(201), .data(201, [1]), .headers(201, HPACK.trailers, endsStream: true))
    try server.receive(.request(203, endsStream: true))
    let frames = try server.outputFrames()
    #expect(frames.resetCodes(201) == [HTTP2ErrorCode.refusedStream])
    #expect(frames.resetCodes(203) == [HTTP2ErrorCode.refusedStream])
    #expect(frames.goAwayCodes.isEmpty)
    #expect(server.order.count == 100)
    try server.receive(.reset(1, 8))
    try expectAlive(server, stream: 205)
  }

  @Test func streamsOverTheMaximumEndTheConnectionAfterwards() throws {
    let server = try greetedServer()
    for index in 0...100 { try server.receive(.request(Int32(2 * index + 1))) }
    #expect(try server.outputFrames().goAwayCodes == [HTTP2ErrorCode.protocolError])
    #expect(server.order.count == 100)
  }

  @Test(arguments: [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "G", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    "\u{16}\u{3}\u{1}",
    "PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n", "\0\0\0\u{4}\0\0\0\0\0",
  ])
  func whatIsNotThePrefaceIsSaidSo(text: String) throws {
    let server = try Endpoint(.server)
    let error = #expect(throws: HTTP2Session.ConnectionError.self) {
      try server.receive(Array(text.utf8))
    }
    #expect(error?.isBadPreface == true)
    #expect(error?.description.isEmpty == false)
  }

  @Test func aPrefaceThatComesByteByByteIsOne() throws {
    let server = try Endpoint(.server)
    for byte in clientPreface + Frame.settings.bytes { try server.receive([byte]) }
    try expectAlive(server, stream: 1)
  }

  @Test(arguments: [
    ("data on stream 0", Frame.data(0, [1]), 1), ("data on idle", .data(7, [1]), 1),
    ("reset of idle", .reset(7, 8), 1), ("short ping", Frame(kind: 6, payload: [1]), 6),
    ("settings of 5", Frame(kind: 4, payload: [1, 2, 3, 4, 5]), 6),
    ("window of 0", .windowUpdate(0, 0), 1), ("window overflow", .windowUpdate(0, 0x7FFF_FFFF), 3),
    ("bad index", .headers(1, [0xFF, 0xFF, 0xFF, 0x00]), 9),
    ("push", Frame(kind: 5, flags: 4, stream: 1, payload: [0, 0, 0, 2]), 1),
    ("continuation of nothing", Frame(kind: 9, flags: 4, stream: 1), 1),
    ("too long", .data(1, [UInt8](repeating: 0, count: 16_385)), 6),
  ])
  func aBrokenFrameEndsTheConnectionAndWhatFollowsIsIgnored(
    name: String, frame: Frame, code: UInt32
  ) throws {
    let server = try greetedServer()
    // CVE-2026-27135: broken frames behind the first one, in the same segment.
    let garbage: [Frame] = [
      Frame(kind: 6, payload: [1]), .reset(0, 1), Frame(kind: 2, stream: 1, payload: [1]),
      .windowUpdate(0, 0), Frame(kind: 4, payload: [9]),
      Frame(kind: 0, flags: Frame.padded, stream: 1, payload: [255]),
    ]
    try server.receive(frame.bytes + garbage.flatMap(\.bytes))
    #expect(try server.outputFrames().goAwayCodes == [code], "\(name)")
    #expect(!server.session.wantsToRead && !server.session.wantsToWrite)
  }
}
