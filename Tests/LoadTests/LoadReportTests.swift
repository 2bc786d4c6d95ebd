import Core
import Syscalls
import Testing

@testable import Load

@Suite struct LoadReportTests {
  private let second: UInt64 = 1_000_000_000

  private func report(
    lagNanoseconds: UInt64 = 0, busyShare: Double = 0.1, heldCalls: Int = 0
  ) -> LoadReport {
    let plan = LoadPlan(
      target: SocketAddress(host: "127.0.0.1", port: 1), ratePerSecond: 100, warmUpNanoseconds: 0,
      durationNanoseconds: 2 * second, timeoutNanoseconds: second)
    var tally = LoadTally(window: 0..<2 * second, timeoutNanoseconds: second)
    for index: UInt64 in 0..<200 {
      // One call in twenty is late by the given lag.
      let sent = index + (index % 20 == 0 ? lagNanoseconds : 0)
      tally.noteSent(
        intendedNanoseconds: index, possibleNanoseconds: index, sentNanoseconds: sent)
      tally.record(
        CallRecord(
          intendedNanoseconds: index, sentNanoseconds: sent, endedNanoseconds: sent + 1_000,
          status: index < 10 ? .unavailable : .ok))
    }
    var usage = LoadReport.GeneratorUsage()
    usage.busyShare = busyShare
    usage.heldCalls = heldCalls
    return LoadReport(plan: plan, tally: tally, generator: usage, server: nil, texts: [:])
  }

  @Test func rates() {
    #expect(report().offeredPerSecond == 100)
    #expect(report().achievedPerSecond == 100)
    #expect(report().inTimePerSecond == 95)
  }

  @Test func theGeneratorsFaultIsItsOwn() {
    #expect(report().generatorFault == nil)
    #expect(report(lagNanoseconds: 4_900_000).generatorFault == nil)
    #expect(report(lagNanoseconds: 6_000_000).generatorFault?.contains("ms") == true)
    // Calls wait for room at a slow server, and the generator has nothing to do: not its fault.
    #expect(report(busyShare: 0.5, heldCalls: 190).generatorFault == nil)
    #expect(report(busyShare: 0.99, heldCalls: 1).generatorFault == nil)
    #expect(report(busyShare: 0.99, heldCalls: 190).generatorFault?.contains("busy") == true)
  }

  @Test func patienceIsLongerThanTheTimeout() {
    var plan = report().plan
    #expect(plan.patienceNanoseconds == 1_500_000_000)
    plan.timeoutNanoseconds = 1_000_000
    #expect(plan.patienceNanoseconds == 11_000_000)
  }
}
