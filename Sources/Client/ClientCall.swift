internal import HTTP2

/// One call: what is still to be sent, and the answer so far.
///
/// A streamed call's `body` grows by messages until `isFinished`; what has gone is dropped.
final class ClientCall {
  var stream: Int32 = 0
  private var body: [UInt8]
  private var sentBytes = 0
  private var isFinished: Bool
  var response: CallResponse
  let deadlineNanoseconds: UInt64
  var isConcluded = false

  init(
    body: [UInt8], isFinished: Bool = true, response: CallResponse, deadlineNanoseconds: UInt64
  ) {
    self.body = body
    self.isFinished = isFinished
    self.response = response
    self.deadlineNanoseconds = deadlineNanoseconds
  }

  /// What nghttp2 hands back; `ClientConnection.calls` keeps it alive.
  var address: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

  static func at(_ address: UnsafeMutableRawPointer) -> ClientCall {
    Unmanaged<ClientCall>.fromOpaque(address).takeUnretainedValue()
  }

  var isSent: Bool { isFinished && sentBytes == body.count }

  func append(_ framed: [UInt8], isLast: Bool) {
    guard !isFinished else { return }
    body.removeFirst(sentBytes)
    sentBytes = 0
    body.append(contentsOf: framed)
    isFinished = isLast
  }

  func readBody(
    _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ end: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let count = min(capacity, body.count - sentBytes)
    body.withUnsafeBytes { source in
      guard count > 0, let base = source.baseAddress else { return }
      buffer.copyMemory(from: base + sentBytes, byteCount: count)
    }
    sentBytes += count
    if isSent {
      end.pointee = HTTP2Body.endOfStream
      return count
    }
    return count > 0 ? count : HTTP2Body.deferred
  }
}
