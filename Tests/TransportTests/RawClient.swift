import Core
import HTTP2
import Syscalls

/// Why a test goes no further.
struct Stuck: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// One request and what came back for it.
final class Exchange {
  fileprivate(set) var id: Int32 = 0
  fileprivate(set) var blocks: [[String: String]] = []
  fileprivate(set) var body: [UInt8] = []
  fileprivate(set) var isEnded = false
  fileprivate(set) var closeCode: UInt32?
  /// Bodies of DATA frames that are still to be sent.
  fileprivate var frames: [[UInt8]]
  /// Of the first of them.
  fileprivate var sentBytes = 0
  fileprivate var endsBody: Bool
  fileprivate var block: [String: String] = [:]
  /// Received bytes whose window was not given back.
  fileprivate var unconsumed = 0

  fileprivate init(_ frames: [[UInt8]], endsBody: Bool) {
    self.frames = frames
    self.endsBody = endsBody
  }

  /// `:status 200`, one message, `grpc-status: 0`: the message, else nil.
  var message: [UInt8]? {
    guard isEnded, blocks.count == 2, body.count >= 5, body[0] == 0,
      blocks[0] == [":status": "200", "content-type": "application/grpc"],
      blocks[1] == ["grpc-status": "0"],
      body[1..<5].reduce(0, { $0 << 8 | Int($1) }) == body.count - 5
    else { return nil }
    return Array(body[5...])
  }

  /// The headers of an answer without a body, which ends with them; else nil.
  var trailersOnly: [String: String]? {
    isEnded && blocks.count == 1 && body.isEmpty ? blocks[0] : nil
  }

  fileprivate static func at(_ pointer: UnsafeMutableRawPointer) -> Exchange {
    Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
  }
}

/// A message behind its gRPC prefix.
func framed(_ message: [UInt8], flag: UInt8 = 0, length: Int? = nil) -> [UInt8] {
  let length = UInt32(length ?? message.count)
  return [flag] + withUnsafeBytes(of: length.bigEndian) { Array($0) } + message
}

/// A client whose every byte the test decides on: nghttp2's client side over a socket.
final class RawClient {
  private let descriptor: Int32
  private(set) var session: HTTP2Session!
  private var exchanges: [Exchange] = []
  private(set) var goAway: Int32?
  private(set) var isClosed = false
  /// Whether windows are given back as bytes come.
  var consumes = true
  private var readBuffer = [UInt8](repeating: 0, count: 64 << 10)

  /// How long a test waits for what must come, before it is called stuck.
  private static let patienceMilliseconds: Int32 = 20_000

  init(
    _ server: TestServer, streamWindowBytes: Int = 1 << 20, connectionWindowBytes: Int = 4 << 20
  ) throws {
    descriptor = try Sockets.connect(
      to: server.address, timeoutMilliseconds: RawClient.patienceMilliseconds)
    session = try HTTP2Session(
      .client, handlers: RawClient.handlers, context: Unmanaged.passUnretained(self).toOpaque(),
      limits: HTTP2Limits(
        concurrentStreams: 0, streamWindowBytes: streamWindowBytes,
        connectionWindowBytes: connectionWindowBytes, headerListBytes: 64 << 10, headerCount: 100),
      memory: nil)
  }

  deinit {
    close()
    session.destroy()
  }

  func close() {
    if !isClosed { Sockets.close(descriptor) }
    isClosed = true
  }

  // MARK: Requests

  /// Unless they say otherwise, calls have time enough on the slowest machine.
  static func headers(
    _ path: String, _ more: [(String, String)] = [], timeout: String? = "1H"
  ) -> [(String, String)] {
    let isGiven = more.contains { $0.0 == "grpc-timeout" }
    return [
      (":method", "POST"), (":scheme", "http"), (":path", "/test.Test/\(path)"),
      (":authority", "test"), ("te", "trailers"), ("content-type", "application/grpc"),
    ] + (isGiven ? [] : timeout.map { [("grpc-timeout", $0)] } ?? []) + more
  }

  /// Starts a request; nothing is written yet. Each of `frames` becomes one DATA frame (of at most
  /// 16 KiB); without `ends` more may follow by `send`.
  func start(_ headers: [(String, String)], frames: [[UInt8]], ends: Bool = true) throws
    -> Exchange
  {
    let exchange = Exchange(frames, endsBody: ends)
    exchanges.append(exchange)
    var memory: [UnsafeMutableRawBufferPointer] = []
    defer { for block in memory { block.deallocate() } }
    func slice(_ text: String) -> ByteSlice {
      let block = UnsafeMutableRawBufferPointer.allocate(
        byteCount: text.utf8.count, alignment: 1)
      block.copyBytes(from: text.utf8)
      memory.append(block)
      return ByteSlice(UnsafeRawBufferPointer(block))
    }
    exchange.id = try session.submitRequest(
      headers.map { HTTP2Header(slice($0.0), slice($0.1)) },
      stream: Unmanaged.passUnretained(exchange).toOpaque(),
      hasBody: !(frames.isEmpty && ends))
    return exchange
  }

  func start(_ path: String, _ message: [UInt8], more: [(String, String)] = []) throws -> Exchange {
    try start(RawClient.headers(path, more), frames: [framed(message)])
  }

  func send(_ exchange: Exchange, _ frames: [[UInt8]], ends: Bool) {
    exchange.frames += frames
    exchange.endsBody = ends
    session.resumeBody(exchange.id)
  }

  /// A whole call.
  func call(_ path: String, _ message: [UInt8], more: [(String, String)] = []) throws -> Exchange {
    let exchange = try start(path, message, more: more)
    try finish([exchange])
    return exchange
  }

  func state() throws -> LoopReport {
    guard let message = try call("State", []).message else { throw Stuck("no state") }
    return LoopReport(message)
  }

  /// Asks for the state until it is as it must become; what must come is not a matter of time,
  /// only of turns.
  func state(becomes isRight: (LoopReport) -> Bool) throws -> LoopReport {
    var state = try state()
    for _ in 0..<10_000 where !isRight(state) { state = try self.state() }
    guard isRight(state) else { throw Stuck("the state stays \(state)") }
    return state
  }

  // MARK: Bytes

  /// What the session has to say now.
  func output() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let slice = try session.nextOutput() { bytes.append(contentsOf: slice.bytes) }
    return bytes
  }

  func write(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let result = try bytes.withUnsafeBytes {
        try Sockets.write(
          descriptor, from: $0.baseAddress! + sent, count: bytes.count - sent)
      }
      if case .bytes(let count) = result {
        sent += count
      } else if try !Sockets.waitUntilReady(
        descriptor, .writing, timeoutMilliseconds: RawClient.patienceMilliseconds)
      {
        throw Stuck("the server takes no more bytes")
      }
    }
  }

  func flush() throws { try write(try output()) }

  /// Waits for bytes; false when the connection has ended instead.
  func readRaw() throws -> [UInt8]? {
    guard
      try Sockets.waitUntilReady(
        descriptor, .reading, timeoutMilliseconds: RawClient.patienceMilliseconds)
    else { throw Stuck("the server says nothing") }
    let result: TransferResult
    do {
      result = try readBuffer.withUnsafeMutableBytes {
        try Sockets.read(descriptor, into: $0.baseAddress!, capacity: $0.count)
      }
    } catch {
      return nil
    }
    guard case .bytes(let count) = result else { return nil }
    return Array(readBuffer[..<count])
  }

  /// Reads what there is, once.
  func read() throws {
    guard let bytes = try readRaw() else { return close() }
    try bytes.withUnsafeBytes { try session.receive($0.baseAddress!, count: $0.count) }
  }

  /// Writes and reads until `done`.
  func pump(_ what: String, until done: () -> Bool) throws {
    if !isClosed { try flush() }
    while !done() {
      guard !isClosed else { throw Stuck("the connection ended before: \(what)") }
      try read()
      if !isClosed { try flush() }
    }
  }

  func finish(_ exchanges: [Exchange]) throws {
    try pump("the answers") { exchanges.allSatisfy { $0.closeCode != nil } }
  }

  /// Gives back all windows that were kept.
  func consumeAll() {
    consumes = true
    for exchange in exchanges {
      session.consume(exchange.id, count: exchange.unconsumed)
      exchange.unconsumed = 0
    }
  }

  private static func at(_ context: UnsafeMutableRawPointer?) -> RawClient {
    Unmanaged<RawClient>.fromOpaque(context!).takeUnretainedValue()
  }

  private static let handlers = HTTP2Handlers(
    streamOpened: { _, _ in nil },
    header: { _, stream, name, nameCount, value, valueCount in
      Exchange.at(stream).block[ByteSlice(name, count: nameCount).text] =
        ByteSlice(value, count: valueCount).text
    },
    headersEnded: { _, stream, _ in
      let exchange = Exchange.at(stream)
      exchange.blocks.append(exchange.block)
      exchange.block = [:]
    },
    data: { context, stream, bytes, count in
      let (client, exchange) = (RawClient.at(context), Exchange.at(stream))
      exchange.body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
      if client.consumes {
        client.session.consume(exchange.id, count: count)
      } else {
        exchange.unconsumed += count
      }
    },
    streamEnded: { _, stream in Exchange.at(stream).isEnded = true },
    streamClosed: { _, stream, code in Exchange.at(stream).closeCode = code },
    readBody: { _, stream, buffer, capacity, end in
      let exchange = Exchange.at(stream)
      guard let frame = exchange.frames.first else {
        guard exchange.endsBody else { return HTTP2Body.deferred }
        end.pointee = HTTP2Body.endOfStream
        return 0
      }
      let count = min(capacity, frame.count - exchange.sentBytes)
      frame.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        buffer.copyMemory(from: base + exchange.sentBytes, byteCount: count)
      }
      exchange.sentBytes += count
      if exchange.sentBytes == frame.count {
        exchange.frames.removeFirst()
        exchange.sentBytes = 0
      }
      if exchange.frames.isEmpty, exchange.endsBody { end.pointee = HTTP2Body.endOfStream }
      return count
    },
    goAway: { context, lastStream, _ in RawClient.at(context).goAway = lastStream })
}
