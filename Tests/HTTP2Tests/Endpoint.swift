import Core
import HTTP2
import Testing

/// What one stream has told its owner.
final class StreamRecord {
  fileprivate(set) var id: Int32
  fileprivate(set) var headers: [String] = []
  fileprivate(set) var blocks: [UInt32] = []
  fileprivate(set) var body: [UInt8] = []
  fileprivate(set) var ends = 0
  fileprivate(set) var closedWith: [UInt32] = []
  fileprivate var unconsumed = 0

  /// What its body sends; nil: nothing now, `resumeBody` follows.
  fileprivate var chunks: [[UInt8]] = []
  fileprivate var isFinished = true
  fileprivate var trailers: [HTTP2Header]?
  fileprivate var fails = false
  fileprivate(set) var deferrals = 0

  fileprivate init(id: Int32) { self.id = id }
}

/// One side of a connection in memory, with all that its handlers were told.
final class Endpoint {
  enum Consuming { case atOnce, onClose, afterClose, never }

  private(set) var session: HTTP2Session!
  private(set) var streams: [Int32: StreamRecord] = [:]
  private(set) var order: [Int32] = []
  private(set) var goAways: [(last: Int32, code: UInt32)] = []
  private var all: [StreamRecord] = []
  private var dead: [StreamRecord] = []
  private var isDestroyed = false

  var consuming = Consuming.atOnce
  /// Streams that the owner does not want.
  var refuses: (Int32) -> Bool = { _ in false }
  var onHeaders: (StreamRecord, UInt32) -> Void = { _, _ in }
  var onEnd: (StreamRecord) -> Void = { _ in }

  static let limits = HTTP2Limits(
    concurrentStreams: 100, streamWindowBytes: 40_000, connectionWindowBytes: 100_000,
    headerListBytes: 8 << 10, headerCount: 100)

  init(
    _ role: HTTP2Session.Role, limits: HTTP2Limits = Endpoint.limits, memory: HTTP2Memory? = nil
  ) throws {
    session = try HTTP2Session(
      role, handlers: Endpoint.handlers, context: Unmanaged.passUnretained(self).toOpaque(),
      limits: limits, memory: memory)
  }

  deinit { destroy() }

  func destroy() {
    if !isDestroyed { session.destroy() }
    isDestroyed = true
  }

  // MARK: Bytes

  func receive(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      try session.receive(base, count: buffer.count)
    }
    for record in dead { consume(record) }
    dead = []
  }

  func receive(_ frames: Frame...) throws { try receive(frames.flatMap(\.bytes)) }

  func output() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let slice = try session.nextOutput() { bytes.append(contentsOf: slice.bytes) }
    return bytes
  }

  func outputFrames() throws -> [Frame] { try #require(Frame.parse(try output())) }

  /// Gives back what a stream has not consumed yet.
  func consume(_ record: StreamRecord) {
    session.consume(record.id, count: record.unconsumed)
    record.unconsumed = 0
  }

  func consume(_ record: StreamRecord, count: Int) {
    session.consume(record.id, count: count)
    record.unconsumed -= count
  }

  // MARK: Sending

  func request(
    _ extra: [HTTP2Header] = [], body: [[UInt8]]? = nil, isFinished: Bool = true
  ) throws -> StreamRecord {
    let record = StreamRecord(id: 0)
    all.append(record)
    record.chunks = body ?? []
    record.isFinished = isFinished
    record.id = try session.submitRequest(
      [
        HTTP2Header(":method", "POST"), HTTP2Header(":scheme", "http"),
        HTTP2Header(":path", "/test.Service/Call"), HTTP2Header(":authority", "test"),
      ] + extra, stream: Unmanaged.passUnretained(record).toOpaque(), hasBody: body != nil)
    streams[record.id] = record
    return record
  }

  func respond(
    _ record: StreamRecord, chunks: [[UInt8]], isFinished: Bool = true,
    trailers: [HTTP2Header]? = nil
  ) {
    record.chunks = chunks
    record.isFinished = isFinished
    record.trailers = trailers
    session.submitResponse(record.id, [HTTP2Header(":status", "200")], endsStream: false)
  }

  func respondWithHeadersOnly(_ record: StreamRecord) {
    session.submitResponse(record.id, [HTTP2Header(":status", "200")], endsStream: true)
  }

  func send(_ record: StreamRecord, _ chunk: [UInt8], isFinished: Bool) {
    record.chunks.append(chunk)
    record.isFinished = isFinished
    session.resumeBody(record.id)
  }

  func failBody(_ record: StreamRecord) {
    record.fails = true
    session.resumeBody(record.id)
  }

  // MARK: Handlers

  private static func at(_ context: UnsafeMutableRawPointer?) -> Endpoint {
    Unmanaged<Endpoint>.fromOpaque(context!).takeUnretainedValue()
  }

  private static func record(_ stream: UnsafeMutableRawPointer) -> StreamRecord {
    Unmanaged<StreamRecord>.fromOpaque(stream).takeUnretainedValue()
  }

  private func opened(_ id: Int32) -> UnsafeMutableRawPointer? {
    if refuses(id) { return nil }
    let record = StreamRecord(id: id)
    all.append(record)
    streams[id] = record
    order.append(id)
    return Unmanaged.passUnretained(record).toOpaque()
  }

  private func received(_ record: StreamRecord, _ bytes: ByteSlice) {
    #expect(record.closedWith.isEmpty)
    record.body.append(contentsOf: bytes.bytes)
    record.unconsumed += bytes.count
    if consuming == .atOnce { consume(record) }
  }

  private func closed(_ record: StreamRecord, _ errorCode: UInt32) {
    record.closedWith.append(errorCode)
    if consuming == .onClose { consume(record) }
    if consuming == .afterClose { dead.append(record) }
  }

  private func readBody(
    _ record: StreamRecord, _ buffer: UnsafeMutableRawPointer, _ capacity: Int,
    _ end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    if record.fails { return HTTP2Body.failed }
    var count = 0
    if let chunk = record.chunks.first {
      count = min(capacity, chunk.count)
      buffer.copyMemory(from: chunk, byteCount: count)
      record.chunks[0].removeFirst(count)
      if record.chunks[0].isEmpty { record.chunks.removeFirst() }
    } else if !record.isFinished {
      record.deferrals += 1
      return HTTP2Body.deferred
    }
    guard record.chunks.isEmpty && record.isFinished else { return count }
    if let trailers = record.trailers {
      session.submitTrailers(record.id, trailers)
      end.pointee = HTTP2Body.trailersFollow
    } else {
      end.pointee = HTTP2Body.endOfStream
    }
    return count
  }

  private static let handlers = HTTP2Handlers(
    streamOpened: { Endpoint.at($0).opened($1) },
    header: { _, stream, name, nameCount, value, valueCount in
      let (name, value) = (ByteSlice(name, count: nameCount), ByteSlice(value, count: valueCount))
      Endpoint.record(stream).headers.append("\(name.text): \(value.text)")
    },
    headersEnded: { context, stream, flags in
      Endpoint.record(stream).blocks.append(flags)
      Endpoint.at(context).onHeaders(Endpoint.record(stream), flags)
    },
    data: { context, stream, bytes, count in
      Endpoint.at(context).received(Endpoint.record(stream), ByteSlice(bytes, count: count))
    },
    streamEnded: { context, stream in
      Endpoint.record(stream).ends += 1
      Endpoint.at(context).onEnd(Endpoint.record(stream))
    },
    streamClosed: { Endpoint.at($0).closed(Endpoint.record($1), $2) },
    readBody: { Endpoint.at($0).readBody(Endpoint.record($1), $2, $3, $4) },
    goAway: { Endpoint.at($0).goAways.append(($1, $2)) })
}

/// Moves bytes between both sides until both are quiet.
func exchange(_ client: Endpoint, _ server: Endpoint) throws {
  while true {
    let up = try client.output()
    try server.receive(up)
    let down = try server.output()
    try client.receive(down)
    if up.isEmpty && down.isEmpty { return }
  }
}

/// A server to which a client by hand has said hello, and which has been answered.
func greetedServer(
  limits: HTTP2Limits = Endpoint.limits, memory: HTTP2Memory? = nil
) throws -> Endpoint {
  let server = try Endpoint(.server, limits: limits, memory: memory)
  try server.receive(clientPreface + Frame.settings.bytes)
  _ = try server.output()
  try server.receive(.settingsAcknowledged)
  return server
}

/// Whether the connection still takes a request and answers it.
func expectAlive(_ server: Endpoint, stream: Int32, _ why: Comment = "") throws {
  server.onEnd = { [unowned server] in server.respondWithHeadersOnly($0) }
  try server.receive(.request(stream, endsStream: true))
  let frames = try server.outputFrames()
  #expect(server.streams[stream]?.blocks == [HTTP2BlockFlags.endOfStream], why)
  #expect(!frames.contains { $0.kind == Frame.Kind.goAway }, why)
  #expect(frames.contains { $0.kind == Frame.Kind.headers && $0.stream == stream }, why)
}

extension [Frame] {
  /// Error codes of the GOAWAYs in it.
  var goAwayCodes: [UInt32] {
    filter { $0.kind == Frame.Kind.goAway }.map { $0.number(at: 4) }
  }

  /// Error codes of the RST_STREAMs of one stream.
  func resetCodes(_ stream: Int32) -> [UInt32] {
    filter { $0.kind == Frame.Kind.reset && $0.stream == stream }.map { $0.number(at: 0) }
  }
}
