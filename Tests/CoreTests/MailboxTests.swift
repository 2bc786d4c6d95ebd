import Synchronization
import Testing

@testable import Core

/// A letter: its link first, as whoever uses a mailbox has it.
private struct Letter {
  var link = MailboxLink()
  var sender: Int
  var number: Int
}

/// Letters of one sender, in memory that stays where it is.
private final class Letters: @unchecked Sendable {
  // Unchecked: a sender writes its own letters before it puts them; the mailbox orders the rest.
  let start: UnsafeMutablePointer<Letter>
  let count: Int

  init(sender: Int, count: Int) {
    self.count = count
    start = .allocate(capacity: count)
    for number in 0..<count {
      (start + number).initialize(to: Letter(sender: sender, number: number))
    }
  }

  deinit { start.deallocate() }

  func link(_ number: Int) -> UnsafeMutablePointer<MailboxLink> {
    UnsafeMutableRawPointer(start + number).assumingMemoryBound(to: MailboxLink.self)
  }
}

/// A mailbox that many tasks and macros can hold: the mailbox itself cannot be copied.
private final class Box: Sendable {
  private let mailbox = Mailbox()
  let wasEmpty = Atomic<Int>(0)
  let sent = Atomic<Int>(0)

  var isEmpty: Bool { mailbox.isEmpty }
  func put(_ link: UnsafeMutablePointer<MailboxLink>) -> Bool { mailbox.put(link) }
  func takeAll() -> UnsafeMutablePointer<MailboxLink>? { mailbox.takeAll() }
}

private func read(_ first: UnsafeMutablePointer<MailboxLink>?) -> [(sender: Int, number: Int)] {
  var (result, next) = ([(sender: Int, number: Int)](), first)
  while let link = next {
    next = link.pointee.next
    let letter = UnsafeMutableRawPointer(link).assumingMemoryBound(to: Letter.self).pointee
    result.append((letter.sender, letter.number))
  }
  return result
}

struct MailboxTests {
  @Test func comesOutInTheOrderInWhichItWentIn() {
    let mailbox = Box()
    let letters = Letters(sender: 0, count: 100)
    #expect(mailbox.isEmpty)
    for number in 0..<100 { #expect(mailbox.put(letters.link(number)) == (number == 0)) }
    #expect(!mailbox.isEmpty)
    #expect(read(mailbox.takeAll()).map(\.number) == Array(0..<100))
    #expect(mailbox.isEmpty)
    #expect(mailbox.takeAll() == nil)
  }

  @Test func aLinkCanBePutAgainOnceItIsOut() {
    let mailbox = Box()
    let letters = Letters(sender: 0, count: 3)
    for round in 0..<50 {
      let order = [round % 3, (round + 1) % 3, (round + 2) % 3]
      for (position, number) in order.enumerated() {
        #expect(mailbox.put(letters.link(number)) == (position == 0))
      }
      #expect(read(mailbox.takeAll()).map(\.number) == order)
    }
  }

  /// Eight threads put, one takes all the while: nothing is lost or doubled, each sender's letters
  /// keep their order, and "it was empty" is said once for each time that something was taken.
  @Test func manySendersOneTaker() async {
    let (senders, each) = (8, 5_000)
    let box = Box()
    let all = (0..<senders).map { Letters(sender: $0, count: each) }
    await withTaskGroup(of: Void.self) { group in
      for letters in all {
        group.addTask {
          for number in 0..<each {
            if box.put(letters.link(number)) {
              box.wasEmpty.add(1, ordering: .relaxed)
            }
            box.sent.add(1, ordering: .relaxed)
          }
        }
      }
      group.addTask {
        var expected = [Int](repeating: 0, count: senders)
        var (taken, drains) = (0, 0)
        while taken < senders * each {
          let letters = read(box.takeAll())
          if letters.isEmpty {
            await Task.yield()
            continue
          }
          drains += 1
          taken += letters.count
          for letter in letters {
            if letter.number != expected[letter.sender] {
              Issue.record("sender \(letter.sender): \(letter.number) out of order")
            }
            expected[letter.sender] = letter.number + 1
          }
        }
        while box.sent.load(ordering: .relaxed) < senders * each { await Task.yield() }
        #expect(taken == senders * each)
        #expect(drains == box.wasEmpty.load(ordering: .relaxed))
        #expect(box.isEmpty)
      }
    }
    withExtendedLifetime(all) {}
  }
}
