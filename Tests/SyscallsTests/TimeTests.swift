import Core
import Glibc
import Testing

@testable import Syscalls

struct TimeTests {
  @Test func monotonicTimeNeverGoesBack() {
    var last = Clock.system.monotonicNanoseconds()
    for _ in 0..<10_000 {
      let now = Clock.system.monotonicNanoseconds()
      #expect(now >= last)
      last = now
    }
  }

  @Test func unixTimeIsTheMachines() {
    let before = Int64(time(nil))
    let now = Clock.system.unixMilliseconds()
    let after = Int64(time(nil))
    #expect(now / 1_000 >= before - 1 && now / 1_000 <= after)
  }

  @Test func aThreadsCPUTimeRisesWithItsWork() {
    let before = threadCPUNanoseconds()
    var sum: UInt64 = 0
    while threadCPUNanoseconds() == before { sum = splitmix64(sum) }
    #expect(threadCPUNanoseconds() > before)
  }
}
