internal import Core

/// Why a call failed.
public struct RPCError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The canonical gRPC status codes but OK, with the numbers that go over the wire.
  public enum Code: Int32, Sendable, CaseIterable {
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

    /// The name as gRPC writes it, for example `DEADLINE_EXCEEDED`.
    public var name: String { StatusCode(self).name }
  }

  /// Who gave the status.
  public enum Origin: Sendable, Equatable {
    /// The server itself.
    case server
    /// The connection, or what stands between: no status came.
    case connection
    /// This client: its deadline, its bounds, its throttle, or an answer that it cannot read.
    case client
  }

  /// What a server says about trying again (gRPC A6).
  public enum Pushback: Sendable, Equatable {
    /// Not before this long from now.
    case wait(Duration)
    /// Not at all.
    case doNotRetry
  }

  /// The status of gRPC.
  public var code: Code
  /// A sentence for people: what happened, and what to do where that is known.
  public var message: String
  /// Who says so.
  public var origin: Origin
  /// Nil = the server says nothing about it.
  public var pushback: Pushback?
  /// A serialized `google.rpc.Status` with what the server says beyond code and message; may be
  /// empty.
  public var details: [UInt8]

  /// For tests and fallbacks of your own; the client makes all others.
  public init(
    _ code: Code, _ message: String, origin: Origin = .client, pushback: Pushback? = nil,
    details: [UInt8] = []
  ) {
    self.code = code
    self.message = message
    self.origin = origin
    self.pushback = pushback
    self.details = details
  }

  /// `UNAVAILABLE: no connection to 127.0.0.1:7001`
  public var description: String { "\(code.name): \(message)" }

  /// Whether the server could not answer, rather than did not want to: such a call is tried again
  /// where that is allowed, and given to the caller's fallback at last.
  public var isAvailability: Bool {
    switch code {
    case .unavailable, .deadlineExceeded, .resourceExhausted: true
    default: false
    }
  }
}

extension StatusCode {
  init(_ code: RPCError.Code) {
    self = StatusCode(rawValue: code.rawValue) ?? .unknown
  }
}

extension RPCError.Code {
  /// Of a failure: OK is none, and reads as UNKNOWN.
  init(_ code: StatusCode) {
    self = RPCError.Code(rawValue: code.rawValue) ?? .unknown
  }
}
