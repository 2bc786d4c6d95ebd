import Core
import HTTP2

/// An HTTP/2 server without I/O that answers each whole request as a script says.
final class ScriptedServer {
  struct Header {
    var name: String
    var value: String
    init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  final class Request {
    let id: Int32
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    var isEnded = false
    var resetCode: UInt32?
    fileprivate(set) var chunks: [[UInt8]] = []
    fileprivate var trailers: [Header]?
    /// More of the body may come.
    fileprivate var isEndless = false

    init(id: Int32) { self.id = id }
  }

  private(set) var session: HTTP2Session!
  private(set) var requests: [Int32: Request] = [:]
  private let script: (ScriptedServer, Request) -> Void
  /// The headers of a request are there.
  var opened: (ScriptedServer, Request) -> Void = { _, _ in }
  /// More of a request's body is there.
  var received: (ScriptedServer, Request) -> Void = { _, _ in }
  /// A stream is gone, with its code.
  var closed: (Request) -> Void = { _ in }

  init(
    concurrentStreams: Int = 100, streamWindowBytes: Int = 1 << 20,
    script: @escaping (ScriptedServer, Request) -> Void
  ) throws {
    self.script = script
    self.session = try HTTP2Session(
      .server, handlers: ScriptedServer.handlers,
      context: Unmanaged.passUnretained(self).toOpaque(),
      limits: HTTP2Limits(
        concurrentStreams: concurrentStreams, streamWindowBytes: streamWindowBytes,
        connectionWindowBytes: 1 << 20, headerListBytes: 8 << 10, headerCount: 100),
      memory: nil)
  }

  deinit { session.destroy() }

  /// A response with a body of these DATA frames; trailers nil = the stream ends on DATA.
  func respond(
    _ request: Request, headers: [Header] = ScriptedServer.gRPCHeaders, chunks: [[UInt8]],
    trailers: [Header]?
  ) {
    request.chunks = chunks
    request.trailers = trailers
    withNative(headers) { session.submitResponse(request.id, $0, endsStream: false) }
  }

  /// A response whose body comes piece by piece.
  func begin(_ request: Request, headers: [Header]) {
    request.isEndless = true
    withNative(headers) { session.submitResponse(request.id, $0, endsStream: false) }
  }

  /// More of such a body.
  func say(_ request: Request, _ bytes: [UInt8]) {
    request.chunks.append(bytes)
    session.resumeBody(request.id)
  }

  /// The end of such a body.
  func finish(_ request: Request, trailers: [Header] = ScriptedServer.okTrailers) {
    request.isEndless = false
    request.trailers = trailers
    session.resumeBody(request.id)
  }

  /// A response of one block.
  func respond(_ request: Request, only headers: [Header]) {
    withNative(headers) { session.submitResponse(request.id, $0, endsStream: true) }
  }

  static let gRPCHeaders = [Header(":status", "200"), Header("content-type", "application/grpc")]
  static let okTrailers = [Header("grpc-status", "0")]

  func receive(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      try session.receive(base, count: buffer.count)
    }
  }

  func output() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let slice = try session.nextOutput() { bytes.append(contentsOf: slice.bytes) }
    return bytes
  }

  private func withNative(_ headers: [Header], _ body: ([HTTP2Header]) -> Void) {
    let texts = headers.map { (Array($0.name.utf8), Array($0.value.utf8)) }
    var native: [HTTP2Header] = []
    var kept: [UnsafeMutableRawBufferPointer] = []
    for (name, value) in texts {
      let slices = [name, value].map { bytes in
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        copy.copyBytes(from: bytes)
        kept.append(copy)
        return ByteSlice(UnsafeRawBufferPointer(copy))
      }
      native.append(HTTP2Header(slices[0], slices[1]))
    }
    body(native)
    for copy in kept { copy.deallocate() }
  }

  private static func at(_ context: UnsafeMutableRawPointer?) -> ScriptedServer {
    Unmanaged<ScriptedServer>.fromOpaque(context!).takeUnretainedValue()
  }

  private static func request(_ stream: UnsafeMutableRawPointer) -> Request {
    Unmanaged<Request>.fromOpaque(stream).takeUnretainedValue()
  }

  private static let handlers = HTTP2Handlers(
    streamOpened: { context, id in
      let request = Request(id: id)
      ScriptedServer.at(context).requests[id] = request
      return Unmanaged.passUnretained(request).toOpaque()
    },
    header: { _, stream, name, nameCount, value, valueCount in
      ScriptedServer.request(stream).headers[ByteSlice(name, count: nameCount).text] =
        ByteSlice(value, count: valueCount).text
    },
    headersEnded: { context, stream, _ in
      let server = ScriptedServer.at(context)
      server.opened(server, ScriptedServer.request(stream))
    },
    data: { context, stream, bytes, count in
      let request = ScriptedServer.request(stream)
      request.body.append(contentsOf: ByteSlice(bytes, count: count).bytes)
      let server = ScriptedServer.at(context)
      server.session.consume(request.id, count: count)
      server.received(server, request)
    },
    streamEnded: { context, stream in
      let (server, request) = (ScriptedServer.at(context), ScriptedServer.request(stream))
      request.isEnded = true
      server.script(server, request)
    },
    streamClosed: { context, stream, errorCode in
      ScriptedServer.request(stream).resetCode = errorCode
      ScriptedServer.at(context).closed(ScriptedServer.request(stream))
    },
    readBody: { context, stream, buffer, capacity, end in
      ScriptedServer.at(context).readBody(ScriptedServer.request(stream), buffer, capacity, end)
    },
    goAway: { _, _, _ in })

  private func readBody(
    _ request: Request, _ buffer: UnsafeMutableRawPointer, _ capacity: Int,
    _ end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var count = 0
    if let chunk = request.chunks.first {
      count = min(capacity, chunk.count)
      buffer.copyMemory(from: chunk, byteCount: count)
      request.chunks[0].removeFirst(count)
      if request.chunks[0].isEmpty { request.chunks.removeFirst() }
    }
    guard request.chunks.isEmpty else { return count }
    if request.isEndless { return count > 0 ? count : HTTP2Body.deferred }
    if let trailers = request.trailers {
      withNative(trailers) { session.submitTrailers(request.id, $0) }
      end.pointee = HTTP2Body.trailersFollow
    } else {
      end.pointee = HTTP2Body.endOfStream
    }
    return count
  }
}
