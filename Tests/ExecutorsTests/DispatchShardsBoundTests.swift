import Core
import Testing

@testable import Executors

struct DispatchShardsBoundTests {
  @Test func aFullQueueRefusesAndTheJobNeverRuns() {
    let executor = shards(2, queueNanoseconds: 1_000)
    let gate = Gate()
    let holder = JobSet(count: 1, workNanoseconds: 100) { _, _ in gate.pass() }
    let jobs = JobSet(count: 6, workNanoseconds: 300)
    #expect(executor.submit(holder.job(0), to: 0))
    gate.waitForArrivals(1)
    // 100 run, 900 may wait.
    let accepted = (0..<4).map { executor.submit(jobs.job($0), to: 0) }
    #expect(accepted == [true, true, true, false])
    jobs.setWork(4, 1)
    #expect(!executor.submit(jobs.job(4), to: 0))
    // The bound is each shard's own.
    #expect(executor.submit(jobs.job(5), to: 1))
    gate.open()
    executor.stop()
    #expect((0..<6).map { jobs.runs($0) } == [1, 1, 1, 0, 0, 1])
  }

  @Test func oneJobOverTheBoundRunsOnAnEmptyQueueOnly() {
    let executor = shards(1, queueNanoseconds: 1_000)
    let gate = Gate()
    let large = JobSet(count: 2, workNanoseconds: 50_000) { index, _ in
      if index == 0 { gate.pass() }
    }
    let small = JobSet(count: 1, workNanoseconds: 1)
    #expect(executor.submit(large.job(0), to: 0))
    gate.waitForArrivals(1)
    #expect(!executor.submit(large.job(1), to: 0))
    #expect(!executor.submit(small.job(0), to: 0))
    gate.open()
    executor.stop()
    #expect(large.runs(0) == 1 && large.runs(1) == 0 && small.runs(0) == 0)
  }

  /// Estimates beyond any clock neither wrap around nor let others in.
  @Test func workThatOverflowsIsRefused() {

    let executor = shards(1, queueNanoseconds: ample)
    let gate = Gate()
    let holder = JobSet(count: 1, workNanoseconds: 10) { _, _ in gate.pass() }
    let jobs = JobSet(count: 3, workNanoseconds: .max)
    #expect(executor.submit(holder.job(0), to: 0))
    gate.waitForArrivals(1)
    #expect(!executor.submit(jobs.job(0), to: 0))
    jobs.setWork(1, .max - 9)
    #expect(!executor.submit(jobs.job(1), to: 0))
    jobs.setWork(2, ample - 10)
    #expect(executor.submit(jobs.job(2), to: 0))
    gate.open()
    executor.stop()
    #expect((0..<3).map { jobs.runs($0) } == [0, 0, 1])
  }

  /// A withdrawn job runs all the same, and its room is another's: once, also if it is withdrawn
  /// again, or while it runs, or after that.
  @Test func whatIsWithdrawnTakesNoRoom() {
    let executor = shards(1, queueNanoseconds: 1_000)
    let gate = Gate()
    let holder = JobSet(count: 1, workNanoseconds: 100) { _, _ in gate.pass() }
    let jobs = JobSet(count: 4, workNanoseconds: 900)
    #expect(executor.submit(holder.job(0), to: 0))
    gate.waitForArrivals(1)
    #expect(executor.submit(jobs.job(0), to: 0))
    #expect(!executor.submit(jobs.job(1), to: 0))
    executor.withdraw(jobs.job(0))
    #expect(executor.queuedNanoseconds(of: 0) == 100)
    executor.withdraw(jobs.job(0))
    executor.withdraw(holder.job(0))
    #expect(executor.queuedNanoseconds(of: 0) == 100)
    #expect(executor.submit(jobs.job(1), to: 0))
    #expect(!executor.submit(jobs.job(2), to: 0))
    gate.open()
    executor.stop()
    executor.withdraw(jobs.job(1))
    #expect(executor.queuedNanoseconds(of: 0) == 0)
    #expect((0..<4).map { jobs.runs($0) } == [1, 1, 0, 0])
  }

  /// Who hears of a job's end finds its room free, though its thread has not come back from it.
  @Test func whatEndsTakesNoRoom() {
    let executor = shards(1, queueNanoseconds: 1_000)
    let gate = Gate()
    let jobs = JobSet(count: 2, workNanoseconds: 5_000) { index, shard in
      executor.jobEnds(on: shard)
      executor.jobEnds(on: shard)
      if index == 0 { gate.pass() }
    }
    #expect(executor.submit(jobs.job(0), to: 0))
    gate.waitForArrivals(1)
    #expect(executor.queuedNanoseconds(of: 0) == 0)
    #expect(executor.submit(jobs.job(1), to: 0))
    #expect(executor.queuedNanoseconds(of: 0) == 5_000)
    gate.open()
    executor.stop()
    #expect(executor.queuedNanoseconds(of: 0) == 0)
    #expect(jobs.runs(0) == 1 && jobs.runs(1) == 1)
  }

  /// Withdrawals race with the shard that takes the jobs: the count is right in the end.
  @Test func withdrawalsAndRunsCountOnce() {
    let executor = shards(2)
    let jobs = JobSet(count: 4 * 5_000, workNanoseconds: 7)
    onThreads(4) { thread in
      for index in 0..<5_000 {
        let job = jobs.job(5_000 * thread + index)
        while !executor.submit(job, to: index % 2) { yieldThread() }
        executor.withdraw(job)
      }
    }
    executor.stop()
    #expect(jobs.total == 20_000)
    #expect(executor.queuedNanoseconds(of: 0) == 0 && executor.queuedNanoseconds(of: 1) == 0)
  }

  /// Many submitters at once get no more in than one would.
  @Test func theBoundHoldsAgainstManySubmitters() {
    for round in 0..<50 {
      let executor = shards(1, queueNanoseconds: 1_000)
      let gate = Gate()
      let holder = JobSet(count: 1, workNanoseconds: 100) { _, _ in gate.pass() }
      let jobs = JobSet(count: 8 * 40, workNanoseconds: 100)
      #expect(executor.submit(holder.job(0), to: 0))
      gate.waitForArrivals(1)
      let accepted = Counter()
      onThreads(8) { thread in
        for index in 0..<40 where executor.submit(jobs.job(40 * thread + index), to: 0) {
          _ = accepted.add(1)
        }
      }
      gate.open()
      executor.stop()
      #expect(accepted.value == 9, "round \(round)")
      #expect(jobs.total == accepted.value, "round \(round)")
    }
  }

  /// Two threads find the queue empty at the same instant: one of them gets its long job in.
  @Test func anEmptyQueueIsFilledOnce() {
    // The second shard never has work: the first is the least loaded only when it has none.
    let executor = shards(2, queueNanoseconds: 1_000)
    let rounds = 2_000
    let (ready, submitted, accepted, released) = (Counter(), Counter(), Counter(), Counter())
    let jobs = JobSet(count: 2 * rounds, workNanoseconds: 5_000) { index, _ in
      while released.value <= index / 2 { yieldThread() }
    }
    let wrongRounds = Counter()
    onThreads(2) { thread in
      for round in 0..<rounds {
        while executor.leastLoadedShard != 0 { yieldThread() }
        _ = ready.add(1)
        while ready.value < 2 * (round + 1) {}
        if executor.submit(jobs.job(2 * round + thread), to: 0) { _ = accepted.add(1) }
        _ = submitted.add(1)
        while submitted.value < 2 * (round + 1) { yieldThread() }
        guard thread == 0 else {
          while released.value <= round { yieldThread() }
          continue
        }
        if accepted.value != round + 1 { _ = wrongRounds.add(1) }
        _ = released.add(1)
      }
    }
    executor.stop()
    #expect(wrongRounds.value == 0)
    #expect(accepted.value == rounds && jobs.total == rounds)
  }

  @Test func theLeastLoadedShardHasTheLeastWork() {
    let executor = shards(3)
    let gate = Gate()
    let jobs = JobSet(count: 6) { _, _ in gate.pass() }
    for (index, work) in [500, 100, 300, 450, 150, 1].enumerated() {
      jobs.setWork(index, UInt64(work))
    }
    for index in 0..<3 { #expect(executor.submit(jobs.job(index), to: index)) }
    gate.waitForArrivals(3)
    // What runs counts like what waits.
    #expect(executor.leastLoadedShard == 1)
    #expect(executor.submit(jobs.job(3), to: 1))
    #expect(executor.leastLoadedShard == 2)
    #expect(executor.submit(jobs.job(4), to: 2))
    #expect(executor.submit(jobs.job(5), to: 2))
    #expect(executor.leastLoadedShard == 2)
    gate.open()
    executor.stop()
    #expect(executor.leastLoadedShard == 0)
  }
}
