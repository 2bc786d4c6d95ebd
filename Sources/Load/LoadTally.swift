package import Core

/// What one call came to.
package struct CallRecord: Sendable {
  package var intendedNanoseconds: UInt64
  package var sentNanoseconds: UInt64
  package var endedNanoseconds: UInt64
  package var status: StatusCode
  /// Of an answer with status OK; `.unspecified` when it does not say.
  package var fidelity: Fidelity
  /// Of an answer with status OK: candidates that have no score.
  package var unscoredCandidates: Int
  /// The status is our own: nothing had come when the call was given up.
  package var isGivenUp: Bool

  package init(
    intendedNanoseconds: UInt64, sentNanoseconds: UInt64, endedNanoseconds: UInt64,
    status: StatusCode, fidelity: Fidelity = .unspecified, unscoredCandidates: Int = 0,
    isGivenUp: Bool = false
  ) {
    self.intendedNanoseconds = intendedNanoseconds
    self.sentNanoseconds = sentNanoseconds
    self.endedNanoseconds = endedNanoseconds
    self.status = status
    self.fidelity = fidelity
    self.unscoredCandidates = unscoredCandidates
    self.isGivenUp = isGivenUp
  }
}

/// The counters of a run over the calls that were meant to start in its window.
///
/// Every intended call is in `latency` and in `service` once, as infinite unless it was answered
/// OK; `intended` is the sum of the statuses and `missing`.
package struct LoadTally: Sendable {
  /// The instants that count, of a monotonic clock: warm-up lies before.
  package let window: Range<UInt64>
  private let timeoutNanoseconds: UInt64
  private var statuses = [Int](repeating: 0, count: StatusCode.allCases.count)
  private var fidelities = [Int](repeating: 0, count: Fidelity.allCases.count)
  package private(set) var intended = 0
  /// Calls that were never sent: there was no room for them before their deadline.
  package private(set) var missing = 0
  /// Calls that were given up without an answer, some time after their deadline.
  package private(set) var timedOut = 0
  /// Answers OK that came after the deadline, counted from the intended start.
  package private(set) var late = 0
  /// Answers OK that came by then.
  package private(set) var inTime = 0
  /// Calls that something came back for, whatever its status.
  package private(set) var answered = 0
  package private(set) var unscoredCandidates = 0
  /// From the intended start.
  package private(set) var latency = LatencyHistogram()
  /// From when the request was handed to the connection.
  package private(set) var service = LatencyHistogram()
  /// From the intended start to when the request was handed to the connection: calls that were
  /// sent.
  package private(set) var lag = LatencyHistogram()
  /// The part of `lag` that is the generator's own: from when the call could have been sent.
  package private(set) var ownLag = LatencyHistogram()
  /// Over time, warm-up included.
  package private(set) var series: LoadSeries

  package init(
    window: Range<UInt64>, timeoutNanoseconds: UInt64, warmUpNanoseconds: UInt64 = 0
  ) {
    self.window = window
    self.timeoutNanoseconds = timeoutNanoseconds
    series = LoadSeries(window: window, warmUpNanoseconds: warmUpNanoseconds)
  }

  package func count(_ status: StatusCode) -> Int { statuses[Int(status.rawValue)] }
  package func count(fidelity: Fidelity) -> Int { fidelities[Int(fidelity.rawValue)] }

  /// A call is handed to its connection; it could have been from `possibleNanoseconds` on.
  package mutating func noteSent(
    intendedNanoseconds: UInt64, possibleNanoseconds: UInt64, sentNanoseconds: UInt64
  ) {
    guard window.contains(intendedNanoseconds) else { return }
    lag.record(sentNanoseconds - min(sentNanoseconds, intendedNanoseconds))
    ownLag.record(sentNanoseconds - min(sentNanoseconds, possibleNanoseconds))
  }

  /// A call is over.
  package mutating func record(_ call: CallRecord) {
    let ended = call.endedNanoseconds
    let elapsed = ended - min(ended, call.intendedNanoseconds)
    series.record(call, isInTime: elapsed <= timeoutNanoseconds)
    guard window.contains(call.intendedNanoseconds) else { return }
    intended += 1
    statuses[Int(call.status.rawValue)] += 1
    if call.isGivenUp { timedOut += 1 } else { answered += 1 }
    guard call.status == .ok else {
      latency.recordInfinite()
      service.recordInfinite()
      return
    }
    fidelities[Int(call.fidelity.rawValue)] += 1
    unscoredCandidates += call.unscoredCandidates
    latency.record(elapsed)
    service.record(ended - min(ended, call.sentNanoseconds))
    if elapsed > timeoutNanoseconds { late += 1 } else { inTime += 1 }
  }

  /// A call will not be sent any more.
  package mutating func recordMissing(intendedNanoseconds: UInt64) {
    series.recordMissing(intendedNanoseconds: intendedNanoseconds)
    guard window.contains(intendedNanoseconds) else { return }
    intended += 1
    missing += 1
    latency.recordInfinite()
    service.recordInfinite()
  }
}
