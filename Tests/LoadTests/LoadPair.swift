import Client
import Core
import HTTP2
import Wire

@testable import Load

/// Frames of a server, by hand: HPACK without a table.
enum Frame {
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

  static func data(_ stream: UInt32, _ bytes: [UInt8], ends: Bool = false) -> [UInt8] {
    frame(0, ends ? 1 : 0, stream, bytes)
  }

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

final class LoadPair {
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
