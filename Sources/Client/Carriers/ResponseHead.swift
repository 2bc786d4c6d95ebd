package import Core
internal import HTTP2
internal import Wire

/// Headers and trailers of one gRPC answer as they come in, and the status that they say.
///
/// Blocks of 1xx are skipped; a first block that ends the stream is Trailers-Only.
struct ResponseHead {
  private struct Block {
    var httpStatus: Int?
    var contentType: [UInt8] = []
    var grpcStatus: [UInt8]?
    var grpcMessage: [UInt8] = []
    var metadata: [MetadataEntry] = []
  }

  private var current = Block()
  private var head: Block?
  private var trailers: Block?

  mutating func header(_ name: ByteSlice, _ untrimmed: ByteSlice) {
    // The session lets blanks around a value through.
    let value = untrimmed.trimmed
    if name.equals(":status") {
      current.httpStatus = Int(value.text)
    } else if name.equals("content-type") {
      current.contentType = Array(value.bytes)
    } else if name.equals("grpc-status") {
      current.grpcStatus = Array(value.bytes)
    } else if name.equals("grpc-message") {
      current.grpcMessage = Array(value.bytes)
    } else {
      current.metadata.append(MetadataEntry(name.text, value.text))
    }
  }

  /// A failure when the block could not be taken.
  mutating func headersEnded(isTooLarge: Bool) -> FailedCall? {
    let block = current
    current = Block()
    if isTooLarge {
      return failed(
        .resourceExhausted, "the answer's headers or trailers are too large", .client)
    }
    if let status = block.httpStatus, status < 200 { return nil }
    if head == nil { head = block } else { trailers = block }
    return nil
  }

  var isGRPC: Bool {
    guard let head, head.httpStatus == 200 else { return false }
    return head.contentType.withUnsafeBytes { GRPCContentType.isGRPC(ByteSlice($0)) }
  }

  var headers: [MetadataEntry] { head?.metadata ?? [] }
  var trailingMetadata: [MetadataEntry] { trailers?.metadata ?? [] }

  /// What the answer came to when the server has ended its half; nil = OK.
  func failure(bodyIsEmpty: Bool) -> FailedCall? {
    // A status in the first block counts only where nothing but that block came.
    guard let last = trailers ?? (bodyIsEmpty ? head : nil), let value = last.grpcStatus else {
      return withoutStatus
    }
    let text = ClientStatus.message(last.grpcMessage)
    guard let code = ClientStatus.code(value) else {
      let shown = String(decoding: value.prefix(16), as: UTF8.self)
      return failed(.unknown, "grpc-status is \"\(shown)\", not a known code: \(text)", .connection)
    }
    guard code == .ok else {
      let pushback = last.metadata.first { $0.name == "grpc-retry-pushback-ms" }
      let failure = CallFailure(
        code, text,
        // What cannot be read means the same as a negative number (A6): do not retry.
        retryPushbackMilliseconds: pushback.map { max(Int32($0.value) ?? -1, -1) })
      return FailedCall(failure, origin: .server, trailers: last.metadata)
    }
    return isGRPC ? nil : withoutStatus
  }

  /// The stream is gone before it ended.
  func reset(errorCode: UInt32, deadlineHasPassed: Bool) -> FailedCall {
    if errorCode == HTTP2ErrorCode.cancel, deadlineHasPassed {
      return failed(.deadlineExceeded, "the server gave up at the deadline", .connection)
    }
    return failed(
      StatusMapping.code(resetCode: errorCode),
      StatusMapping.text(resetCode: errorCode), .connection)
  }

  var withoutStatus: FailedCall {
    guard let head, let status = head.httpStatus else {
      return failed(.unknown, "the answer has no HTTP status", .connection)
    }
    if isGRPC { return failed(.unknown, "the answer ends without grpc-status", .connection) }
    let type = String(decoding: head.contentType.prefix(64), as: UTF8.self)
    return failed(
      StatusMapping.code(httpStatus: status),
      "HTTP status \(status) with content-type \"\(type)\" instead of a gRPC answer", .connection)
  }

  func failed(_ code: StatusCode, _ text: String, _ origin: FailedCall.Origin) -> FailedCall {
    FailedCall(CallFailure(code, text), origin: origin)
  }
}

extension ByteSlice {
  /// Without the blanks around it.
  package var trimmed: ByteSlice {
    let isBlank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    guard let first = bytes.firstIndex(where: { !isBlank($0) }),
      let last = bytes.lastIndex(where: { !isBlank($0) })
    else { return .empty }
    return ByteSlice(UnsafeRawBufferPointer(rebasing: bytes[first...last]))
  }
}
