package import Core
package import Syscalls

/// One name and value beside a message, either way. Values of `-bin` names are base64, as they
/// go over the wire.
package struct MetadataEntry: Sendable, Equatable {
  package var name: String
  package var value: String

  package init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// What a unary call that went well came to.
package struct UnaryAnswer: Sendable, Equatable {
  /// The one message, without framing.
  package var message: [UInt8]
  package var headers: [MetadataEntry]
  package var trailers: [MetadataEntry]
}

/// A call that ended with a status other than OK, whoever gave it.
package struct FailedCall: Error, Sendable, Equatable {
  package enum Origin: Sendable, Equatable {
    /// `grpc-status` and `grpc-message` of the server.
    case server
    /// What the connection or HTTP told instead of a status, mapped to one.
    case connection
    /// This side: its deadline, its limits, an answer that it cannot read.
    case client
  }

  package var failure: CallFailure
  package var origin: Origin
  package var trailers: [MetadataEntry]

  package init(_ failure: CallFailure, origin: Origin, trailers: [MetadataEntry] = []) {
    self.failure = failure
    self.origin = origin
    self.trailers = trailers
  }
}

package enum ClientError: Error, Sendable, Equatable {
  /// No connection could be made.
  case unreachable(SystemError)
  /// Nothing was sent, because this cannot be said on the wire; the text says what.
  case invalidRequest(String)
  case failed(FailedCall)
}

package typealias UnaryOutcome = Result<UnaryAnswer, FailedCall>
