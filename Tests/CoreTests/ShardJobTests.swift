import Testing

@testable import Core

struct ShardJobTests {
  /// A mailbox holds the address of a job's first field, and `run` is given it back.
  @Test func aJobGoesThroughAMailboxAndRunsFromItsAddress() {
    let mailbox = Mailbox()
    let sum = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    let jobs = UnsafeMutablePointer<ShardJob>.allocate(capacity: 3)
    defer {
      sum.deallocate()
      jobs.deallocate()
    }
    sum.initialize(to: 0)
    for index in 0..<3 {
      (jobs + index).initialize(
        to: ShardJob(
          run: { job, shard in
            let job = job.assumingMemoryBound(to: ShardJob.self).pointee
            guard let context = job.context else { return }
            let sum = context.assumingMemoryBound(to: Int.self)
            sum.pointee = sum.pointee * 100 + Int(job.workNanoseconds) + shard
          }, context: sum, workNanoseconds: UInt64(10 * (index + 1))))
      let link = UnsafeMutableRawPointer(jobs + index).assumingMemoryBound(to: MailboxLink.self)
      _ = mailbox.put(link)
    }
    var next = mailbox.takeAll()
    while let link = next {
      next = link.pointee.next
      let address = UnsafeMutableRawPointer(link)
      address.assumingMemoryBound(to: ShardJob.self).pointee.run(address, 7)
    }
    #expect(sum.pointee == 17_27_37)
  }
}
