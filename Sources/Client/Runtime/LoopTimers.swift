internal import Core
internal import EventLoop

/// Timers of one loop that can be taken back: closures, each run once. Loop-confined.
///
/// The loop's own heap holds one wake-up at a time; entries that were taken back leave this heap
/// when they come up, or when they are most of it.
final class LoopTimers {
  typealias ID = UInt64

  private unowned let loop: EventLoop
  private var heap = TimerHeap()
  private var bodies: [ID: (deadline: UInt64, run: () -> Void)] = [:]
  private var lastID: ID = 0
  private var armedNanoseconds = UInt64.max

  /// Entries that were taken back and may stay beside as many that were not.
  private static let slack = 256

  init(_ loop: EventLoop) {
    self.loop = loop
  }

  var count: Int { bodies.count }

  /// Runs `body` at `deadlineNanoseconds` or soon after.
  func at(_ deadlineNanoseconds: UInt64, _ body: @escaping () -> Void) -> ID {
    lastID += 1
    bodies[lastID] = (deadlineNanoseconds, body)
    heap.insert(
      TimerEntry(deadlineNanoseconds: deadlineNanoseconds, token: nil, generation: lastID))
    arm()
    return lastID
  }

  /// Runs `body` this long from now.
  func after(_ nanoseconds: UInt64, _ body: @escaping () -> Void) -> ID {
    let (sum, overflow) = loop.clock.monotonicNanoseconds()
      .addingReportingOverflow(nanoseconds)
    return at(overflow ? distantFutureNanoseconds : sum, body)
  }

  /// Takes a timer back; of one that has run, nothing happens.
  func cancel(_ id: ID?) {
    guard let id, bodies.removeValue(forKey: id) != nil else { return }
    guard heap.count > 2 * bodies.count + LoopTimers.slack else { return }
    heap = TimerHeap()
    for (id, body) in bodies {
      heap.insert(
        TimerEntry(deadlineNanoseconds: body.deadline, token: nil, generation: id))
    }
  }

  /// The loop's wake-up has come.
  func fire() {
    armedNanoseconds = .max
    let now = loop.clock.monotonicNanoseconds()
    while let due = heap.popDue(now: now) {
      bodies.removeValue(forKey: due.generation)?.run()
    }
    arm()
  }

  private func arm() {
    guard let soonest = heap.soonestNanoseconds, soonest < armedNanoseconds else { return }
    armedNanoseconds = soonest
    loop.schedule(TimerEntry(deadlineNanoseconds: soonest, token: nil, generation: 0))
  }
}
