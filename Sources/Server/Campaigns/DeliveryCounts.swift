internal import Core
internal import Synchronization
internal import Wire

/// What became of reported exposures since the start, whoever counts.
final class DeliveryCounts: Sendable {
  /// By `ExposureOutcome`.
  private let outcomes: [Count] = (0...Int(ExposureOutcome.allCases.map(\.rawValue).max() ?? 0))
    .map { _ in Count() }

  final class Count: Sendable {
    let value = Atomic<UInt64>(0)
  }

  func add(_ exceptions: [ExposureException], settled: Int) {
    add(.settled, UInt64(settled))
    for exception in exceptions { add(exception.outcome, 1) }
  }

  private func add(_ outcome: ExposureOutcome, _ count: UInt64) {
    outcomes[Int(outcome.rawValue)].value.add(count, ordering: .relaxed)
  }

  /// By `ExposureOutcome`.
  var all: [UInt64] { outcomes.map { $0.value.load(ordering: .relaxed) } }
}
