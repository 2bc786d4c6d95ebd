internal import Synchronization

/// What one candidate costs with one model: learned while serving, by any thread.
final class LearnedCost: Sendable {
  /// Picoseconds, so that a moving average of small costs does not stand still.
  private let picosecondsPerCandidate: Atomic<UInt64>

  init(nanosecondsPerCandidate: Double) {
    picosecondsPerCandidate = Atomic(UInt64(nanosecondsPerCandidate * 1_000))
  }

  /// Before anything is learned: what the walker takes for a tree of some tens of leaves.
  static func estimate(trees: Int) -> Double { 100 + 50 * Double(trees) }

  /// Estimated work of a batch, nanoseconds.
  func nanoseconds(candidates: Int) -> UInt64 {
    let cost = picosecondsPerCandidate.load(ordering: .relaxed)
    let (work, overflow) = cost.multipliedReportingOverflow(by: UInt64(candidates))
    return overflow ? .max : work / 1_000
  }

  /// How many candidates are about this much work: at least 1.
  func candidates(inNanoseconds nanoseconds: UInt64) -> Int {
    let cost = max(picosecondsPerCandidate.load(ordering: .relaxed), 1)
    return Int(max(nanoseconds * 1_000 / cost, 1))
  }

  /// An eighth of each sample goes in. Small batches say more of clocks than of models, and two
  /// threads that learn at once may lose one sample: neither matters.
  func learn(candidates: Int, nanoseconds: UInt64) {
    guard candidates >= 16 else { return }
    let sample = nanoseconds &* 1_000 / UInt64(candidates)
    let old = picosecondsPerCandidate.load(ordering: .relaxed)
    let new = old - old / 8 + sample / 8
    picosecondsPerCandidate.store(max(new, 1), ordering: .relaxed)
  }
}
