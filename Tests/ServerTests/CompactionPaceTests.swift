import Core
import Testing

@testable import Server

@Suite struct CompactionPaceTests {
  private static let target = Limits.compactionNanoseconds

  /// Slices one after the other that take so long each; what the last one leaves.
  private func slices(
    _ times: [UInt64], isIdle: Bool = false, hasMore: Bool = true
  ) -> (pace: CompactionPace, wait: UInt64?) {
    var (pace, now) = (CompactionPace(), UInt64(1_000))
    for time in times {
      pace.ended(now, now + time, hasMore: hasMore, isIdle: isIdle)
      now += time
    }
    return (pace, pace.wait(at: now))
  }

  @Test func quickSlicesGrowAndSlowOnesShrink() {
    let quick = Self.target / 4
    #expect(slices([quick]).pace.rows == 2 * Limits.compactionRows)
    #expect(slices(Array(repeating: quick, count: 9)).pace.rows == Limits.compactionRowsMost)
    #expect(slices([quick, Self.target]).pace.rows == 2 * Limits.compactionRows)
    #expect(slices([quick, Self.target + 1]).pace.rows == Limits.compactionRows)
    #expect(slices([Self.target + 1]).pace.rows == Limits.compactionRows)
  }

  @Test func groupsHaveMostOfTheTime() {
    let took: UInt64 = 1_000_000
    #expect(slices([took]).wait == (Limits.compactionShare - 1) * took)
    #expect(slices([took], isIdle: true).wait == (Limits.compactionShareIdle - 1) * took)
  }

  @Test func whoStaysBehindTakesMore() {
    let (took, many) = (UInt64(1_000_000), Limits.compactionSlicesBehind)
    let (less, more) = (Limits.compactionShare - 1, Limits.compactionShareBehind - 1)
    #expect(slices(Array(repeating: took, count: many)).wait == less * took)
    #expect(slices(Array(repeating: took, count: many + 1)).wait == more * took)
    var pace = slices(Array(repeating: took, count: many + 1)).pace
    pace.ended(0, took, hasMore: false, isIdle: false)
    pace.ended(took, 2 * took, hasMore: true, isIdle: false)
    #expect(pace.wait(at: 2 * took) == less * took)
  }

  /// A second in which the disk did nothing does not keep slices away for ten.
  @Test func aLongOneDoesNotStopTheNext() {
    let most = 2 * Self.target * (Limits.compactionShare - 1)
    #expect(slices([1_000_000_000]).wait == most)
  }

  @Test func whereThereIsNoMoreATickPasses() {
    let tick = Limits.ledgerTickMilliseconds * 1_000_000
    #expect(slices([3_000_000], hasMore: false).wait == tick - 3_000_000)
    #expect(CompactionPace().wait(at: 1) == nil)
  }
}
