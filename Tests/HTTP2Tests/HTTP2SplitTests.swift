import Core
import Testing

@testable import HTTP2

/// A TCP stream has no edges: the same bytes in other pieces mean the same.
struct HTTP2SplitTests {
  /// A conversation of a client: calls with bodies, padding, trailers, a cancelled one, pings.
  private static let conversation = makeConversation(inPieces: true)
  /// nghttp2 counts each read that ends inside the head of a CONTINUATION as one more of the eight
  /// that it takes: where every read is that short, there must be none.
  private static let conversationWithoutPieces = makeConversation(inPieces: false)

  private static func makeConversation(inPieces: Bool) -> [UInt8] {
    let padded = Frame(
      kind: Frame.Kind.data, flags: Frame.padded, stream: 3,
      payload: [4] + Array("padded".utf8) + [0, 0, 0, 0])
    let pieces = [
      Frame(kind: Frame.Kind.headers, stream: 5, payload: Array(HPACK.request.prefix(20))),
      Frame(kind: Frame.Kind.continuation, stream: 5, payload: Array(HPACK.request[20..<30])),
      Frame(
        kind: Frame.Kind.continuation, flags: Frame.endHeaders, stream: 5,
        payload: Array(HPACK.request[30...])),
    ]
    let indexed = [0x40] + HPACK.text("kept") + HPACK.text("in the table")
    let frames: [Frame] =
      [
        .settings, .settingsAcknowledged, .headers(1, HPACK.request + indexed),
        .data(1, [1, 2, 3]), .ping, .request(3), .data(1, []), padded,
        .data(1, [4], endsStream: true),
      ] + (inPieces ? pieces : [.request(5)]) + [
        .headers(3, HPACK.trailers, endsStream: true), .reset(5, 8), .windowUpdate(0, 1_000),
        Frame(kind: 0xEE, flags: 0xFF, stream: 9, payload: [1, 2, 3]),
        .headers(7, HPACK.request + [0x80 | 62], endsStream: true),
      ]
    return clientPreface + frames.flatMap(\.bytes)
  }

  /// All that a server told its owner and said in return.
  private func outcome(_ pieces: [ArraySlice<UInt8>]) throws -> String {
    let server = try Endpoint(.server)
    server.onEnd = { [unowned server] in
      server.respond($0, chunks: [$0.body], trailers: [HTTP2Header("grpc-status", "0")])
    }
    for piece in pieces { try server.receive(Array(piece)) }
    let streams = server.order.compactMap { server.streams[$0] }.map {
      "\($0.id) \($0.headers) \($0.blocks) \($0.body) \($0.ends) \($0.closedWith)"
    }
    return streams.joined(separator: "\n") + "\n\(try server.output())"
  }

  private func cut(_ bytes: [UInt8], every count: Int) -> [ArraySlice<UInt8>] {
    stride(from: 0, to: bytes.count, by: count).map {
      bytes[$0..<min($0 + count, bytes.count)]
    }
  }

  @Test func theConversationIsOneThatShowsSomething() throws {
    let whole = try outcome([HTTP2SplitTests.conversation[...]])
    #expect(whole.contains("1 [\":method: POST\""))
    #expect(whole.contains("[1, 2, 3, 4] 1 []"))
    #expect(whole.contains("kept: in the table") && whole.contains("checksum: 1"))
  }

  @Test func everyCutInTwoMeansTheSame() throws {
    let bytes = HTTP2SplitTests.conversation
    let whole = try outcome([bytes[...]])
    for position in 1..<bytes.count {
      #expect(try outcome([bytes[..<position], bytes[position...]]) == whole, "at \(position)")
    }
  }

  @Test(arguments: [1, 2, 3, 5, 9, 17])
  func evenPiecesMeanTheSame(count: Int) throws {
    let bytes =
      count < 5 ? HTTP2SplitTests.conversationWithoutPieces : HTTP2SplitTests.conversation
    #expect(try outcome(cut(bytes, every: count)) == outcome([bytes[...]]))
  }

  /// Damaged conversations: no trap, whatever comes of it, and the session can be destroyed.
  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func damagedBytesAreAnErrorOrNothing(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var (failed, ended, went) = (0, 0, 0)
    for number in 0..<600 {
      var bytes = HTTP2SplitTests.conversation
      for _ in 0...Int.random(in: 0..<3, using: &random) {
        // Mostly behind the preface, or little else would be reached.
        let first = Int.random(in: 0..<10, using: &random) == 0 ? 0 : clientPreface.count
        let position = Int.random(in: first..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.remove(at: position)
        default: bytes.insert(bytes[position], at: position)
        }
      }
      let server = try Endpoint(.server)
      server.onEnd = { [unowned server] in server.respond($0, chunks: [$0.body]) }
      do {
        for piece in cut(bytes, every: Int.random(in: 1...200, using: &random)) {
          try server.receive(Array(piece))
        }
        let isEnded = try server.outputFrames().contains { $0.kind == Frame.Kind.goAway }
        if isEnded { ended += 1 } else { went += 1 }
      } catch is HTTP2Session.ConnectionError {
        failed += 1
      }
      let closedTwice = server.streams.values.contains { $0.closedWith.count > 1 || $0.ends > 1 }
      #expect(!closedTwice, "seed \(seed), case \(number)")
    }
    #expect(failed > 0 && ended > 50 && went > 50, "seed \(seed): \(failed), \(ended), \(went)")
  }
}
