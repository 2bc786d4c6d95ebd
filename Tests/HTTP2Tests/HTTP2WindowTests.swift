import Core
import Testing

@testable import HTTP2

/// `Endpoint.limits`: 40,000 bytes a stream, 100,000 the connection.
struct HTTP2WindowTests {
  private let chunk = [UInt8](repeating: 0x5A, count: 20_000)

  private func pair(_ consuming: Endpoint.Consuming) throws -> (Endpoint, Endpoint) {
    let (client, server) = (try Endpoint(.client), try Endpoint(.server))
    server.consuming = consuming
    try exchange(client, server)
    return (client, server)
  }

  @Test func aWindowIsGivenBackOnlyWhenItIsConsumed() throws {
    let (client, server) = try pair(.never)
    let call = try client.request(body: [[UInt8](repeating: 1, count: 100_000)])
    try exchange(client, server)
    let upload = try #require(server.streams[call.id])
    #expect(upload.body.count == 40_000 && upload.ends == 0)
    server.consume(upload, count: 10_000)
    try exchange(client, server)
    #expect(upload.body.count == 40_000, "less than half of a window is not worth a frame")
    server.consume(upload, count: 10_000)
    try exchange(client, server)
    #expect(upload.body.count == 60_000)
    while upload.ends == 0 {
      let before = upload.body.count
      server.consume(upload)
      try exchange(client, server)
      try #require(upload.body.count > before)
    }
    #expect(upload.body.count == 100_000)
  }

  @Test func streamsThatAreNotReadHoldTheConnectionUp() throws {
    let (client, server) = try pair(.never)
    for _ in 0..<3 { _ = try client.request(body: [[UInt8](repeating: 1, count: 50_000)]) }
    try exchange(client, server)
    #expect(server.streams.values.reduce(0) { $0 + $1.body.count } == 100_000)
    for id in server.order { server.streams[id].map { server.consume($0) } }
    try exchange(client, server)
    #expect(server.streams.values.reduce(0) { $0 + $1.body.count } == 150_000)
    #expect(server.streams.values.allSatisfy { $0.ends == 1 })
  }

  /// Cancelled uploads whose bytes nobody took: forty times the connection's window in all. What
  /// their owner gives back when, or after, they close keeps the connection open.
  @Test(arguments: [Endpoint.Consuming.onClose, .afterClose, .never])
  func cancelledUploadsDoNotLeakTheConnectionsWindow(consuming: Endpoint.Consuming) throws {
    let (client, server) = try pair(consuming)
    for _ in 0..<200 {
      let call = try client.request(body: [chunk], isFinished: false)
      try exchange(client, server)
      client.session.resetStream(call.id, HTTP2ErrorCode.cancel)
      try exchange(client, server)
      #expect(server.streams[call.id]?.closedWith == [HTTP2ErrorCode.cancel])
    }
    server.consuming = .atOnce
    let last = try client.request(body: [[UInt8](repeating: 1, count: 500_000)])
    try exchange(client, server)
    let received = server.streams[last.id]?.body.count
    if consuming == .never {
      #expect(received == 0, "were nothing charged, the other cases would prove nothing")
    } else {
      #expect(received == 500_000)
    }
  }

  /// Bytes that were under way when we reset their stream are nobody's, and charge nobody.
  @Test func bytesThatCrossOurResetAreGivenBack() throws {
    let (client, server) = try pair(.never)
    for _ in 0..<100 {
      let call = try client.request(body: [], isFinished: false)
      try exchange(client, server)
      client.send(call, chunk, isFinished: false)
      let underWay = try client.output()
      server.session.resetStream(call.id, HTTP2ErrorCode.cancel)
      let reset = try server.output()
      try server.receive(underWay)
      try client.receive(reset)
      try exchange(client, server)
      #expect(server.streams[call.id]?.body.isEmpty == true)
    }
    server.consuming = .atOnce
    let last = try client.request(body: [[UInt8](repeating: 1, count: 500_000)])
    try exchange(client, server)
    #expect(server.streams[last.id]?.body.count == 500_000)
  }

  @Test func paddingIsGivenBackAtOnce() throws {
    let server = try greetedServer()
    try server.receive(.request(1))
    let padding = [UInt8](repeating: 0, count: 255)
    for _ in 0..<2_000 {
      try server.receive(
        Frame(
          kind: Frame.Kind.data, flags: Frame.padded, stream: 1, payload: [255] + [7] + padding))
      _ = try server.output()
    }
    #expect(server.streams[1]?.body.count == 2_000)
    #expect(server.streams[1]?.closedWith == [])
    try expectAlive(server, stream: 3)
  }

  @Test func moreThanTheWindowIsTheStreamsOwnFault() throws {
    let server = try greetedServer()
    server.consuming = .never
    try server.receive(.request(1))
    for _ in 0..<4 { try server.receive(.data(1, [UInt8](repeating: 1, count: 10_001))) }
    #expect(try server.outputFrames().resetCodes(1) == [HTTP2ErrorCode.flowControlError])
    try expectAlive(server, stream: 3)
  }

  /// 20 × 16,000 bytes after the answer: three times the connection's window.
  @Test func lateBytesOfAnEarlyAnswerAreGivenBack() throws {
    let server = try greetedServer()
    server.onHeaders = { [unowned server] record, _ in server.respondWithHeadersOnly(record) }
    try server.receive(.request(1))
    let frames = try server.outputFrames()
    #expect(frames.resetCodes(1) == [HTTP2ErrorCode.noError])
    var given = 0
    for _ in 0..<20 {
      try server.receive(.data(1, [UInt8](repeating: 1, count: 16_000)))
      let frames = try server.outputFrames()
      #expect(frames.goAwayCodes.isEmpty)
      given += frames.filter { $0.kind == Frame.Kind.windowUpdate && $0.stream == 0 }
        .reduce(0) { $0 + Int($1.number(at: 0)) }
    }
    #expect(given > 20 * 16_000 - 100_000)
    server.onHeaders = { _, _ in }
    try expectAlive(server, stream: 3)
  }
}
