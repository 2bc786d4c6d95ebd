internal import Core
internal import Synchronization

/// One `Score` in the engine: its plan, its slices, and how far they are.
///
/// The caller owns the memory (it is reused from call to call) and keeps it where it is from
/// `Engine.start` until the call is finished.
package struct ScoreCall {
  /// For `completed`.
  package var owner: UnsafeMutableRawPointer?
  /// Called once, on the thread of the slice that ended last, if `start` answered false.
  package var completed: @convention(c) (_ owner: UnsafeMutableRawPointer?) -> Void
  /// Monotonic, nanoseconds: after it nobody waits for the answer.
  package var deadlineNanoseconds: UInt64 = .max
  package var columns: ScoreColumns?

  var plan: ScorePlan?
  var slices: UnsafeMutablePointer<ScoreSlice>?
  var sliceCount = 0
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

  /// The time that the answer is for; set by `start`. Milliseconds since 1970.
  package var timeUnixMilliseconds: Int64 { plan?.timeUnixMilliseconds ?? 0 }
}

/// What the slices of a call share.
struct CallControl: ~Copyable {
  /// Slices that have not ended, and one for whoever submits them.
  let remaining = Atomic<Int>(0)
  /// Why the call stops, as `CallStop.rawValue`; 0 = it goes on. The first reason stays.
  private let stopped = Atomic<UInt8>(0)

  func reset(slices: Int) {
    remaining.store(slices + 1, ordering: .relaxed)
    stopped.store(0, ordering: .relaxed)
  }

  func stop(_ reason: CallStop) {
    _ = stopped.compareExchange(
      expected: 0, desired: reason.rawValue, ordering: .relaxed)
  }

  var stopReason: CallStop? { CallStop(rawValue: stopped.load(ordering: .relaxed)) }

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
}
