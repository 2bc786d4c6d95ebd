internal import Synchronization

/// Something to do on a loop's thread: an intrusive node, so that posting allocates nothing.
/// The poster owns the memory and keeps it where it is until `run` has been called.
package struct LoopTask {
  fileprivate(set) var next: UnsafeMutablePointer<LoopTask>?
  /// Runs on the loop's thread with the address of this task.
  package var run: @convention(c) (_ task: UnsafeMutableRawPointer) -> Void
  /// Whatever `run` needs.
  package var context: UnsafeMutableRawPointer?

  package init(
    run: @convention(c) (UnsafeMutableRawPointer) -> Void, context: UnsafeMutableRawPointer?
  ) {
    self.next = nil
    self.run = run
    self.context = context
  }
}

/// Many threads put tasks in, one takes them all out, in the order in which they came.
///
/// A stack of nodes linked by compare-and-exchange (Treiber), reversed by the taker. Only the
/// thread that finds it empty has to wake the taker: one wake-up for any number of tasks. Its
/// length is bounded by what posts: one task per call in flight and per accepted connection.
struct TaskMailbox: ~Copyable {
  private let head = Atomic<UInt>(0)

  /// Whether the taker must be woken.
  func put(_ task: UnsafeMutablePointer<LoopTask>) -> Bool {
    var seen = head.load(ordering: .relaxed)
    while true {
      task.pointee.next = UnsafeMutablePointer(bitPattern: seen)
      let (exchanged, original) = head.weakCompareExchange(
        expected: seen, desired: UInt(bitPattern: task), ordering: .acquiringAndReleasing)
      if exchanged { return seen == 0 }
      seen = original
    }
  }

  var isEmpty: Bool { head.load(ordering: .relaxed) == 0 }

  /// Everything that is in it, oldest first, linked by `next`.
  func takeAll() -> UnsafeMutablePointer<LoopTask>? {
    var newest = UnsafeMutablePointer<LoopTask>(
      bitPattern: head.exchange(0, ordering: .acquiringAndReleasing))
    var oldest: UnsafeMutablePointer<LoopTask>?
    while let task = newest {
      newest = task.pointee.next
      task.pointee.next = oldest
      oldest = task
    }
    return oldest
  }
}
