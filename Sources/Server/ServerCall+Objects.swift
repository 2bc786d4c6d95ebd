internal import Core
internal import Transport

extension ServerCall {
  /// Holds an object for as long as the call, or until `release`.
  func retain(_ object: AnyObject) {
    attachment = Unmanaged.passRetained(object).toOpaque()
  }

  /// The object that the call holds.
  func attached<Object: AnyObject>(_ type: Object.Type) -> Object? {
    attachment.map { Unmanaged<Object>.fromOpaque($0).takeUnretainedValue() }
  }

  /// The call holds the object no more.
  func release(_ object: AnyObject) {
    guard attachment != nil else { return }
    attachment = nil
    Unmanaged.passUnretained(object).release()
  }

  /// Answers with a message that was built as an array: for calls that are not hot.
  func respond(_ message: [UInt8]) {
    do throws(CallFailure) {
      respond(try buffer(message), count: message.count)
    } catch {
      fail(error)
    }
  }

  /// Queues a message that was built as an array. `answering`: see `ServerCall.send`.
  func send(_ message: [UInt8], answering credit: Int64 = 0) throws(CallFailure) {
    send(try buffer(message), count: message.count, answering: credit)
  }

  private func buffer(_ message: [UInt8]) throws(CallFailure) -> UnsafeMutableRawPointer {
    let buffer = try takeBuffer(message.count)
    message.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { buffer.copyMemory(from: base, byteCount: bytes.count) }
    }
    return buffer
  }
}
