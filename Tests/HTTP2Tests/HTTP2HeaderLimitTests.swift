import Core
import Testing

@testable import HTTP2

/// nghttp2 advertises a limit of header lists and does not hold it (rpc.md §0.4): we do.
struct HTTP2HeaderLimitTests {
  private func filler(_ listBytes: Int) -> [UInt8] {
    HPACK.literal("x", String(repeating: "v", count: listBytes - 33))
  }

  @Test func aListOfExactlyTheLimitIsTakenAndOneByteMoreIsNot() throws {
    let room = Endpoint.limits.headerListBytes - HPACK.requestListBytes
    for (more, flags) in [(0, 0), (1, HTTP2BlockFlags.tooLarge)] as [(Int, UInt32)] {
      let server = try greetedServer()
      try server.receive(.headers(1, HPACK.request + filler(room + more)))
      let record = try #require(server.streams[1])
      #expect(record.blocks == [flags])
      #expect(record.headers.count == (more == 0 ? 5 : 4))
      // The stream is there to be answered.
      server.respondWithHeadersOnly(record)
      #expect(try server.outputFrames().contains { $0.kind == 1 && $0.stream == 1 })
      try expectAlive(server, stream: 3)
    }
  }

  @Test func aHundredHeadersAreTakenAndOneMoreIsNot() throws {
    for (more, flags) in [(0, 0), (1, HTTP2BlockFlags.tooLarge)] as [(Int, UInt32)] {
      let server = try greetedServer()
      let rest = (4..<100 + more).flatMap { HPACK.literal("k\($0)", "") }
      try server.receive(.headers(1, HPACK.request + rest))
      #expect(server.streams[1]?.blocks == [flags])
      #expect(server.streams[1]?.headers.count == 100)
    }
  }

  @Test func eachBlockIsCountedByItself() throws {
    let server = try greetedServer()
    let half = filler(Endpoint.limits.headerListBytes * 3 / 5)
    try server.receive(.headers(1, HPACK.request + half), .headers(3, HPACK.request + half))
    try server.receive(.headers(1, half, endsStream: true))
    #expect(
      server.streams[1]?.blocks == [0, HTTP2BlockFlags.trailers | HTTP2BlockFlags.endOfStream])
    #expect(server.streams[3]?.blocks == [0])
    try server.receive(.headers(3, half + half, endsStream: true))
    let all = HTTP2BlockFlags.trailers | HTTP2BlockFlags.endOfStream | HTTP2BlockFlags.tooLarge
    #expect(server.streams[3]?.blocks == [0, all])
  }

  /// A value of 4,000 bytes goes into the table once, and one byte names it again: 16,000 of them
  /// are 64 MB of header list, of which the owner hears two, and the table stays in step.
  @Test func anExpandingBlockIsResetAndHardlyTold() throws {
    let server = try greetedServer()
    let entry = [0x40] + HPACK.text("bomb") + HPACK.text(String(repeating: "b", count: 3_900))
    let references = [UInt8](repeating: 0x80 | 62, count: 12_000)
    for round in 0..<8 as Range<Int32> {
      let id = 2 * round + 1
      try server.receive(.headers(id, HPACK.request + (round == 0 ? entry : []) + references))
      let record = try #require(server.streams[id])
      #expect(record.headers.count <= 6)
      #expect(record.blocks.isEmpty)
      #expect(try server.outputFrames().resetCodes(id) == [HTTP2ErrorCode.internalError])
      #expect(record.closedWith == [HTTP2ErrorCode.internalError])
    }
    // Same table on both sides: the entry can still be named.
    try server.receive(.headers(101, HPACK.request + [0x80 | 62], endsStream: true))
    #expect(server.streams[101]?.headers.count == 5)
    #expect(server.streams[101]?.headers.last?.hasPrefix("bomb: bbb") == true)
  }

  @Test func anExpandingBlockOfTrailersIsResetToo() throws {
    let server = try greetedServer()
    try server.receive(.request(1))
    let entry = [0x40] + HPACK.text("bomb") + HPACK.text(String(repeating: "b", count: 3_900))
    let references = [UInt8](repeating: 0x80 | 62, count: 12_000)
    try server.receive(.headers(1, entry + references, endsStream: true))
    #expect(server.streams[1]?.blocks == [0])
    #expect((server.streams[1]?.headers.count ?? .max) <= 6)
    #expect(server.streams[1]?.ends == 0)
    #expect(try server.outputFrames().resetCodes(1) == [HTTP2ErrorCode.internalError])
    try expectAlive(server, stream: 3)
  }

  @Test func blocksInManyPiecesAreBoundedByTheirNumber() throws {
    let server = try greetedServer()
    func pieces(_ id: Int32, _ count: Int) -> [UInt8] {
      let first = Frame(
        kind: Frame.Kind.headers, flags: Frame.end, stream: id, payload: HPACK.request)
      let more = (0..<count).map { index in
        Frame(
          kind: Frame.Kind.continuation, flags: index == count - 1 ? Frame.endHeaders : 0,
          stream: id, payload: HPACK.literal("k\(index)", "v"))
      }
      return first.bytes + more.flatMap(\.bytes)
    }
    try server.receive(pieces(1, 8))
    #expect(server.streams[1]?.headers.count == 12 && server.streams[1]?.ends == 1)
    let error = #expect(throws: HTTP2Session.ConnectionError.self) {
      try server.receive(pieces(3, 9))
    }
    #expect(error?.code == -905 && error?.isBadPreface == false)
  }

  @Test(arguments: [
    [("Upper", "v")], [("connection", "close")], [("te", "gzip")], [(":path", "/again")],
  ])
  func malformedHeadersAreTheStreamsOwnFault(extra: [(String, String)]) throws {
    let server = try greetedServer()
    try server.receive(.headers(1, HPACK.request + HPACK.block(extra), endsStream: true))
    #expect(try server.outputFrames().resetCodes(1) == [HTTP2ErrorCode.protocolError])
    #expect(server.streams[1]?.ends == 0)
    try expectAlive(server, stream: 3)
  }

  /// Legal for gRPC peers; nghttp2 alone would refuse it.
  @Test func blanksAroundAValueAreKept() throws {
    let server = try greetedServer()
    try server.receive(.headers(1, HPACK.request + HPACK.literal("note", " v ")))
    #expect(server.streams[1]?.headers.last == "note:  v ")
  }
}
