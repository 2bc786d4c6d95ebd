internal import CLinux
internal import Glibc

/// What a descriptor is ready for.
package struct Readiness: OptionSet, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let reading = Readiness(rawValue: EPOLLIN.rawValue)
  package static let writing = Readiness(rawValue: EPOLLOUT.rawValue)
  /// An error or a hang-up: reported whether asked for or not. The next read tells which.
  package static let failed = Readiness(rawValue: EPOLLERR.rawValue | EPOLLHUP.rawValue)

  /// Whether a read has something to tell, if only a failure. (The set's own tests allocate, where
  /// the compiler does not see into them.)
  package var isReadable: Bool {
    rawValue & (EPOLLIN.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
  }
}

/// An epoll instance, level-triggered, with room for `capacity` events a turn.
package struct Epoll: ~Copyable {
  private let descriptor: Int32
  private let events: UnsafeMutablePointer<epoll_event>
  private let capacity: Int

  package init(capacity: Int = 256) throws(SystemError) {
    let created = try blockingSystemCall("epoll_create1") {
      Int(epoll_create1(Int32(EPOLL_CLOEXEC)))
    }
    self.descriptor = Int32(created)
    self.capacity = capacity
    self.events = .allocate(capacity: capacity)
  }

  deinit {
    events.deallocate()
    _ = close(descriptor)
  }

  /// Watches `target`; `token` comes back with its events.
  package func add(_ target: Int32, _ interest: Readiness, token: UnsafeMutableRawPointer?)
    throws(SystemError)
  {
    try control(EPOLL_CTL_ADD, target, interest, token)
  }

  package func modify(_ target: Int32, _ interest: Readiness, token: UnsafeMutableRawPointer?)
    throws(SystemError)
  {
    try control(EPOLL_CTL_MOD, target, interest, token)
  }

  package func remove(_ target: Int32) throws(SystemError) {
    try control(EPOLL_CTL_DEL, target, [], nil)
  }

  private func control(
    _ operation: Int32, _ target: Int32, _ interest: Readiness, _ token: UnsafeMutableRawPointer?
  ) throws(SystemError) {
    var event = epoll_event()
    event.events = interest.rawValue
    event.data.ptr = token
    _ = try blockingSystemCall("epoll_ctl") {
      Int(epoll_ctl(descriptor, operation, target, &event))
    }
  }

  /// Waits for events, at most `timeoutMilliseconds` (−1 = for ever); returns how many came.
  package func wait(timeoutMilliseconds: Int32) throws(SystemError) -> Int {
    try blockingSystemCall("epoll_wait") {
      Int(epoll_wait(descriptor, events, Int32(capacity), timeoutMilliseconds))
    }
  }

  /// The token and readiness of event `index` of the last `wait`.
  package func event(_ index: Int) -> (token: UnsafeMutableRawPointer?, readiness: Readiness) {
    (events[index].data.ptr, Readiness(rawValue: events[index].events))
  }
}

/// A descriptor that one thread makes readable to wake another.
package struct WakeUp: ~Copyable, Sendable {
  package let descriptor: Int32

  package init() throws(SystemError) {
    let flags = Int32(EFD_CLOEXEC | EFD_NONBLOCK)
    let created = try blockingSystemCall("eventfd") { Int(eventfd(0, flags)) }
    self.descriptor = Int32(created)
  }

  deinit {
    _ = close(descriptor)
  }

  /// Makes it readable. A counter that is full already is readable, which is all that is wanted.
  package func signal() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Makes it unreadable again.
  package static func drain(_ descriptor: Int32) {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }
}
