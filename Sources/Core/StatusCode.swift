/// The canonical gRPC status codes, with the numbers that go over the wire.
package enum StatusCode: Int32, Sendable, CaseIterable {
  case ok = 0
  case cancelled = 1
  case unknown = 2
  case invalidArgument = 3
  case deadlineExceeded = 4
  case notFound = 5
  case alreadyExists = 6
  case permissionDenied = 7
  case resourceExhausted = 8
  case failedPrecondition = 9
  case aborted = 10
  case outOfRange = 11
  case unimplemented = 12
  case internalError = 13
  case unavailable = 14
  case dataLoss = 15
  case unauthenticated = 16

  /// The name as gRPC writes it, for example `INVALID_ARGUMENT`.
  package var name: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "CANCELLED"
    case .unknown: "UNKNOWN"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists: "ALREADY_EXISTS"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .aborted: "ABORTED"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internalError: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .dataLoss: "DATA_LOSS"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}

/// Why one call failed, and nothing but that call: a code and a sentence that says what to do.
package struct CallFailure: Error, Sendable, Equatable {
  package var code: StatusCode
  package var message: String
  /// `grpc-retry-pushback-ms` (gRPC A6): milliseconds to wait before a retry, −1 = do not retry;
  /// nil = nothing is said.
  package var retryPushbackMilliseconds: Int32?
  /// The field of the request that is to be changed, as a path from the request message
  /// (`user_columns[0].name`); nil = not a matter of one field.
  package var field: String?
  /// Why it was turned away, where the code alone does not say it.
  package var refusal: RefusalReason?
  /// Of one message of several: it ends the whole call, for its framing is at fault.
  package var endsCall = false

  package init(
    _ code: StatusCode, _ message: String, field: String? = nil,
    retryPushbackMilliseconds: Int32? = nil, refusal: RefusalReason? = nil
  ) {
    self.code = code
    self.message = message
    self.field = field
    self.retryPushbackMilliseconds = retryPushbackMilliseconds
    self.refusal = refusal
  }

  /// What it counts as among refusals; nil = it is none.
  package var refusalReason: RefusalReason? {
    if let refusal { return refusal }
    switch code {
    case .deadlineExceeded: return .deadline
    case .resourceExhausted: return retryPushbackMilliseconds == -1 ? .tooLarge : .queueFull
    case .unavailable: return .draining
    default: return nil
    }
  }

  /// The same failure of a message that is the field `name` of another one.
  package func inside(_ name: StaticString) -> CallFailure {
    var outer = self
    if let field { outer.field = "\(name).\(field)" }
    return outer
  }
}
