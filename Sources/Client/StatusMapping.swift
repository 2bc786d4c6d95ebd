package import Core
internal import HTTP2

/// What stands for a gRPC status that never came: the tables of `http-grpc-status-mapping.md` and
/// of `PROTOCOL-HTTP2.md`, "Errors".
package enum StatusMapping {
  /// Only for answers without `grpc-status`.
  package static func code(httpStatus: Int) -> StatusCode {
    switch httpStatus {
    case 400, 431: .internalError
    case 401: .unauthenticated
    case 403: .permissionDenied
    case 404: .unimplemented
    case 429, 502, 503, 504: .unavailable
    default: .unknown
    }
  }

  package static func code(resetCode: UInt32) -> StatusCode {
    switch resetCode {
    case HTTP2ErrorCode.refusedStream: .unavailable
    case HTTP2ErrorCode.cancel: .cancelled
    case HTTP2ErrorCode.enhanceYourCalm: .resourceExhausted
    case HTTP2ErrorCode.inadequateSecurity: .permissionDenied
    default: .internalError
    }
  }

  /// Says who did it only as far as it is known: a malformed answer is reset from this side.
  package static func text(resetCode: UInt32) -> String {
    "the call was reset: \(name(resetCode: resetCode))"
  }

  /// The RFC's name of an HTTP/2 error code (RFC 9113 §7).
  package static func name(resetCode: UInt32) -> String {
    let names = [
      "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
      "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
      "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]
    return resetCode < names.count ? names[Int(resetCode)] : "error \(resetCode)"
  }
}
