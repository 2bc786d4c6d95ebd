internal import Synchronization

/// The link of what lies in a mailbox: the first field of its owner, so that both have one address
/// and posting allocates nothing.
package struct MailboxLink: BitwiseCopyable {
  fileprivate(set) package var next: UnsafeMutablePointer<MailboxLink>?

  package init() {
    next = nil
  }
}

/// Many threads put links in, one takes them all out, in the order in which they came.
///
/// A stack of nodes linked by compare-and-exchange (Treiber), reversed by the taker. Only the
/// thread that finds it empty has to wake the taker: one wake-up for any number of messages. Its
/// length is bounded by whoever posts.
package struct Mailbox: ~Copyable {
  private let head = Atomic<UInt>(0)

  package init() {}

  /// Whether it was empty, so that the taker may have to be woken.
  package func put(_ link: UnsafeMutablePointer<MailboxLink>) -> Bool {
    var seen = head.load(ordering: .relaxed)
    while true {
      link.pointee.next = UnsafeMutablePointer(bitPattern: seen)
      // Sequentially consistent: a taker that goes to sleep looks here after it has said so.
      let (exchanged, original) = head.weakCompareExchange(
        expected: seen, desired: UInt(bitPattern: link),
        ordering: .sequentiallyConsistent)
      if exchanged { return seen == 0 }
      seen = original
    }
  }

  package var isEmpty: Bool { head.load(ordering: .sequentiallyConsistent) == 0 }

  /// Everything that is in it, oldest first, linked by `next`.
  package func takeAll() -> UnsafeMutablePointer<MailboxLink>? {
    var newest = UnsafeMutablePointer<MailboxLink>(
      bitPattern: head.exchange(0, ordering: .acquiringAndReleasing))
    var oldest: UnsafeMutablePointer<MailboxLink>?
    while let link = newest {
      newest = link.pointee.next
      link.pointee.next = oldest
      oldest = link
    }
    return oldest
  }
}
