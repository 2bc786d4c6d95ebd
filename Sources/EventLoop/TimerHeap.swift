/// One pending timer: an instant, and what it is for.
package struct TimerEntry: BitwiseCopyable {
  /// Monotonic, nanoseconds.
  package var deadlineNanoseconds: UInt64
  package var token: UnsafeMutableRawPointer?
  /// Told back with the token, so that its owner can see that the token has a new tenant since.
  package var generation: UInt64

  package init(deadlineNanoseconds: UInt64, token: UnsafeMutableRawPointer?, generation: UInt64) {
    self.deadlineNanoseconds = deadlineNanoseconds
    self.token = token
    self.generation = generation
  }
}

/// Timers, soonest first: a binary heap. Nothing is cancelled: an entry whose owner has moved on
/// is recognised by its generation when it comes up. Pure: time is an argument.
package struct TimerHeap {
  private var entries: [TimerEntry] = []

  package init() {}

  package var count: Int { entries.count }
  package var soonestNanoseconds: UInt64? { entries.first?.deadlineNanoseconds }

  package mutating func insert(_ entry: TimerEntry) {
    entries.append(entry)
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard isSooner(child, parent) else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  /// Takes the soonest entry if its time has come.
  package mutating func popDue(now: UInt64) -> TimerEntry? {
    guard let first = entries.first, first.deadlineNanoseconds <= now else { return nil }
    let last = entries.removeLast()
    if entries.isEmpty { return first }
    entries[0] = last
    var parent = 0
    while true {
      var soonest = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && isSooner(child, soonest) {
        soonest = child
      }
      if soonest == parent { return first }
      entries.swapAt(parent, soonest)
      parent = soonest
    }
  }

  private func isSooner(_ a: Int, _ b: Int) -> Bool {
    entries[a].deadlineNanoseconds < entries[b].deadlineNanoseconds
  }
}
