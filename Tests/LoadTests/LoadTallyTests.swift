import Core
import Testing

@testable import Load

@Suite struct LoadTallyTests {
  private let millisecond: UInt64 = 1_000_000

  private func record(
    _ intended: UInt64, sent: UInt64? = nil, ended: UInt64, status: StatusCode = .ok,
    fidelity: Fidelity = .full, isGivenUp: Bool = false
  ) -> CallRecord {
    CallRecord(
      intendedNanoseconds: intended, sentNanoseconds: sent ?? intended, endedNanoseconds: ended,
      status: status, fidelity: fidelity, isGivenUp: isGivenUp)
  }

  @Test func onlyTheWindowCounts() {
    var tally = LoadTally(window: 100..<200, timeoutNanoseconds: millisecond)
    for intended: UInt64 in [0, 99, 100, 199, 200] { tally.record(record(intended, ended: 900)) }
    tally.recordMissing(intendedNanoseconds: 99)
    #expect(tally.intended == 2)
    #expect(tally.latency.count == 2)
  }

  @Test func countsAddUp() {
    var tally = LoadTally(window: 0..<1_000, timeoutNanoseconds: millisecond)
    tally.record(record(1, ended: 5))
    tally.record(record(2, ended: 2 + millisecond + 1, fidelity: .partial))
    tally.record(record(3, ended: 5, status: .resourceExhausted))
    tally.record(record(4, ended: 9, status: .deadlineExceeded, isGivenUp: true))
    tally.recordMissing(intendedNanoseconds: 5)
    let statuses = StatusCode.allCases.reduce(0) { $0 + tally.count($1) }
    #expect(tally.intended == 5)
    #expect(statuses + tally.missing == tally.intended)
    #expect((tally.inTime, tally.late, tally.timedOut, tally.answered) == (1, 1, 1, 3))
    #expect(tally.count(fidelity: .full) == 1 && tally.count(fidelity: .partial) == 1)
    #expect(tally.latency.count == 5 && tally.latency.infiniteCount == 3)
    #expect(tally.service.count == 5 && tally.service.infiniteCount == 3)
  }

  @Test func latencyIsFromTheIntendedStartAndServiceFromTheSentOne() {
    var tally = LoadTally(window: 0..<1_000, timeoutNanoseconds: 100 * millisecond)
    tally.noteSent(
      intendedNanoseconds: 0, possibleNanoseconds: 30 * millisecond,
      sentNanoseconds: 40 * millisecond)
    tally.record(record(0, sent: 40 * millisecond, ended: 50 * millisecond))
    let most = Quantile(millionths: 1_000_000)
    #expect(tally.latency.value(most) == 50 * millisecond)
    #expect(tally.service.value(most) == 10 * millisecond)
    #expect(tally.lag.value(most) == 40 * millisecond)
    #expect(tally.ownLag.value(most) == 10 * millisecond)
  }

  /// Coordinated omission (G. Tene): a server that takes 1 ms for a call, one at a time, and stands
  /// still for 200 ms of each second. One client that waits for each answer before it asks again
  /// meets the stall once a second; calls that come when they come meet it a fifth of the time.
  @Test(arguments: ArrivalSchedule.Kind.allCases)
  func aStallShowsInTheOpenLoopAlone(kind: ArrivalSchedule.Kind) throws {
    let second: UInt64 = 1_000_000_000
    let serve: (_ from: UInt64) -> UInt64 = { from in
      let phase = from % second
      let start = phase < 200_000_000 ? from - phase + 200_000_000 : from
      return start + 1_000_000
    }
    let seed: UInt64 = 5
    let span = 20 * second
    var schedule = ArrivalSchedule(kind, ratePerSecond: 400, seed: seed)
    var open = LoadTally(window: 0..<span, timeoutNanoseconds: second)
    var free: UInt64 = 0
    while true {
      let intended = schedule.next()
      guard intended < span else { break }
      free = serve(max(free, intended))
      open.record(record(intended, ended: free))
    }
    var closed = LoadTally(window: 0..<span, timeoutNanoseconds: second)
    var now: UInt64 = 0
    while now < span {
      let ended = serve(now)
      closed.record(record(now, ended: ended))
      now = ended
    }
    let p99 = Quantile(millionths: 990_000)
    let shown = try #require(open.latency.value(p99))
    let hidden = try #require(closed.latency.value(p99))
    #expect(shown >= 150 * millisecond, "\(kind), seed \(seed): open \(shown)")
    #expect(hidden <= 2 * millisecond, "\(kind), seed \(seed): closed \(hidden)")
    let p50 = try #require(open.latency.value(Quantile(millionths: 500_000)))
    #expect(p50 <= 60 * millisecond, "\(kind), seed \(seed): \(p50)")
  }
}
