internal import Core
internal import Executors
internal import Syscalls

/// The desk's thread.
// Unchecked: its mailbox is made for many threads.
final class DeskThread: @unchecked Sendable {
  private struct Mail {
    /// First: the thread's mailbox holds the address.
    var link = MailboxLink()
    let body: () -> Void
  }

  private let thread: GroupThread

  init() throws(SystemError) {
    thread = try GroupThread(name: "campaigns", tickNanoseconds: 1_000_000_000) { group in
      var next = group
      while let link = next {
        let mail = UnsafeMutableRawPointer(link).assumingMemoryBound(to: Mail.self)
        next = link.pointee.next
        mail.pointee.body()
        mail.deinitialize(count: 1)
        mail.deallocate()
      }
      return nil
    }
  }

  func perform(_ body: @escaping () -> Void) -> Bool {
    let mail = UnsafeMutablePointer<Mail>.allocate(capacity: 1)
    mail.initialize(to: Mail(body: body))
    thread.put(UnsafeMutableRawPointer(mail).assumingMemoryBound(to: MailboxLink.self))
    return true
  }

  func stop() { thread.stop() }
}
