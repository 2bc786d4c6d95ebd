internal import Core

/// After how long a second copy of a call is worth sending: a percentile of the method's latency,
/// learned while calling ("The Tail at Scale", Dean and Barroso 2013: a hedge behind the 95th
/// percentile costs at most 5 % more calls). One for each method.
///
/// A histogram with 16 buckets an octave, 736 bytes, whatever comes: an answer is at most a
/// sixteenth above the percentile, never below. Recent calls weigh more: all counts are halved
/// whenever `Limits.hedgeSamples` are together.
package struct HedgeDelay: Sendable {
  /// 2¹⁰ ns: finer than any delay that a timer keeps.
  private static let unitBits: UInt64 = 10
  /// 2³⁶ ns, 68 s: longer calls count as this long.
  package static let longestNanoseconds: UInt64 = 1 << 36
  private static let bucketCount = bucket(longestNanoseconds - 1) + 1

  private let percentileThousandths: Int
  private let range: ClosedRange<UInt64>
  private var counts: [UInt16]
  private var total = 0
  /// The bucket that the percentile falls into, and the samples in those below it.
  private var cursor = 0
  private var below = 0

  /// `percentile`: 0.001 to 0.999, in thousandths. The delay stays within the two bounds; the upper
  /// one is at most 68 s.
  package init(
    percentile: Double = 0.95, minNanoseconds: UInt64 = 1_000_000, maxNanoseconds: UInt64
  ) {
    percentileThousandths = Int((percentile * 1_000).rounded())
    precondition((1...999).contains(percentileThousandths))
    precondition(minNanoseconds <= maxNanoseconds)
    precondition(maxNanoseconds <= HedgeDelay.longestNanoseconds)
    range = minNanoseconds...maxNanoseconds
    counts = Array(repeating: 0, count: HedgeDelay.bucketCount)
  }

  /// Nil until `Limits.hedgeSamplesLeast` calls have told.
  package var nanoseconds: UInt64? {
    guard total >= Limits.hedgeSamplesLeast else { return nil }
    return min(max(HedgeDelay.upperEnd(cursor), range.lowerBound), range.upperBound)
  }

  /// An attempt ended after so long. Of one that was cancelled because another was faster, record
  /// the time until then: without it each hedge would pull the percentile down, and cause more.
  package mutating func record(latencyNanoseconds: UInt64) {
    let index = HedgeDelay.bucket(min(latencyNanoseconds, HedgeDelay.longestNanoseconds - 1))
    counts[index] += 1
    total += 1
    if index < cursor { below += 1 }
    if total == Limits.hedgeSamples { halve() }
    settle()
  }

  private mutating func halve() {
    total = 0
    for index in counts.indices {
      counts[index] /= 2
      total += Int(counts[index])
    }
    cursor = 0
    below = 0
  }

  /// Moves the cursor to the bucket of the sample whose rank is the percentile. One sample moves
  /// it by a bucket or two, and by all of them at the very most.
  private mutating func settle() {
    let rank = (total * percentileThousandths + 999) / 1_000
    while below >= rank {
      cursor -= 1
      below -= Int(counts[cursor])
    }
    while below + Int(counts[cursor]) < rank {
      below += Int(counts[cursor])
      cursor += 1
    }
  }

  /// Units below 16 have a bucket each; from there on an octave has 16.
  private static func bucket(_ nanoseconds: UInt64) -> Int {
    let units = nanoseconds >> unitBits
    guard units >= 16 else { return Int(units) }
    let octave = 63 - units.leadingZeroBitCount
    return (octave - 3) * 16 + Int(units >> UInt64(octave - 4) & 15)
  }

  /// The first duration that is longer than those of a bucket.
  private static func upperEnd(_ bucket: Int) -> UInt64 {
    guard bucket >= 16 else { return UInt64(bucket + 1) << unitBits }
    return UInt64(16 + bucket % 16 + 1) << (UInt64(bucket / 16 - 1) + unitBits)
  }
}
