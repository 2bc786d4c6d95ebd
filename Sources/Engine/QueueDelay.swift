internal import Core

/// Controlled delay on a shard's queue: after Nichols and Jacobson's CoDel, as folly's executors
/// have it ("Fail at Scale", ACM Queue 13:8). Pure: time is an argument; one shard's own.
///
/// A queue that never was shorter than the target within an interval is no burst but an overload:
/// from then on what has waited longer than its caller's patience is shed, until the shortest wait
/// is below the target again. Patience is folly's twice the target, or a quarter of the time that
/// the caller gave, if that is more: who allows seconds would rather wait than be refused after
/// ten milliseconds. Batch callers have a sixteenth, and so are shed first: also when it is the
/// interactive jobs that they stand behind which are too many.
struct QueueDelay: BitwiseCopyable {
  private var intervalEnd: UInt64 = 0
  private var shortest = UInt64.max
  private(set) var isOverloaded = false

  /// As it was judged last, unless nothing has come for an interval since.
  func isOverloaded(now: UInt64) -> Bool {
    isOverloaded && now < intervalEnd + Limits.serving.queueDelayIntervalNanoseconds
  }

  /// Whether to shed a job that has waited this long, of a caller that allowed so much.
  /// `othersAreOverloaded`: the jobs that it stands behind.
  mutating func sheds(
    waitedNanoseconds: UInt64, allowedNanoseconds: UInt64, isBatch: Bool, now: UInt64,
    othersAreOverloaded: Bool = false
  ) -> Bool {
    shortest = min(shortest, waitedNanoseconds)
    if now >= intervalEnd {
      isOverloaded = intervalEnd > 0 && shortest > Limits.serving.queueDelayTargetNanoseconds
      intervalEnd = now + Limits.serving.queueDelayIntervalNanoseconds
      shortest = .max
    }
    guard isOverloaded || othersAreOverloaded else { return false }
    let patience =
      isBatch
      ? allowedNanoseconds / 16
      : max(2 * Limits.serving.queueDelayTargetNanoseconds, allowedNanoseconds / 4)
    return waitedNanoseconds > patience
  }
}
