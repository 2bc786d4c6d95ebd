internal import Synchronization
internal import Syscalls

/// A value that one thread waits for and another one gives, once.
// Unchecked: the value is written before `isThere` is set, and read after.
package final class OneShot<Value>: @unchecked Sendable {
  private var value: Value?
  private let isThere: UnsafeMutablePointer<Atomic<UInt32>>

  package init() {
    isThere = .allocate(capacity: 1)
    isThere.initialize(to: Atomic(0))
  }

  deinit {
    isThere.deinitialize(count: 1)
    isThere.deallocate()
  }

  /// Called once.
  package func give(_ value: Value) {
    self.value = value
    let had = isThere.pointee.exchange(1, ordering: .releasing)
    precondition(had == 0, "given twice")
    Futex.wake(word, waiters: 1)
  }

  /// Blocks: for threads that have nothing else to do. Called once.
  package func wait() -> Value {
    while isThere.pointee.load(ordering: .acquiring) == 0 { Futex.wait(word, expected: 0) }
    guard let value else { preconditionFailure("taken before it was given") }
    return value
  }

  /// Blocks for at most so long; nil = it has not come.
  package func wait(milliseconds: UInt64) -> Value? {
    let end = monotonicNanoseconds() + milliseconds * 1_000_000
    while isThere.pointee.load(ordering: .acquiring) == 0 {
      let now = monotonicNanoseconds()
      guard now < end else { return nil }
      Futex.wait(word, expected: 0, nanoseconds: end - now)
    }
    return value
  }

  private var word: UnsafePointer<UInt32> {
    UnsafePointer(UnsafeMutableRawPointer(isThere).assumingMemoryBound(to: UInt32.self))
  }
}
