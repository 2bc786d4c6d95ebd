import Core
import Testing

@testable import Load

/// Answers that are none, and what each counts as.
@Suite struct LoadFailureTests {
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
    (
      "a status of 103",
      Frame.headers(1, [(":status", "103"), ("grpc-status", "0")], ends: false)
        + Frame.headers(1, [(":status", "502")], ends: true), .unavailable
    ),
    (
      "OK of a proxy",
      Frame.headers(1, [(":status", "503"), ("grpc-status", "0")], ends: true), .unavailable
    ),
    (
      "OK of no gRPC", Frame.headers(1, [(":status", "200"), ("grpc-status", "0")], ends: true),
      .unknown
    ),
    (
      "a status before the message",
      Frame.headers(1, head + [("grpc-status", "0")], ends: false)
        + Frame.data(1, [0, 0, 0, 0, 12] + Frame.scores(2)) + Frame.data(1, [], ends: true),
      .unknown
    ),
    (
      "blanks", Frame.headers(1, head + [("grpc-status", " 8 ")], ends: true), .resourceExhausted
    ),
    ("leading zeros", Frame.headers(1, head + [("grpc-status", "0008")], ends: true), .unknown),
    // What is wrong already is not waited for, and no later status mends it.
    (
      "two messages, no end",
      Frame.headers(1, head, ends: false) + Frame.data(1, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      .unimplemented
    ),
    (
      "compressed, no end",
      Frame.headers(1, head, ends: false) + Frame.data(1, [1, 0, 0, 0, 9]), .internalError
    ),
    (
      "too long, no end",
      Frame.headers(1, head, ends: false) + Frame.data(1, [0, 255, 255, 255, 255]),
      .resourceExhausted
    ),
    (
      "two messages, then UNAVAILABLE",
      Frame.headers(1, head, ends: false) + Frame.data(1, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        + Frame.headers(1, [("grpc-status", "14")], ends: true), .unimplemented
    ),
    (
      "headers over the limit",
      Frame.headers(
        1, head + (0..<80).map { ("x-\($0)", String(repeating: "a", count: 120)) }, ends: false),
      .resourceExhausted
    ),
    ("rubbish", [UInt8]("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), .unavailable),
  ]

  @Test(arguments: failures.indices)
  func whatIsNoAnswer(index: Int) throws {
    let failure = Self.failures[index]
    let pair = try LoadPair()
    if failure.name != "rubbish" { pair.receive(Frame.settings(streams: 100)) }
    pair.start()
    pair.receive(failure.bytes)
    _ = pair.output()
    #expect(pair.statuses() == [failure.status], "\(failure.name)")
  }

  @Test func theServersWordsAreKept() throws {
    let pair = try LoadPair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    pair.receive(
      Frame.headers(
        1, Self.head + [("grpc-status", "8"), ("grpc-message", "come%20back")], ends: true))
    #expect(pair.connection.ended.first?.text == "come back")
  }

  @Test func whatTheServerDidNotSayIsSaid() throws {
    let pair = try LoadPair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    // Words of a block that ends nothing are nobody's.
    pair.receive(
      Frame.headers(1, [(":status", "103"), ("grpc-message", "soon")], ends: false)
        + Frame.headers(1, [(":status", "503")], ends: true))
    #expect(pair.connection.ended.first?.text == "HTTP status 503 instead of a gRPC answer")
  }

  @Test(
    arguments: [(1_000_099, .cancelled), (1_000_100, .deadlineExceeded)] as [(UInt64, StatusCode)])
  func aCancelAtTheDeadlineIsTheDeadline(now: UInt64, status: StatusCode) throws {
    let pair = try LoadPair()
    pair.receive(Frame.settings(streams: 100))
    pair.start(at: 100)
    pair.receive(Frame.reset(1, 8), at: now)
    #expect(pair.statuses() == [status])
  }

  @Test func aPageWithoutEndIsCutOff() throws {
    let pair = try LoadPair()
    pair.receive(Frame.settings(streams: 100))
    pair.start()
    pair.receive(Frame.headers(1, [(":status", "502")], ends: false))
    let page = Frame.data(1, [UInt8](repeating: 32, count: 16_384))
    for _ in 0..<256 {
      #expect(pair.connection.ended.isEmpty)
      pair.receive(page)
      _ = pair.output()
    }
    pair.receive(page)
    #expect(pair.statuses() == [.unavailable])
    #expect(pair.output().suffix(13) == Frame.reset(1, 8))
  }
}
