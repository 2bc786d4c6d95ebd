/// HTTP/2 frames by hand, for what no well-behaved session would send (RFC 9113).
struct Frame: Equatable, CustomStringConvertible {
  enum Kind {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
  }

  /// END_STREAM on DATA and HEADERS, ACK on SETTINGS and PING.
  static let end: UInt8 = 1
  static let endHeaders: UInt8 = 4
  static let padded: UInt8 = 8

  var kind: UInt8
  var flags: UInt8 = 0
  var stream: Int32 = 0
  var payload: [UInt8] = []

  var bytes: [UInt8] {
    Frame.number(payload.count, 3) + [kind, flags] + Frame.number(Int(stream), 4) + payload
  }

  /// The 32-bit number at `offset` of the payload.
  func number(at offset: Int) -> UInt32 {
    payload[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  var description: String { "kind \(kind) flags \(flags) stream \(stream) (\(payload.count))" }

  static func number(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - $0))) }
  }

  /// All frames of an output; nil when it does not end with one.
  static func parse(_ bytes: [UInt8]) -> [Frame]? {
    var (frames, rest) = ([Frame](), bytes[...])
    if rest.starts(with: clientPreface) { rest = rest.dropFirst(clientPreface.count) }
    while !rest.isEmpty {
      guard rest.count >= 9 else { return nil }
      let head = Array(rest.prefix(9))
      let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
      guard rest.count >= 9 + count else { return nil }
      let stream = head[5...8].reduce(Int32(0)) { $0 << 8 | Int32($1) }
      rest = rest.dropFirst(9)
      frames.append(
        Frame(kind: head[3], flags: head[4], stream: stream, payload: Array(rest.prefix(count))))
      rest = rest.dropFirst(count)
    }
    return frames
  }
}

let clientPreface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

extension Frame {
  static let settings = Frame(kind: Kind.settings)
  static let settingsAcknowledged = Frame(kind: Kind.settings, flags: end)
  static let ping = Frame(kind: Kind.ping, payload: [1, 2, 3, 4, 5, 6, 7, 8])

  static func headers(_ stream: Int32, _ block: [UInt8], endsStream: Bool = false) -> Frame {
    Frame(
      kind: Kind.headers, flags: endHeaders | (endsStream ? end : 0), stream: stream,
      payload: block)
  }

  static func request(_ stream: Int32, endsStream: Bool = false) -> Frame {
    headers(stream, HPACK.request, endsStream: endsStream)
  }

  static func data(_ stream: Int32, _ payload: [UInt8], endsStream: Bool = false) -> Frame {
    Frame(kind: Kind.data, flags: endsStream ? end : 0, stream: stream, payload: payload)
  }

  static func reset(_ stream: Int32, _ errorCode: Int) -> Frame {
    Frame(kind: Kind.reset, stream: stream, payload: number(errorCode, 4))
  }

  static func windowUpdate(_ stream: Int32, _ increment: Int) -> Frame {
    Frame(kind: Kind.windowUpdate, stream: stream, payload: number(increment, 4))
  }
}

/// Header blocks of literals that leave the table alone (RFC 7541 §6.2.2).
enum HPACK {
  static func literal(_ name: String, _ value: String) -> [UInt8] {
    [0] + text(name) + text(value)
  }

  static func block(_ headers: [(String, String)]) -> [UInt8] {
    headers.flatMap { literal($0.0, $0.1) }
  }

  static func text(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    return integer(bytes.count) + bytes
  }

  /// With a prefix of seven bits, no Huffman coding.
  static func integer(_ value: Int) -> [UInt8] {
    if value < 127 { return [UInt8(value)] }
    var (rest, bytes) = (value - 127, [UInt8(127)])
    while rest >= 128 {
      bytes.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  static let requestFields = [
    (":method", "POST"), (":scheme", "http"), (":path", "/test.Service/Call"),
    (":authority", "test"),
  ]
  static let request = block(requestFields)
  static let trailers = block([("checksum", "1")])
  /// Names, values and 32 bytes each.
  static let requestListBytes = requestFields.reduce(0) { $0 + $1.0.count + $1.1.count + 32 }
}
