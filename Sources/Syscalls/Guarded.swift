internal import Glibc

/// A value that threads look at in turn, behind the C library's lock.
///
/// Not Swift's own `Mutex`: that one waits inside the runtime, where a thread sanitizer sees no
/// order, so that every use of what it guards is reported as a race and a true race among them is
/// overlooked.
// Unchecked: the value is only touched while the lock is held.
package struct Guarded<Value>: ~Copyable, @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let value: UnsafeMutablePointer<Value>

  package init(_ initial: consuming sending Value) {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    let error = pthread_mutex_init(mutex, nil)
    precondition(error == 0, "no lock: \(error)")
    value = .allocate(capacity: 1)
    value.initialize(to: initial)
  }

  deinit {
    value.deinitialize(count: 1)
    value.deallocate()
    pthread_mutex_destroy(mutex)
    mutex.deinitialize(count: 1)
    mutex.deallocate()
  }

  /// Waits for its turn. Not from within itself: a thread that holds the lock would wait for ever.
  package borrowing func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    let error = pthread_mutex_lock(mutex)
    precondition(error == 0, "the lock is broken: \(error)")
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value.pointee)
  }

  /// Does nothing and is nil when another thread has the lock now.
  package borrowing func withLockIfAvailable<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result? {
    guard pthread_mutex_trylock(mutex) == 0 else { return nil }
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value.pointee)
  }
}
