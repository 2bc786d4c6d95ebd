import Core
import Testing

@testable import Engine

/// CoDel as words: a queue in which nobody waited less than the target for a whole interval is
/// overloaded until an interval in which somebody did.
private struct PlainQueueDelay {
  var samples: [UInt64] = []
  var end: UInt64?
  var isOverloaded = false

  mutating func sheds(_ waited: UInt64, of allowed: UInt64, isBatch: Bool, now: UInt64) -> Bool {
    samples.append(waited)
    if let end, now < end {
      // The interval goes on.
    } else {
      isOverloaded = end != nil && samples.allSatisfy { $0 > 5_000_000 }
      end = now + 100_000_000
      samples = []
    }
    let patience = isBatch ? Double(allowed) / 16 : max(10_000_000, Double(allowed) / 4)
    return isOverloaded && Double(waited) >= patience.rounded(.down) + 1
  }
}

/// For expectations, which take no mutation.
private final class Queue {
  private var delay = QueueDelay()

  var isOverloaded: Bool { delay.isOverloaded }

  /// Of a caller in a hurry, unless told otherwise.
  func sheds(
    waitedNanoseconds: UInt64, allowedNanoseconds: UInt64 = 0, isBatch: Bool, now: UInt64
  ) -> Bool {
    delay.sheds(
      waitedNanoseconds: waitedNanoseconds, allowedNanoseconds: allowedNanoseconds,
      isBatch: isBatch, now: now)
  }
}

@Suite struct QueueDelayTests {
  private let millisecond: UInt64 = 1_000_000

  /// Jobs of `each` milliseconds that arrive together, each waiting for those before it.
  private func burst(_ delay: Queue, at start: UInt64, jobs: Int, each: UInt64) -> Int {
    (0..<jobs).count { job in
      let waited = UInt64(job) * each * millisecond
      return delay.sheds(waitedNanoseconds: waited, isBatch: true, now: start + waited)
    }
  }

  @Test func burstsAreServed() {
    let delay = Queue()
    for round in 0..<20 {
      // Over before an interval is: nobody is shed, however often, and not even batch.
      let start = UInt64(round) * 500 * millisecond
      #expect(burst(delay, at: start, jobs: 10, each: 9) == 0, "burst \(round)")
    }
  }

  @Test func standingQueuesAreShed() {
    let delay = Queue()
    var shed = (interactive: 0, patient: 0, batch: 0)
    // Everybody waits 6 ms or 11 ms, for a second.
    for job in 0..<1_000 {
      let now = 1_000 * millisecond + UInt64(job) * millisecond
      if delay.sheds(waitedNanoseconds: 11 * millisecond, isBatch: false, now: now) {
        shed.interactive += 1
      }
      if delay.sheds(waitedNanoseconds: 6 * millisecond, isBatch: false, now: now) {
        shed.patient += 1
      }
      if delay.sheds(waitedNanoseconds: 6 * millisecond, isBatch: true, now: now) {
        shed.batch += 1
      }
    }
    // All but the first interval; batch callers as soon as they wait at all.
    #expect(shed.interactive == 899 || shed.interactive == 900)
    #expect(shed.batch == 900)
    #expect(shed.patient == 0)
  }

  @Test func recoversWithinOneInterval() {
    let delay = Queue()
    for job in 0..<300 {
      _ = delay.sheds(
        waitedNanoseconds: 20 * millisecond, isBatch: false, now: UInt64(job) * millisecond)
    }
    #expect(delay.isOverloaded)
    // The queue is short again; it is believed when its interval ends.
    for job in 300..<401 {
      _ = delay.sheds(
        waitedNanoseconds: 5 * millisecond, isBatch: false, now: UInt64(job) * millisecond)
    }
    #expect(!delay.isOverloaded)
    #expect(
      !delay.sheds(waitedNanoseconds: 99 * millisecond, isBatch: true, now: 402 * millisecond))
  }

  /// One that nobody was left to see.
  @Test func anOverloadIsOverWithTheFirstWhoDoesNotWait() {
    let delay = Queue()
    for job in 0..<300 {
      _ = delay.sheds(
        waitedNanoseconds: 20 * millisecond, isBatch: false, now: UInt64(job) * millisecond)
    }
    #expect(delay.isOverloaded)
    #expect(!delay.sheds(waitedNanoseconds: 1, isBatch: true, now: 10_000 * millisecond))
  }

  @Test func oneShortWaitInAnIntervalIsEnough() {
    let delay = Queue()
    for job in 0..<1_000 {
      let waited = job % 50 == 7 ? 5 * millisecond : 80 * millisecond
      #expect(
        !delay.sheds(waitedNanoseconds: waited, isBatch: true, now: UInt64(job) * millisecond))
    }
  }

  /// A quarter of the time that was given, or 10 ms; a sixteenth for batch.
  @Test func patience() {
    let delay = Queue()
    func sheds(_ waited: UInt64, of allowed: UInt64, isBatch: Bool = false) -> Bool {
      delay.sheds(
        waitedNanoseconds: waited, allowedNanoseconds: allowed, isBatch: isBatch,
        now: 300 * millisecond)
    }
    for job in 0...300 {
      _ = delay.sheds(
        waitedNanoseconds: 20 * millisecond, isBatch: false, now: UInt64(job) * millisecond)
    }
    #expect(delay.isOverloaded)
    #expect(!sheds(10 * millisecond, of: 0) && sheds(10 * millisecond + 1, of: 0))
    #expect(!sheds(10 * millisecond, of: 40 * millisecond))
    #expect(sheds(10 * millisecond + 1, of: 40 * millisecond))
    #expect(!sheds(25 * millisecond, of: 100 * millisecond))
    #expect(sheds(25 * millisecond + 1, of: 100 * millisecond))
    #expect(!sheds(1 << 60, of: .max) && sheds(.max, of: .max))
    #expect(!sheds(millisecond, of: 16 * millisecond, isBatch: true))
    #expect(sheds(millisecond + 1, of: 16 * millisecond, isBatch: true))
    #expect(!sheds(0, of: 0, isBatch: true) && sheds(1, of: 0, isBatch: true))
    // Of two who wait and allow the same, no interactive one is shed before batch.
    for exponent in 0..<64 {
      for waited in [0, millisecond, 7 * millisecond, 11 * millisecond, 1 << 40] {
        let allowed = UInt64(1) << exponent
        #expect(!sheds(waited, of: allowed) || sheds(waited, of: allowed, isBatch: true))
      }
    }
  }

  @Test func againstTheDefinition() {
    for seed: UInt64 in 1...20 {
      var random = SplitMix64(seed: seed)
      let delay = Queue()
      var plain = PlainQueueDelay()
      var now = UInt64.random(in: 1...1_000_000_000, using: &random)
      var shed = 0
      for job in 0..<2_000 {
        now += UInt64.random(
          in: 0...[100_000, 2_000_000, 60_000_000][job / 100 % 3], using: &random)
        let most =
          [4_000_000, 12_000_000, 40_000_000, 400_000][Int(now / 500_000_000 % 4)] as UInt64
        let waited = UInt64.random(in: most / 2...most, using: &random)
        let isBatch = random.next() % 3 == 0
        let allowed = UInt64.random(in: 0...200_000_000, using: &random)
        let sheds = delay.sheds(
          waitedNanoseconds: waited, allowedNanoseconds: allowed, isBatch: isBatch, now: now)
        let expected = plain.sheds(waited, of: allowed, isBatch: isBatch, now: now)
        #expect(sheds == expected, "seed \(seed), job \(job)")
        shed += sheds ? 1 : 0
      }
      #expect(shed > 0, "seed \(seed)")
    }
  }
}
