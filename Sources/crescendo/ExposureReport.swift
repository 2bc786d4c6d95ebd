import Core
import Wire

/// Exposures on their way: what is not acknowledged, and what became of the rest.
struct ExposureReport: OutcomeReport {
  struct Batch: Equatable {
    var message: ReportExposuresRequestMessage
    /// Of the file, one per exposure.
    var lines: [Int]
  }

  /// An exposure that nobody pays for.
  struct Exception: Equatable {
    var line: Int
    var outcome: String
  }

  /// Not acknowledged, by sequence; all of them are sent again after a break.
  private(set) var pending: [Batch] = []
  private var nextSequence: UInt64 = 1

  private(set) var exposureCount = 0
  private(set) var settled: UInt64 = 0
  /// Exceptions by outcome, named or not.
  private(set) var counts: [Int32: Int] = [:]
  /// Exceptions of which the server did not say which they are.
  private(set) var unnamed: UInt64 = 0
  /// The first that are not paid, for people.
  private(set) var exceptions: [Exception] = []
  var resent = 0

  /// Exceptions that are kept: a screen full, several times over.
  static let exceptionsKept = 100

  /// Numbers the batch.
  mutating func add(_ exposures: [ExposureMessage], lines: [Int]) -> Batch {
    let batch = Batch(
      message: ReportExposuresRequestMessage(sequence: nextSequence, exposures: exposures),
      lines: lines)
    nextSequence += 1
    exposureCount += exposures.count
    pending.append(batch)
    return batch
  }

  /// Takes an acknowledgement. INTERNAL when it is for batches that are not on their way, or when
  /// its numbers are not those of the batches.
  mutating func take(_ answer: ReportExposuresResponseMessage) throws(CallFailure) {
    let last = nextSequence - 1
    guard answer.ackedThrough <= last else {
      throw CallFailure(
        .internalError, "batch \(answer.ackedThrough) is acknowledged, and \(last) was the last")
    }
    let acked = pending.prefix { $0.message.sequence <= answer.ackedThrough }
    let sent = acked.reduce(0) { $0 + UInt64($1.lines.count) }
    let told = answer.settled.addingReportingOverflow(UInt64(answer.exceptions.count))
    let all = told.partialValue.addingReportingOverflow(answer.exceptionsLeftOut)
    guard !told.overflow, !all.overflow, all.partialValue == sent else {
      throw CallFailure(
        .internalError,
        "an answer tells of \(all.partialValue) exposures, and acknowledges \(sent)")
    }
    for exception in answer.exceptions {
      guard let batch = acked.first(where: { $0.message.sequence == exception.sequence }),
        batch.lines.indices.contains(Int(exception.index))
      else {
        throw CallFailure(
          .internalError,
          "exposure \(exception.index) of batch \(exception.sequence) is not acknowledged")
      }
      counts[exception.outcome, default: 0] += 1
      if exceptions.count < ExposureReport.exceptionsKept,
        !ExposureReport.paid.contains(exception.outcome)
      {
        exceptions.append(
          Exception(
            line: batch.lines[Int(exception.index)],
            outcome: ScoreVocabulary.exposureOutcomeName(exception.outcome)))
      }
    }
    settled += answer.settled
    unnamed += answer.exceptionsLeftOut
    pending.removeFirst(acked.count)
  }

  func count(_ outcome: ExposureOutcome) -> Int { counts[Int32(outcome.rawValue)] ?? 0 }

  /// By an earlier report, or late.
  private static let paid = [ExposureOutcome.duplicate, .goalAdded, .settledLate].map {
    Int32($0.rawValue)
  }

  /// Every exposure is paid for, by this report or by an earlier one.
  var isPaid: Bool {
    unnamed == 0 && counts.keys.allSatisfy { ExposureReport.paid.contains($0) }
  }

  var numbers: [(key: String, value: String)] {
    let outcomes: [ExposureOutcome] = [
      .duplicate, .goalAdded, .settledLate, .unpaid, .forged, .expired, .unknownReservation,
      .invalidTime,
    ]
    var numbers = [("exposures", "\(exposureCount)"), ("settled", "\(settled)")]
    for outcome in outcomes {
      let name = ScoreVocabulary.exposureOutcomeName(Int32(outcome.rawValue)).lowercased()
      numbers.append((name, "\(count(outcome))"))
    }
    numbers += [
      ("unnamed", "\(unnamed)"), ("unacknowledged", "\(unacknowledged)"), ("resent", "\(resent)"),
    ]
    return numbers.map { (key: $0.0, value: $0.1) }
  }

  private var unacknowledged: Int { pending.reduce(0) { $0 + $1.lines.count } }

  var exceptionLines: [(text: String, object: String)] {
    exceptions.map {
      let fields = [("line", "\($0.line)"), ("outcome", JSONText.string($0.outcome))]
      return ("line \($0.line): \($0.outcome)", JSONText.object(fields))
    }
  }
}
