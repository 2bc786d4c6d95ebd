internal import Core

/// How many candidates are scored between two looks at the clock, so that a look comes every
/// `ServingLimits.blockNanoseconds`.
///
/// The learned cost is only where it begins, and it begins with an eighth: a cost that is several
/// times too low (`LearnedCost.doubt` brings it there) would else run as many times past the
/// deadline. From the first block on it goes by what blocks really take.
struct BlockPace: BitwiseCopyable {
  private(set) var candidates: Int

  init(_ cost: LearnedCost, _ level: Int) {
    let estimated = cost.candidates(inNanoseconds: Limits.serving.blockNanoseconds, level: level)
    candidates = max(estimated / 8, 1)
  }

  /// A block of so many candidates ended at `now`. A block that was long makes the next one short
  /// at once; the other way it goes by doubling.
  mutating func took(_ now: UInt64, since began: UInt64, candidates done: Int) {
    let nanoseconds = Double(max(now - min(now, began), 1))
    let fitting = Double(done) * Double(Limits.serving.blockNanoseconds) / nanoseconds
    candidates = max(Int(min(Double(2 * candidates), fitting)), 1)
  }

  /// Each candidate will cost up to twice as much from now on.
  mutating func halve() {
    candidates = max(candidates / 2, 1)
  }
}
