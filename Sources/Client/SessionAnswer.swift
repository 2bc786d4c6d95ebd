internal import Core
internal import Wire

/// The headers of the answer to `Session/Open`, and what they mean: proto/SESSION.md §2.
struct SessionAnswer {
  static let contentType = "application/x-crescendo-session"

  private var httpStatus: Int?
  private var hasContentType = false
  private(set) var grpcStatus: Int?
  private var grpcMessage = ""
  /// The session framing is spoken.
  private(set) var isSession = false

  mutating func header(_ name: ByteSlice, _ value: ByteSlice) {
    if name.equals(":status") {
      httpStatus = Int(value.text)
    } else if name.equals("content-type") {
      let type = value.text.prefix { $0 != ";" }
      hasContentType =
        type.lowercased().filter { $0 != " " && $0 != "\t" } == SessionAnswer.contentType
    } else if name.equals("grpc-status") {
      grpcStatus = Int(value.text) ?? -1
    } else if name.equals("grpc-message") {
      grpcMessage = ClientStatus.message(Array(value.bytes))
    }
  }

  /// The block that was told is one of trailers.
  mutating func takeTrailers() -> SessionAnswer {
    defer { (grpcStatus, grpcMessage) = (nil, "") }
    return self
  }

  /// The first block is there: why there is no session, or nil. Blocks of 1xx say nothing.
  mutating func refusal(endsStream: Bool) -> SessionFailure? {
    guard let status = httpStatus else {
      return SessionFailure(.unknown, "the answer has no HTTP status")
    }
    if status < 200 {
      self = SessionAnswer()
      return nil
    }
    if status == 200, hasContentType, !endsStream {
      isSession = true
      return nil
    }
    let isNotSpoken =
      status == 200
      ? !hasContentType
        && (grpcStatus == nil || grpcStatus == Int(StatusCode.unimplemented.rawValue))
      : [404, 405, 415, 501].contains(status)
    let code = grpcStatus.flatMap { StatusCode(rawValue: Int32(clamping: $0)) }
    if status == 200, let code, code != .ok {
      return SessionFailure(code, grpcMessage, isNotSpoken: isNotSpoken)
    }
    return SessionFailure(
      status == 200 ? .unimplemented : StatusMapping.code(httpStatus: status),
      "HTTP status \(status) instead of a session", isNotSpoken: isNotSpoken)
  }
}
