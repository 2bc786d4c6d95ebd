package import Core

/// An exposure that was not settled by its report: `crescendo.v1.ExposureException`.
package struct ExposureException: BitwiseCopyable, Sendable, Equatable {
  package var sequence: UInt64
  /// Within its batch, from 0.
  package var index: UInt32
  package var outcome: ExposureOutcome

  package init(sequence: UInt64, index: UInt32, outcome: ExposureOutcome) {
    self.sequence = sequence
    self.index = index
    self.outcome = outcome
  }
}

/// `crescendo.v1.ReportExposuresResponse`.
package enum ReportExposuresResponseEncoder {
  /// Of one exception at its longest: its own head, a sequence, an index, an outcome.
  private static let exceptionBytes = 2 + 9 + 6 + 2

  /// Names the first `Limits.reportExceptions` of the exceptions and counts the rest, on top of
  /// `leftOut`, those that the caller did not keep.
  package static func encode(
    ackedThrough: UInt64, settled: Int, exceptions: [ExposureException],
    leftOut: Int = 0
  ) -> [UInt8] {
    let named = exceptions.prefix(Limits.reportExceptions)
    var writer = FieldWriter(capacity: 32 + named.count * exceptionBytes)
    writer.fixed64(1, ackedThrough)
    writer.number(2, UInt64(settled))
    for exception in named {
      writer.message(3) { inner in
        inner.fixed64(1, exception.sequence)
        inner.number(2, UInt64(exception.index))
        inner.number(3, UInt64(exception.outcome.rawValue))
      }
    }
    writer.number(4, UInt64(leftOut + exceptions.count - named.count))
    return writer.bytes
  }
}
