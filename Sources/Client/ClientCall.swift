internal import HTTP2

/// One call: what is still to be sent, and the answer so far.
final class ClientCall {
  var stream: Int32 = 0
  let body: [UInt8]
  var sentBytes = 0
  var response: UnaryResponse
  let deadlineNanoseconds: UInt64
  var isConcluded = false

  init(body: [UInt8], response: UnaryResponse, deadlineNanoseconds: UInt64) {
    self.body = body
    self.response = response
    self.deadlineNanoseconds = deadlineNanoseconds
  }

  /// What nghttp2 hands back; `ClientConnection.calls` keeps it alive.
  var address: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

  static func at(_ address: UnsafeMutableRawPointer) -> ClientCall {
    Unmanaged<ClientCall>.fromOpaque(address).takeUnretainedValue()
  }

  var isSent: Bool { sentBytes == body.count }

  func readBody(
    _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count = min(capacity, body.count - sentBytes)
    body.withUnsafeBytes { source in
      guard count > 0, let base = source.baseAddress else { return }
      buffer.copyMemory(from: base + sentBytes, byteCount: count)
    }
    sentBytes += count
    if isSent { end.pointee = HTTP2Body.endOfStream }
    return count
  }
}
