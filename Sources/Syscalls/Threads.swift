internal import CLinux
internal import Glibc

/// Which cores a thread may run on.
package enum Affinity {
  /// Binds the calling thread to one core. False when the core is not allowed to this process.
  package static func pinCurrentThread(core: Int) -> Bool {
    crescendo_pin_current_thread(Int32(clamping: core)) == 0
  }

  /// Lets the calling thread run on every core of the process again.
  package static func unpinCurrentThread() {
    crescendo_unpin_current_thread()
  }

  /// Numbers of the cores that this process may run on, rising; never empty.
  package static func allowedCores() -> [Int] {
    var cores = [Int32](repeating: 0, count: 1_024)
    let count = crescendo_allowed_cores(&cores, Int32(cores.count))
    return count > 0 ? cores[0..<Int(count)].map { Int($0) } : [0]
  }
}

/// Sleep until a word of memory changes, within one process.
package enum Futex {
  /// Sleeps while `*word == expected`, until woken. May return early for no reason: look again.
  package static func wait(_ word: UnsafePointer<UInt32>, expected: UInt32) {
    crescendo_futex_wait(word, expected)
  }

  /// The same, for at most so long.
  package static func wait(_ word: UnsafePointer<UInt32>, expected: UInt32, nanoseconds: UInt64) {
    crescendo_futex_wait_for(word, expected, nanoseconds)
  }

  package static func wake(_ word: UnsafePointer<UInt32>, waiters: Int32) {
    crescendo_futex_wake(word, waiters)
  }
}

/// Tells the core that this is a spin loop.
@inline(__always)
package func relaxCPU() {
  crescendo_cpu_relax()
}

/// A thread of our own, joined by its owner.
package struct OwnedThread: ~Copyable {
  private let handle: pthread_t

  /// What a thread runs: boxed, because a C start routine carries one word.
  private final class Body {
    let name: String
    let run: @Sendable () -> Void
    init(name: String, _ run: @escaping @Sendable () -> Void) {
      self.name = name
      self.run = run
    }
  }

  /// Starts `body` on a new thread called `name` (cut to 15 bytes, Linux's own bound), which
  /// inherits the creator's affinity.
  package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    var handle = pthread_t()
    let box = Unmanaged.passRetained(Body(name: name, body))
    let error = pthread_create(&handle, nil, runThreadBody, box.toOpaque())
    guard error == 0 else {
      box.release()
      throw SystemError(call: "pthread_create", number: error, subject: name)
    }
    self.handle = handle
  }

  /// Waits until the thread has ended.
  package consuming func join() {
    pthread_join(handle, nil)
  }

  /// Lets the thread end by itself: nobody will wait for it.
  package consuming func detach() {
    pthread_detach(handle)
  }

  fileprivate static func run(_ context: UnsafeMutableRawPointer) {
    let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
    crescendo_name_current_thread(body.name)
    body.run()
  }
}

private func runThreadBody(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let context { OwnedThread.run(context) }
  return nil
}
