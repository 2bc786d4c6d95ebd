package import Core
internal import Synchronization
package import Syscalls

/// A thread with a mailbox, for work that pays by the group: whatever has come while it worked is
/// the next group. The longer a group takes, the larger the next one is.
package final class GroupThread: Sendable {
  private let state: State

  /// The thread, once it has been started; joined by `stop`.
  // Unsafe: written before others know of this object, and taken by the one that stops it.
  private nonisolated(unsafe) var thread: OwnedThread?

  /// What the thread itself holds.
  private final class State: Sendable {
    let mailbox = Mailbox()
    let isAsleep = Atomic<Bool>(false)
    let isStopping = Atomic<Bool>(false)
    /// Heap memory, because the kernel is given its address.
    // Unsafe: the pointer never changes, and what it points to is atomic.
    nonisolated(unsafe) let wakeUps: UnsafeMutablePointer<Atomic<UInt32>>

    init() {
      wakeUps = .allocate(capacity: 1)
      wakeUps.initialize(to: Atomic(0))
    }

    deinit {
      wakeUps.deinitialize(count: 1)
      wakeUps.deallocate()
    }

    private var word: UnsafePointer<UInt32> {
      UnsafePointer(UnsafeMutableRawPointer(wakeUps).assumingMemoryBound(to: UInt32.self))
    }

    func wake() {
      wakeUps.pointee.add(1, ordering: .sequentiallyConsistent)
      Futex.wake(word, waiters: 1)
    }

    func sleep(atMost nanoseconds: UInt64) {
      let seen = wakeUps.pointee.load(ordering: .sequentiallyConsistent)
      isAsleep.store(true, ordering: .sequentiallyConsistent)
      // Whoever puts something in after this look sees that the thread sleeps, and wakes it.
      if mailbox.isEmpty, !isStopping.load(ordering: .sequentiallyConsistent) {
        Futex.wait(word, expected: seen, nanoseconds: nanoseconds)
      }
      isAsleep.store(false, ordering: .sequentiallyConsistent)
    }
  }

  /// `work` is called on the thread, with everything that has come, oldest first and linked, or
  /// with nil: at least every `tickNanoseconds` while nothing comes, and a last time. It answers
  /// after how many nanoseconds it wants to be called if nothing comes; nil: after a tick.
  package init(
    name: String, tickNanoseconds: UInt64,
    work: @escaping @Sendable (_ group: UnsafeMutablePointer<MailboxLink>?) -> UInt64?
  ) throws(SystemError) {
    let state = State()
    self.state = state
    thread = try OwnedThread(name: name) {
      while true {
        // Looked at before the mailbox: what was put in before the stop is still worked on.
        let isStopping = state.isStopping.load(ordering: .sequentiallyConsistent)
        let group = state.mailbox.takeAll()
        let wait = work(group)
        if group != nil { continue }
        if isStopping { return }
        state.sleep(atMost: min(wait ?? .max, tickNanoseconds))
      }
    }
  }

  /// From any thread. The memory is the thread's until it has been worked on.
  package func put(_ link: UnsafeMutablePointer<MailboxLink>) {
    let wasEmpty = state.mailbox.put(link)
    if wasEmpty, state.isAsleep.load(ordering: .sequentiallyConsistent) { state.wake() }
  }

  /// Works on what has come, and returns when the thread has ended. Nothing may be put in after
  /// this began; called once.
  package func stop() {
    state.isStopping.store(true, ordering: .sequentiallyConsistent)
    state.wake()
    if let thread = thread.take() { thread.join() }
  }
}
