import Core
import Testing

@testable import EventLoop

private func entry(_ deadline: UInt64, _ generation: UInt64 = 0) -> TimerEntry {
  TimerEntry(
    deadlineNanoseconds: deadline, token: UnsafeMutableRawPointer(bitPattern: 64),
    generation: generation)
}

struct TimerHeapTests {
  @Test func anEmptyHeapHasNothingDue() {
    var heap = TimerHeap()
    let due = heap.popDue(now: .max)
    #expect(due == nil && heap.count == 0 && heap.soonestNanoseconds == nil)
  }

  @Test func aTimerIsDueFromItsInstantOn() throws {
    var heap = TimerHeap()
    heap.insert(entry(100, 7))
    let early = heap.popDue(now: 99)
    #expect(early == nil && heap.count == 1)
    let due = heap.popDue(now: 100)
    let taken = try #require(due)
    #expect(taken.generation == 7)
    #expect(taken.token == UnsafeMutableRawPointer(bitPattern: 64))
    #expect(heap.count == 0)
  }

  @Test func theEndsOfTimeAreInstantsLikeOthers() {
    var heap = TimerHeap()
    for deadline: UInt64 in [.max, 0, 1, .max - 1] { heap.insert(entry(deadline)) }
    var order: [UInt64] = []
    while let due = heap.popDue(now: .max) { order.append(due.deadlineNanoseconds) }
    #expect(order == [0, 1, .max - 1, distantFutureNanoseconds])
  }

  /// Inserts and pops in any mixture give what a sorted array gives; those of one instant come in
  /// any order, but each once.
  @Test(arguments: 1...30 as ClosedRange<UInt64>)
  func givesWhatASortedArrayGives(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var heap = TimerHeap()
    var model: [UInt64] = []
    var live: [UInt64: UInt64] = [:]
    let span: UInt64 = seed % 3 == 0 ? 20 : 1_000_000
    for step in 0..<1_500 as Range<UInt64> {
      if UInt64.random(in: 0..<5, using: &random) < 3 {
        let deadline = UInt64.random(in: 0..<span, using: &random)
        heap.insert(entry(deadline, step))
        model.insert(deadline, at: model.firstIndex { $0 > deadline } ?? model.endIndex)
        live[step] = deadline
      } else {
        let now = UInt64.random(in: 0..<span, using: &random)
        let due = heap.popDue(now: now)
        let expected = model.first.flatMap { $0 <= now ? $0 : nil }
        #expect(due?.deadlineNanoseconds == expected, "seed \(seed), step \(step)")
        guard let due else { continue }
        model.removeFirst()
        #expect(
          live.removeValue(forKey: due.generation) == expected, "seed \(seed), step \(step)")
      }
      #expect(heap.count == model.count, "seed \(seed), step \(step)")
      #expect(heap.soonestNanoseconds == model.first, "seed \(seed), step \(step)")
    }
    while let due = heap.popDue(now: .max) {
      #expect(due.deadlineNanoseconds == model.removeFirst(), "seed \(seed)")
    }
    #expect(model.isEmpty, "seed \(seed)")
  }
}
