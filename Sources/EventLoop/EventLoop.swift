package import Core
package import Syscalls
internal import Synchronization

/// What a descriptor's events are handed to. It is the first field of its owner, whose address is
/// the token: `ready` gets that address.
package struct PollTarget {
  package var ready: @convention(c) (_ owner: UnsafeMutableRawPointer, _ readiness: UInt32) -> Void

  package init(ready: @convention(c) (UnsafeMutableRawPointer, UInt32) -> Void) {
    self.ready = ready
  }
}

/// Hooks of the one who owns what runs on a loop.
package struct LoopHooks {
  package var context: UnsafeMutableRawPointer?
  /// After all events and tasks of a turn: the place for one write per connection.
  package var turnEnded: @convention(c) (_ context: UnsafeMutableRawPointer?) -> Void
  /// A timer has come up.
  package var timerDue:
    @convention(c) (
      _ context: UnsafeMutableRawPointer?, _ token: UnsafeMutableRawPointer?,
      _ generation: UInt64
    ) -> Void

  package init(
    context: UnsafeMutableRawPointer?,
    turnEnded: @convention(c) (UnsafeMutableRawPointer?) -> Void,
    timerDue: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UInt64) -> Void
  ) {
    self.context = context
    self.turnEnded = turnEnded
    self.timerDue = timerDue
  }
}

/// One thread's loop: its own epoll, its own timers, and a mailbox that other threads post to.
///
/// A turn: wait; hand each event to its target; run what was posted; fire timers that are due;
/// then `turnEnded`. Everything but `post` and `stop` belongs to the loop's own thread.
package final class EventLoop: @unchecked Sendable {
  // Unchecked: `mailbox`, `wakeUp` and `isStopping` are made for many threads; the rest is touched
  // only by the thread inside `run`, or before it has started.
  package let index: Int
  package let clock: Clock
  /// Looks again at once instead of sleeping: an answer comes sooner by a wake-up, and a core is
  /// taken whole.
  private let isBusy: Bool
  private let epoll: Epoll
  private let wakeUp: WakeUp
  private let mailbox = Mailbox()
  private let isStopping = Atomic<Bool>(false)
  private var timers = TimerHeap()
  /// Turns so far: rises with each.
  package private(set) var turn: UInt64 = 0
  private var hooks: LoopHooks?
  /// The wake-up's own target; heap memory, because its address is a token.
  private let wakeTarget: UnsafeMutablePointer<WakeTarget>

  package init(index: Int, clock: Clock, isBusy: Bool = false) throws(SystemError) {
    self.isBusy = isBusy
    self.index = index
    self.clock = clock
    self.epoll = try Epoll()
    let wakeUp = try WakeUp()
    let wakeTarget = UnsafeMutablePointer<WakeTarget>.allocate(capacity: 1)
    wakeTarget.initialize(
      to: WakeTarget(target: PollTarget(ready: drainWakeUp), descriptor: wakeUp.descriptor))
    self.wakeTarget = wakeTarget
    do throws(SystemError) {
      try epoll.add(wakeUp.descriptor, .reading, token: UnsafeMutableRawPointer(wakeTarget))
    } catch {
      wakeTarget.deallocate()
      throw error
    }
    self.wakeUp = wakeUp
  }

  deinit {
    wakeTarget.deallocate()
  }

  package func setHooks(_ hooks: LoopHooks) {
    self.hooks = hooks
  }

  // MARK: Descriptors

  /// Watches a descriptor; `owner`'s first field is its `PollTarget`.
  package func watch(_ descriptor: Int32, _ interest: Readiness, owner: UnsafeMutableRawPointer)
    throws(SystemError)
  {
    try epoll.add(descriptor, interest, token: owner)
  }

  package func changeInterest(
    _ descriptor: Int32, _ interest: Readiness, owner: UnsafeMutableRawPointer
  ) throws(SystemError) {
    try epoll.modify(descriptor, interest, token: owner)
  }

  package func unwatch(_ descriptor: Int32) throws(SystemError) {
    try epoll.remove(descriptor)
  }

  // MARK: Timers and tasks

  package func schedule(_ entry: TimerEntry) {
    timers.insert(entry)
  }

  /// Runs `task` on the loop's thread, soon. From any thread.
  package func post(_ task: UnsafeMutablePointer<LoopTask>) {
    let link = UnsafeMutableRawPointer(task).assumingMemoryBound(to: MailboxLink.self)
    if mailbox.put(link) { wakeUp.signal() }
  }

  /// Ends `run` after the turn that is under way. From any thread.
  package func stop() {
    isStopping.store(true, ordering: .releasing)
    wakeUp.signal()
  }

  // MARK: The loop

  /// Runs until `stop`, on the calling thread.
  package func run() throws(SystemError) {
    while !isStopping.load(ordering: .acquiring) {
      let count = try epoll.wait(timeoutMilliseconds: isBusy ? 0 : waitMilliseconds())
      if isBusy, count == 0, mailbox.isEmpty, waitMilliseconds() != 0 {
        relaxCPU()
        continue
      }
      turn += 1
      for index in 0..<count {
        let (token, readiness) = epoll.event(index)
        guard let token else { continue }
        token.assumingMemoryBound(to: PollTarget.self).pointee.ready(token, readiness.rawValue)
      }
      runTasks()
      fireTimers()
      if let hooks { hooks.turnEnded(hooks.context) }
    }
  }

  private func waitMilliseconds() -> Int32 {
    guard let soonest = timers.soonestNanoseconds else { return -1 }
    let now = clock.monotonicNanoseconds()
    guard soonest > now else { return 0 }
    // Rounded up, so that it is never early; "no deadline" must not overflow on the way.
    return Int32(clamping: (soonest - now - 1) / 1_000_000 + 1)
  }

  /// Runs what was posted and not yet run: for the owner of a loop whose thread has ended.
  package func runTasks() {
    if mailbox.isEmpty { return }
    var next = mailbox.takeAll()
    while let link = next {
      // Read first: the task's memory is its owner's again as soon as it runs.
      next = link.pointee.next
      let task = UnsafeMutableRawPointer(link)
      task.assumingMemoryBound(to: LoopTask.self).pointee.run(task)
    }
  }

  private func fireTimers() {
    guard timers.count > 0, let hooks else { return }
    let now = clock.monotonicNanoseconds()
    while let due = timers.popDue(now: now) {
      hooks.timerDue(hooks.context, due.token, due.generation)
    }
  }
}

private struct WakeTarget {
  var target: PollTarget
  let descriptor: Int32
}

/// Waking the loop is all it is for (tasks are looked at every turn); unread, it would wake it
/// again and again.
private func drainWakeUp(_ owner: UnsafeMutableRawPointer, _ readiness: UInt32) {
  WakeUp.drain(owner.assumingMemoryBound(to: WakeTarget.self).pointee.descriptor)
}
