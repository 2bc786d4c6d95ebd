internal import CCrescendoProto
internal import CProtobufC
package import Core

/// An exposure as a client reports it.
package struct ExposureMessage: Sendable, Equatable {
  /// Of its placement.
  package var token: [UInt8]
  /// Milliseconds since 1970; 0 = now.
  package var timeUnixMilliseconds: Int64
  package var goal: Bool

  package init(token: [UInt8], timeUnixMilliseconds: Int64 = 0, goal: Bool = false) {
    self.token = token
    self.timeUnixMilliseconds = timeUnixMilliseconds
    self.goal = goal
  }
}

/// A `crescendo.v1.ReportExposuresRequest` as a client builds it.
package struct ReportExposuresRequestMessage: Sendable, Equatable {
  package var sequence: UInt64
  /// At most `Limits.reportExposures`.
  package var exposures: [ExposureMessage]

  package init(sequence: UInt64, exposures: [ExposureMessage]) {
    self.sequence = sequence
    self.exposures = exposures
  }

  package func encoded() -> [UInt8] {
    var writer = FieldWriter()
    writer.fixed64(1, sequence)
    for exposure in exposures {
      writer.message(2) { inner in
        if !exposure.token.isEmpty { inner.element(1, exposure.token) }
        inner.fixed64(2, UInt64(bitPattern: exposure.timeUnixMilliseconds))
        inner.flag(3, exposure.goal)
      }
    }
    return writer.bytes
  }
}

/// A `crescendo.v1.ReportExposuresResponse` as it came.
package struct ReportExposuresResponseMessage: Sendable, Equatable {
  package struct Exception: Sendable, Equatable {
    package var sequence: UInt64
    /// Within its batch, from 0.
    package var index: UInt32
    /// The wire's number of an `ExposureOutcome`.
    package var outcome: Int32

    package init(sequence: UInt64, index: UInt32, outcome: Int32) {
      self.sequence = sequence
      self.index = index
      self.outcome = outcome
    }
  }

  /// Every batch up to this one is durable.
  package var ackedThrough: UInt64 = 0
  package var settled: UInt64 = 0
  package var exceptions: [Exception] = []
  package var exceptionsLeftOut: UInt64 = 0

  package init() {}

  /// INTERNAL when the bytes are no such message.
  package static func decoded(_ bytes: [UInt8]) throws(CallFailure)
    -> ReportExposuresResponseMessage
  {
    try withBoundedAllocator(messageBytes: bytes.count) { allocator throws(CallFailure) in
      guard
        let message = crescendo__v1__report_exposures_response__unpack(
          allocator, bytes.count, bytes)
      else { throw undecodable("crescendo.v1.ReportExposuresResponse") }
      defer { crescendo__v1__report_exposures_response__free_unpacked(message, allocator) }
      var response = ReportExposuresResponseMessage()
      response.ackedThrough = message.pointee.acked_through
      response.settled = message.pointee.settled
      for element in array(message.pointee.exceptions, message.pointee.n_exceptions) {
        guard let exception = element?.pointee else { continue }
        response.exceptions.append(
          Exception(
            sequence: exception.sequence, index: exception.index,
            outcome: Int32(bitPattern: exception.outcome.rawValue)))
      }
      response.exceptionsLeftOut = message.pointee.exceptions_left_out
      return response
    }
  }
}
