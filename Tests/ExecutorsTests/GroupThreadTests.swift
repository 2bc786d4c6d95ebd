import Core
import Executors
import Synchronization
import Testing

@Suite struct GroupThreadTests {
  private struct Mail {
    var link = MailboxLink()
    var number: Int
  }

  /// What the thread has seen.
  // Unchecked: touched by the thread alone until it is stopped.
  private final class Seen: @unchecked Sendable {
    var numbers: [Int] = []
    var groups = 0
    var ticks = 0
  }

  private func collecting(_ seen: Seen, tick: UInt64) throws -> GroupThread {
    try GroupThread(name: "group", tickNanoseconds: tick) { first in
      if first == nil { seen.ticks += 1 } else { seen.groups += 1 }
      var next = first
      while let link = next {
        next = link.pointee.next
        let mail = UnsafeMutableRawPointer(link).assumingMemoryBound(to: Mail.self)
        seen.numbers.append(mail.pointee.number)
        mail.deallocate()
      }
      return nil
    }
  }

  private func mail(_ number: Int) -> UnsafeMutablePointer<MailboxLink> {
    let mail = UnsafeMutablePointer<Mail>.allocate(capacity: 1)
    mail.initialize(to: Mail(number: number))
    return UnsafeMutableRawPointer(mail).assumingMemoryBound(to: MailboxLink.self)
  }

  @Test func everythingIsWorkedOnInOrderBeforeTheStop() throws {
    let seen = Seen()
    let thread = try collecting(seen, tick: 1_000_000_000)
    for number in 0..<100_000 { thread.put(mail(number)) }
    thread.stop()
    #expect(seen.numbers == Array(0..<100_000))
    #expect(seen.groups >= 1 && seen.groups <= 100_000)
  }

  @Test func eachSendersOrderIsKept() throws {
    let seen = Seen()
    let thread = try collecting(seen, tick: 1_000_000_000)
    try withThreads(4) { sender in
      for number in 0..<10_000 { thread.put(mail(sender * 1_000_000 + number)) }
    }
    thread.stop()
    #expect(seen.numbers.count == 40_000)
    for sender in 0..<4 {
      let own = seen.numbers.filter { $0 / 1_000_000 == sender }
      #expect(own == (0..<10_000).map { sender * 1_000_000 + $0 })
    }
  }

  @Test func itTicksWhileNothingComes() throws {
    let ticked = Atomic<Int>(0)
    let thread = try GroupThread(name: "tick", tickNanoseconds: 1_000) { first in
      if first == nil { ticked.add(1, ordering: .relaxed) }
      return nil
    }
    while ticked.load(ordering: .relaxed) < 3 {}
    thread.stop()
    #expect(ticked.load(ordering: .relaxed) > 3)
  }

  /// Whoever has more to do than has come need not wait for a tick.
  @Test func itIsCalledWhenItWantsToBe() throws {
    let called = Atomic<Int>(0)
    let thread = try GroupThread(name: "wants", tickNanoseconds: 3_600_000_000_000) { _ in
      called.add(1, ordering: .relaxed)
      return 1_000
    }
    while called.load(ordering: .relaxed) < 3 {}
    thread.stop()
  }

  private func withThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    var threads: [GroupThread] = []
    for index in 0..<count {
      let box = Once()
      threads.append(
        try GroupThread(name: "sender", tickNanoseconds: 1_000) { _ in
          if box.first() { body(index) }
          return nil
        })
    }
    for thread in threads { thread.stop() }
  }

  private final class Once: Sendable {
    private let flag = Atomic<Bool>(false)
    func first() -> Bool { !flag.exchange(true, ordering: .relaxed) }
  }
}
