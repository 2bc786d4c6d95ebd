package import Core
internal import Synchronization

/// One scoring call in the engine: its plan, its slices, and how far they are.
///
/// The caller owns the memory (it is reused from call to call) and keeps it where it is from
/// `Engine.schedule` until the call is finished.
package struct ScoreCall {
  /// For the two below.
  package var owner: UnsafeMutableRawPointer?
  /// Called once, on the thread of the slice that ended last, if `run` answered false.
  package var completed: @convention(c) (_ owner: UnsafeMutableRawPointer?) -> Void
  /// A streamed call: called as each slice with candidates ends, on its thread, before `completed`
  /// or before `run` answers true. Its level is fixed when it starts, for scores of different
  /// prefixes do not compare; a slice that misses it answers NONE, DEADLINE. A slice that its shard
  /// had no room for answers NONE, OVERLOAD, from within `run`; if no shard had any, the call is
  /// refused and nothing is called.
  package var sliceCompleted:
    (@convention(c) (_ owner: UnsafeMutableRawPointer?, _ slice: Int) -> Void)?

  /// Monotonic, nanoseconds: when the engine stops working, so that the answer is in time.
  package var deadlineNanoseconds: UInt64 = .max
  /// Monotonic, nanoseconds: when the client stops waiting.
  package var clientDeadlineNanoseconds: UInt64 = .max
  /// Shed before others when there is too much to do.
  package var isBatch = false

  var plan: ScorePlan?
  var slices: UnsafeMutablePointer<ScoreSlice>?
  /// Slices that the call was cut into, set by `Engine.schedule`.
  package internal(set) var sliceCount = 0
  /// Its one slice runs on the thread that calls `run`; set by `Engine.schedule`.
  package internal(set) var executesInPlace = false
  var isCutByItem = false
  /// `Levels`: what every slice aims at.
  var targetLevel = 0
  /// The coarsest that still is an answer.
  var lowestLevel = 0
  /// What the answer is, once the call is finished.
  var answeredLevel = 0
  var answeredReason = Reason.ok
  /// Why the target is no better than it is.
  var targetReason = Reason.ok
  let control: UnsafeMutablePointer<CallControl>

  package init(completed: @convention(c) (UnsafeMutableRawPointer?) -> Void) {
    self.completed = completed
    control = .allocate(capacity: 1)
    control.initialize(to: CallControl())
  }

  /// Frees what is not in an arena.
  package func destroy() {
    control.deinitialize(count: 1)
    control.deallocate()
  }

  /// Nobody wants the answer any more: slices stop at their next look. From any thread.
  package func cancel() {
    control.pointee.stop(.cancelled)
  }

  /// What the clock said when the scores were there, where that is only just now: of a call that
  /// was scored in place. Nil elsewhere.
  package var endedInPlaceNanoseconds: UInt64? {
    executesInPlace ? slices?.pointee.endedNanoseconds : nil
  }

  /// The time that the answer is for; set by `Engine.plan`. Milliseconds since 1970.
  package var timeUnixMilliseconds: Int64 { plan?.timeUnixMilliseconds ?? 0 }

  /// Who the answer is for: the request's user, or the one of its URI; 0 = anonymous.
  package var userID: UInt64 { plan?.userID ?? 0 }

  /// Rows of the candidates in the snapshot, by position, −1 = unknown; complete once the call has
  /// finished. In the arena.
  package var rows: UnsafePointer<Int32>? { plan.map { UnsafePointer($0.rows) } }

  /// Candidates of a slice.
  package func candidateCount(ofSlice slice: Int) -> Int { slices?[slice].count ?? 0 }

  /// Positions of a slice's candidates; nil = all of the request's, in order.
  package func positions(ofSlice slice: Int) -> UnsafePointer<UInt32>? {
    slices?[slice].positions.map { UnsafePointer($0) }
  }

  /// Where all slices write, each at its own positions.
  package func setColumns(_ columns: ScoreColumns) {
    for slice in 0..<sliceCount {
      slices?[slice].columns = columns
      slices?[slice].writesByPosition = true
    }
  }

  /// Where one slice writes its candidates, one after the other.
  package func setColumns(_ columns: ScoreColumns, ofSlice slice: Int) {
    slices?[slice].columns = columns
    slices?[slice].writesByPosition = false
  }
}

/// What the slices of a call share.
struct CallControl: ~Copyable {
  /// Slices that have not ended, and one for whoever submits them.
  private let remaining = Atomic<Int>(0)
  /// Why the call stops, as `CallStop.rawValue`; 0 = it goes on. The first reason stays.
  private let stopped = Atomic<UInt8>(0)
  /// The coarsest level that a slice has fallen back to, and why, in one word so that they belong
  /// together: 256 × level + `Reason.rawValue`, or the largest number.
  private let missed = Atomic<Int>(.max)

  /// A new call; what stopped the one before it is forgotten.
  func begin() {
    stopped.store(0, ordering: .relaxed)
    missed.store(.max, ordering: .relaxed)
  }

  func expect(slices: Int) {
    remaining.store(slices + 1, ordering: .relaxed)
  }

  func stop(_ reason: CallStop) {
    _ = stopped.compareExchange(
      expected: 0, desired: reason.rawValue, ordering: .relaxed)
  }

  var stopReason: CallStop? { CallStop(rawValue: stopped.load(ordering: .relaxed)) }

  /// A slice got no further than this.
  func lower(to reached: Int, because reason: Reason) {
    // Signed, for the minimum of unsigned atomics is a signed one in Swift 6.3.
    missed.min(reached << 8 | Int(reason.rawValue), ordering: .relaxed)
  }

  /// The result of the slice that got least far, if any has missed the target.
  var miss: SliceResult? {
    let word = missed.load(ordering: .relaxed)
    guard word != .max else { return nil }
    return SliceResult(
      level: word >> 8, reason: Reason(rawValue: UInt8(truncatingIfNeeded: word)) ?? .deadline)
  }

  /// One slice, or the submitter, is done; true for the last.
  func leave() -> Bool {
    remaining.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
  }
}

/// Why a call ends without an answer.
enum CallStop: UInt8 {
  case cancelled = 1
  case deadline = 2
  case queueFull = 3
  case shed = 4
}

/// What a finished call came to.
package struct ScoreOutcome: Equatable, Sendable {
  /// Candidates that the snapshot does not know.
  package var unknown: Int
  /// Of all others.
  package var fidelity: Fidelity
  /// Explains the fidelity.
  package var reason: Reason
  package var treesUsed: Int
  /// The longest wait of a slice in its shard's queue.
  package var queueNanoseconds: UInt64
  /// The longest time that a slice was worked on.
  package var scoreNanoseconds: UInt64
}

extension ScoreOutcome {
  /// What a slice adds.
  mutating func add(_ slice: ScoreSlice?) {
    guard let slice else { return }
    unknown += slice.unknown
    queueNanoseconds = max(queueNanoseconds, slice.queueNanoseconds)
    scoreNanoseconds = max(scoreNanoseconds, slice.scoreNanoseconds)
  }
}
