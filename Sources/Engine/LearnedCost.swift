internal import Core
internal import Synchronization

/// What one candidate costs with one model at each of its levels: learned while serving, by any
/// thread. Two threads that learn at once may lose one sample, which does not matter.
final class LearnedCost: Sendable {
  /// Picoseconds for the whole model, so that a moving average of small costs does not stand still.
  private let fullPicoseconds: Atomic<UInt64>
  /// Picoseconds for the prior.
  private let priorPicoseconds: Atomic<UInt64>
  /// Cost of levels 1, 2 and 3 in 65,536ths of the whole model's: batches that are scored whole
  /// teach all levels that way.
  private let share1: Atomic<UInt32>
  private let share2: Atomic<UInt32>
  private let share3: Atomic<UInt32>
  private let fullLevel: Int
  /// A batch has taught the trees' cost since the last doubt.
  private let isConfirmed = Atomic<Bool>(true)
  private let doubtedNanoseconds = Atomic<UInt64>(0)

  private static let shareUnit = 65_536.0
  /// Rows by id, row assembly, the transform.
  private static let candidateNanoseconds = 100.0
  /// A tree of some tens of leaves, walked.
  private static let treeNanoseconds = 50.0
  private static let priorNanoseconds = 40.0
  /// From where a sample is let in whole: small numbers must be able to grow.
  private static let leastPicoseconds: UInt64 = 10_000

  init(_ levels: Levels) {
    func cost(_ trees: Int) -> Double {
      LearnedCost.candidateNanoseconds + LearnedCost.treeNanoseconds * Double(trees)
    }
    let full = cost(levels.treeCount(levels.full))
    func share(_ level: Int) -> UInt32 {
      level < levels.full
        ? UInt32(LearnedCost.shareUnit * cost(levels.treeCount(level)) / full)
        : UInt32(LearnedCost.shareUnit)
    }
    fullPicoseconds = Atomic(UInt64(full * 1_000))
    priorPicoseconds = Atomic(UInt64(LearnedCost.priorNanoseconds * 1_000))
    share1 = Atomic(share(1))
    share2 = Atomic(share(2))
    share3 = Atomic(share(3))
    fullLevel = levels.full
  }

  private func share(_ level: Int) -> UInt64 {
    switch level {
    case 1: UInt64(share1.load(ordering: .relaxed))
    case 2: UInt64(share2.load(ordering: .relaxed))
    default: UInt64(share3.load(ordering: .relaxed))
    }
  }

  /// Picoseconds of one candidate at a level.
  func picoseconds(_ level: Int) -> UInt64 {
    if level == Levels.prior { return priorPicoseconds.load(ordering: .relaxed) }
    let full = fullPicoseconds.load(ordering: .relaxed)
    if level == fullLevel { return full }
    let (high, low) = full.multipliedFullWidth(by: share(level))
    return high >> 16 != 0 ? .max : high << 48 | low >> 16
  }

  /// Estimated work of a batch at a level, nanoseconds.
  func nanoseconds(candidates: Int, level: Int) -> UInt64 {
    let (work, overflow) = picoseconds(level).multipliedReportingOverflow(by: UInt64(candidates))
    return overflow ? .max : work / 1_000
  }

  /// How many candidates are about this much work at a level: at least 1.
  func candidates(inNanoseconds nanoseconds: UInt64, level: Int) -> Int {
    let (scaled, overflow) = nanoseconds.multipliedReportingOverflow(by: 1_000)
    return Int(clamping: max((overflow ? .max : scaled) / max(picoseconds(level), 1), 1))
  }

  /// A batch reached a level in this time. Small batches say more of clocks than of models.
  func learn(level: Int, candidates: Int, nanoseconds: UInt64) {
    guard candidates >= 16 else { return }
    let (scaled, overflow) = nanoseconds.multipliedReportingOverflow(by: 1_000)
    let sample = (overflow ? .max : scaled) / UInt64(candidates)
    if level == Levels.prior { return learn(priorPicoseconds, sample) }
    isConfirmed.store(true, ordering: .relaxed)
    if level == fullLevel { return learn(fullPicoseconds, sample) }
    let (whole, tooMuch) = sample.multipliedReportingOverflow(by: 65_536)
    learn(fullPicoseconds, tooMuch ? .max : whole / max(share(level), 1))
  }

  /// A batch passed a lower level after `part` of the `whole` time that the full model took.
  func learnShare(level: Int, part: UInt64, whole: UInt64) {
    guard level > Levels.prior, level < fullLevel, whole > 0, part <= whole else { return }
    let sample = UInt32(LearnedCost.shareUnit * Double(part) / Double(whole))
    switch level {
    case 1: learn(share1, sample)
    case 2: learn(share2, sample)
    default: learn(share3, sample)
    }
  }

  /// No level with trees fits into a call's time. If that has been so for a while, the estimate
  /// comes down by an eighth: what is never tried is never learned, and an estimate made while the
  /// machine was busy would else stand for ever.
  func doubt(now: UInt64) {
    if isConfirmed.exchange(false, ordering: .relaxed) {
      return doubtedNanoseconds.store(now, ordering: .relaxed)
    }
    let last = doubtedNanoseconds.load(ordering: .relaxed)
    guard now >= last, now - last >= Limits.serving.costDoubtNanoseconds,
      doubtedNanoseconds.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
    else { return }
    let old = fullPicoseconds.load(ordering: .relaxed)
    fullPicoseconds.store(max(old - old / 8, 1), ordering: .relaxed)
  }

  /// An eighth of each sample goes in, and no more than four times the estimate: a thread that is
  /// put to sleep in the middle of a batch says nothing of the model.
  private func learn(_ cell: borrowing Atomic<UInt64>, _ sample: UInt64) {
    let old = cell.load(ordering: .relaxed)
    let (most, overflow) = max(old, LearnedCost.leastPicoseconds)
      .multipliedReportingOverflow(by: 4)
    let sample = overflow ? sample : min(sample, most)
    cell.store(max(old - old / 8 + sample / 8, 1), ordering: .relaxed)
  }

  private func learn(_ cell: borrowing Atomic<UInt32>, _ sample: UInt32) {
    let old = cell.load(ordering: .relaxed)
    cell.store(max(old - old / 8 + sample / 8, 1), ordering: .relaxed)
  }
}
