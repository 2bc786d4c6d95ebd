import Core
import Testing

@testable import Executors

struct DispatchShardsTests {
  /// Before each batch job whatever else has come, also what came while the one before it ran.
  @Test func batchJobsRunLast() {
    let executor = shards(1)
    let (gate, order) = (Gate(), Numbers())
    let late = JobSet(count: 1) { _, _ in order.append(20) }
    let interactive = JobSet(count: 2, workNanoseconds: 10) { index, _ in
      order.append(10 + index)
      if index == 0 { gate.pass() }
    }
    let batch = JobSet(count: 3, workNanoseconds: 1_000) { index, _ in
      order.append(index)
      if index == 1 { _ = executor.submit(late.job(0), to: 0) }
    }
    for index in 0..<3 { batch.job(index).pointee.isBatch = true }
    #expect(executor.submit(interactive.job(0), to: 0))
    gate.waitForArrivals(1)
    for index in 0..<3 { #expect(executor.submit(batch.job(index), to: 0)) }
    #expect(executor.submit(interactive.job(1), to: 0))
    #expect(executor.interactiveNanoseconds(of: 0) == 20)
    #expect(executor.queuedNanoseconds(of: 0) == 3_020)
    gate.open()
    interactive.waitForTotal(2)
    batch.waitForTotal(3)
    executor.stop()
    #expect(order.values == [10, 11, 0, 1, 20, 2])
    #expect(executor.interactiveNanoseconds(of: 0) == 0 && executor.queuedNanoseconds(of: 0) == 0)
  }

  @Test(arguments: [1, 2, 4, 9])
  func aJobRunsOnceOnTheShardThatItWasGivenTo(count: Int) {
    let executor = shards(count)
    let jobs = JobSet(count: 10 * count)
    #expect(executor.shardCount == count)
    for index in 0..<10 * count { #expect(executor.submit(jobs.job(index), to: index % count)) }
    executor.stop()
    for index in 0..<10 * count {
      #expect(jobs.runs(index) == 1 && jobs.shard(index) == index % count)
    }
  }

  /// Were a shard to wait for another's thread, this would never end.
  @Test(arguments: [2, 4, 16])
  func allShardsRunAtTheSameTime(count: Int) {
    let executor = shards(count)
    let gate = Gate()
    let jobs = JobSet(count: count) { _, _ in gate.pass() }
    for index in 0..<count { #expect(executor.submit(jobs.job(index), to: index)) }
    gate.waitForArrivals(count)
    gate.open()
    executor.stop()
    #expect((0..<count).allSatisfy { jobs.shard($0) == $0 })
  }

  @Test func jobsOfAShardRunOneAfterTheOtherInOrder() {
    let executor = shards(2)
    let (inside, overlaps) = (Counter(), Counter())
    let seen = Numbers()
    let jobs = JobSet(count: 500) { index, _ in
      if inside.add(1) != 1 { _ = overlaps.add(1) }
      seen.append(index)
      _ = inside.add(-1)
    }
    for index in 0..<500 { #expect(executor.submit(jobs.job(index), to: 1)) }
    executor.stop()
    #expect(overlaps.value == 0)
    #expect(seen.values == Array(0..<500))
  }

  @Test func aJobMayBeSubmittedAgainOnceItHasRun() {
    let executor = shards(2)
    let jobs = JobSet(count: 1)
    for round in 1...1_000 {
      #expect(executor.submit(jobs.job(0), to: round % 2))
      jobs.waitForTotal(round)
    }
    executor.stop()
    #expect(jobs.runs(0) == 1_000)
  }

  @Test func stoppingTwiceAndWithoutWorkEnds() {
    let executor = shards(3)
    executor.stop()
    executor.stop()
    let jobs = JobSet(count: 3)
    for index in 0..<3 { #expect(!executor.submit(jobs.job(index), to: index)) }
    #expect(jobs.total == 0)
  }

  @Test func whatWasAcceptedBeforeTheStopRuns() {
    let executor = shards(2)
    let gate = Gate()
    let first = JobSet(count: 2) { _, _ in gate.pass() }
    let rest = JobSet(count: 200)
    for index in 0..<2 { #expect(executor.submit(first.job(index), to: index)) }
    gate.waitForArrivals(2)
    for index in 0..<200 { #expect(executor.submit(rest.job(index), to: index % 2)) }
    gate.open()
    executor.stop()
    #expect((0..<200).allSatisfy { rest.runs($0) == 1 })
  }

  @Test func jobsOnPinnedShardsRunToo() {
    // Core 0 twice: more shards than cores share them.
    let executor = shards(3, cores: [0])
    let jobs = JobSet(count: 30)
    for index in 0..<30 { #expect(executor.submit(jobs.job(index), to: index % 3)) }
    executor.stop()
    #expect((0..<30).allSatisfy { jobs.runs($0) == 1 })
  }
}
