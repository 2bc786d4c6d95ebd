import Client
import Core
import HTTP2
import Testing
import Wire

@testable import Load

/// Frames of a server, by hand: HPACK without a table.
private enum Frame {
  static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8]
  {
    let count = payload.count
    return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
      + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: stream >> $0) } + payload
  }

  /// With SETTINGS_MAX_CONCURRENT_STREAMS.
  static func settings(streams: UInt8) -> [UInt8] { frame(4, 0, 0, [0, 3, 0, 0, 0, streams]) }

  static func headers(
    _ stream: UInt32, _ list: [(String, String)], ends: Bool
  ) -> [UInt8] {
    var block: [UInt8] = []
    for (name, value) in list {
      block += [0, UInt8(name.utf8.count)] + Array(name.utf8)
      block += [UInt8(value.utf8.count)] + Array(value.utf8)
    }
    return frame(1, ends ? 5 : 4, stream, block)
  }

  static func data(_ stream: UInt32, _ bytes: [UInt8]) -> [UInt8] { frame(0, 0, stream, bytes) }

  static func reset(_ stream: UInt32, _ code: UInt8) -> [UInt8] {
    frame(3, 0, stream, [0, 0, 0, code])
  }

  static func goAway(last: UInt8) -> [UInt8] { frame(7, 0, 0, [0, 0, 0, last, 0, 0, 0, 0]) }

  static func answer(_ stream: UInt32, _ message: [UInt8]) -> [UInt8] {
    headers(stream, [(":status", "200"), ("content-type", "application/grpc")], ends: false)
      + data(stream, [0, 0, 0, 0, UInt8(message.count)] + message)
      + headers(stream, [("grpc-status", "0")], ends: true)
  }

  /// A score for each of `count` candidates, from the whole model.
  static func scores(_ count: Int) -> [UInt8] {
    [26, UInt8(4 * count)] + [UInt8](repeating: 0, count: 4 * count) + [40, 4]
  }
}

private final class Pair {
  let connection: LoadConnection
  let mix: RequestMix
  private var random = SplitMix64(seed: 1)

  init(slotCount: Int = 8) throws {
    var batch = ScoreRequestMessage()
    batch.itemIDs = [1, 2]
    mix = try RequestMix(batches: [batch], users: .numbered(count: 3), exponent: 1)
    connection = try LoadConnection(
      headers: LoadHeaders(
        authority: "test:1", timeoutNanoseconds: 1_000_000,
        metadata: [MetadataEntry("crescendo-priority", "batch")]),
      slotCount: slotCount, memory: HTTP2Memory())
  }

  @discardableResult
  func start(at now: UInt64 = 100) -> LoadConnection.Call? {
    let (body, userID) = mix.next(&random)
    let call = connection.start(
      intendedNanoseconds: now - 50, body: body, userID: userID, nowNanoseconds: now)
    _ = output()
    return call
  }

  func output() -> [UInt8] {
    var bytes: [UInt8] = []
    connection.collectOutput(into: &bytes, limitBytes: 1 << 20, nowNanoseconds: 0)
    return bytes
  }

  func receive(_ bytes: [UInt8], cut: Int = .max, at now: UInt64 = 200) {
    for start in stride(from: 0, to: bytes.count, by: min(cut, bytes.count)) {
      let end = min(bytes.count, start + min(cut, bytes.count))
      bytes[start..<end].withUnsafeBytes { connection.receive($0, nowNanoseconds: now) }
    }
  }

  func statuses() -> [StatusCode] {
    defer { connection.forgetEnded() }
    return connection.ended.map(\.record.status)
  }
}

@Suite struct LoadConnectionTests {
  @Test(arguments: [1, 2, 3, 7, 16, 1_000])
  func anAnswerInPieces(cut: Int) throws {
    let pair = try Pair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    pair.receive(Frame.answer(1, Frame.scores(2)), cut: cut)
    let ended = try #require(pair.connection.ended.first)
    #expect(ended.record.status == .ok && ended.record.fidelity == .full)
    #expect(ended.record.intendedNanoseconds == 50 && ended.record.sentNanoseconds == 100)
    #expect(ended.record.endedNanoseconds == 200)
    #expect(pair.connection.openCount == 0)
  }

  @Test func slotsAreUsedAgain() throws {
    let pair = try Pair(slotCount: 1)
    pair.receive(Frame.settings(streams: 100))
    for turn in 0..<50 {
      #expect(pair.connection.hasRoom)
      pair.start()
      #expect(!pair.connection.hasRoom)
      pair.receive(Frame.answer(UInt32(2 * turn + 1), Frame.scores(2)))
      #expect(pair.statuses() == [.ok])
    }
  }

  @Test func theServersLimitOfStreamsHolds() throws {
    let pair = try Pair()
    pair.receive(Frame.settings(streams: 2))
    pair.start()
    #expect(pair.connection.hasRoom)
    pair.start()
    #expect(!pair.connection.hasRoom)
    pair.receive(Frame.answer(3, Frame.scores(2)))
    #expect(pair.connection.hasRoom)
  }

  private static let head = [(":status", "200"), ("content-type", "application/grpc")]

  static let failures: [(name: String, bytes: [UInt8], status: StatusCode)] = [
    (
      "trailers only", Frame.headers(1, head + [("grpc-status", "8")], ends: true),
      .resourceExhausted
    ),
    ("no status", Frame.headers(1, head, ends: true), .unknown),
    ("unknown status", Frame.headers(1, head + [("grpc-status", "99")], ends: true), .unknown),
    ("a proxy", Frame.headers(1, [(":status", "503")], ends: true), .unavailable),
    ("no gRPC", Frame.headers(1, [(":status", "200")], ends: true), .unknown),
    (
      "OK without a message", Frame.headers(1, head + [("grpc-status", "0")], ends: true),
      .unimplemented
    ),
    ("refused", Frame.reset(1, 7), .unavailable), ("cancelled", Frame.reset(1, 8), .cancelled),
    ("calm", Frame.reset(1, 11), .resourceExhausted),
    ("too few scores", Frame.answer(1, Frame.scores(1)), .internalError),
    ("no message of ours", Frame.answer(1, [26, 200]), .internalError),
    (
      "cut off",
      Frame.headers(1, head, ends: false) + Frame.data(1, [0, 0, 0, 0, 9, 1])
        + Frame.headers(1, [("grpc-status", "0")], ends: true), .internalError
    ),
    (
      "compressed",
      Frame.headers(1, head, ends: false) + Frame.data(1, [1, 0, 0, 0, 1, 1])
        + Frame.headers(1, [("grpc-status", "0")], ends: true), .internalError
    ),
    (
      "two messages",
      Frame.headers(1, head, ends: false) + Frame.data(1, [0, 0, 0, 0, 0])
        + Frame.data(1, [0, 0, 0, 0, 0]) + Frame.headers(1, [("grpc-status", "0")], ends: true),
      .unimplemented
    ),
    (
      "too long",
      Frame.headers(1, head, ends: false) + Frame.data(1, [0, 255, 255, 255, 255, 1])
        + Frame.headers(1, [("grpc-status", "0")], ends: true), .resourceExhausted
    ),
    ("rubbish", [UInt8]("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), .unavailable),
  ]

  @Test(arguments: failures.indices)
  func whatIsNoAnswer(index: Int) throws {
    let failure = Self.failures[index]
    let pair = try Pair()
    if failure.name != "rubbish" { pair.receive(Frame.settings(streams: 100)) }
    pair.start()
    pair.receive(failure.bytes)
    _ = pair.output()
    #expect(pair.statuses() == [failure.status], "\(failure.name)")
  }

  @Test func theServersWordsAreKept() throws {
    let pair = try Pair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    pair.receive(
      Frame.headers(
        1, Self.head + [("grpc-status", "8"), ("grpc-message", "come%20back")], ends: true))
    #expect(pair.connection.ended.first?.text == "come back")
  }

  @Test func aCallThatIsGivenUpLeavesItsSlot() throws {
    let pair = try Pair(slotCount: 1)
    pair.receive(Frame.settings(streams: 100))
    let call = try #require(pair.start())
    #expect(pair.connection.owns(call))
    pair.connection.giveUp(call, nowNanoseconds: 900)
    #expect(pair.connection.ended.first?.record.isGivenUp == true)
    #expect(pair.statuses() == [.deadlineExceeded])
    // RST_STREAM(CANCEL) of stream 1.
    #expect(pair.output() == Frame.reset(1, 8))
    #expect(pair.connection.hasRoom)
    pair.start()
    pair.receive(Frame.answer(3, Frame.scores(2)))
    #expect(pair.statuses() == [.ok])
  }

  @Test func aConnectionThatGoesAwayFinishesItsCalls() throws {
    let pair = try Pair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    pair.start()
    pair.receive(Frame.goAway(last: 1))
    #expect(!pair.connection.isOpen && !pair.connection.hasRoom && !pair.connection.isOver)
    #expect(pair.start() == nil)
    #expect(pair.statuses() == [.unavailable])
    pair.receive(Frame.answer(1, Frame.scores(2)))
    #expect(pair.statuses() == [.ok])
    #expect(pair.connection.isOver)
  }

  @Test func theEndOfTheConnectionIsTheEndOfItsCalls() throws {
    let pair = try Pair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    pair.start()
    pair.connection.end("gone", nowNanoseconds: 300)
    #expect(pair.connection.ended.map(\.text) == ["gone", "gone"])
    #expect(pair.statuses() == [.unavailable, .unavailable])
    #expect(pair.connection.isOver && pair.connection.openCount == 0)
    #expect(pair.start() == nil)
  }
}
