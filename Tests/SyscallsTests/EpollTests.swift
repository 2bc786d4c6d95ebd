import Glibc
import Testing

@testable import Syscalls

/// An epoll and a wake-up that a macro can hold: neither can be copied.
private final class Poller {
  private let epoll: Epoll
  private let wakeUp: WakeUp

  init(capacity: Int = 16) throws {
    epoll = try Epoll(capacity: capacity)
    wakeUp = try WakeUp()
  }

  var wakeUpDescriptor: Int32 { wakeUp.descriptor }
  func signal() { wakeUp.signal() }
  func drain() { WakeUp.drain(wakeUp.descriptor) }

  func add(_ target: Int32, _ interest: Readiness, token: Int) throws {
    try epoll.add(target, interest, token: UnsafeMutableRawPointer(bitPattern: token))
  }
  func modify(_ target: Int32, _ interest: Readiness, token: Int) throws {
    try epoll.modify(target, interest, token: UnsafeMutableRawPointer(bitPattern: token))
  }
  func remove(_ target: Int32) throws { try epoll.remove(target) }

  func events(timeoutMilliseconds: Int32 = 0) throws -> [Int: Readiness] {
    var result: [Int: Readiness] = [:]
    for index in 0..<(try epoll.wait(timeoutMilliseconds: timeoutMilliseconds)) {
      let event = epoll.event(index)
      result[Int(bitPattern: event.token)] = event.readiness
    }
    return result
  }
}

/// Both ends of a pipe.
private final class Pipe {
  let reader: Int32
  private(set) var writer: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    (reader, writer) = (ends[0], ends[1])
  }

  func write() {
    var byte: UInt8 = 1
    #expect(Glibc.write(writer, &byte, 1) == 1)
  }

  func closeWriter() {
    _ = close(writer)
    writer = -1
  }

  deinit {
    _ = close(reader)
    if writer >= 0 { _ = close(writer) }
  }
}

struct EpollTests {
  @Test func tokensComeBackWithWhatTheirDescriptorsAreReadyFor() throws {
    let (poller, pipe) = (try Poller(), try Pipe())
    try poller.add(pipe.reader, .reading, token: 0x10)
    try poller.add(pipe.writer, .writing, token: 0x20)
    #expect(try poller.events() == [0x20: .writing])
    pipe.write()
    #expect(try poller.events() == [0x10: .reading, 0x20: .writing])
    // Level-triggered: told again as long as it is so.
    #expect(try poller.events() == [0x10: .reading, 0x20: .writing])
  }

  @Test func interestAndTokenCanChange() throws {
    let (poller, pipe) = (try Poller(), try Pipe())
    try poller.add(pipe.writer, .writing, token: 1)
    try poller.modify(pipe.writer, [], token: 1)
    #expect(try poller.events().isEmpty)
    try poller.modify(pipe.writer, .writing, token: 2)
    #expect(try poller.events() == [2: .writing])
    try poller.remove(pipe.writer)
    #expect(try poller.events().isEmpty)
  }

  @Test func aHangUpIsToldUnasked() throws {
    let (poller, pipe) = (try Poller(), try Pipe())
    try poller.add(pipe.reader, [], token: 1)
    #expect(try poller.events().isEmpty)
    pipe.closeWriter()
    let readiness = try #require(try poller.events()[1])
    #expect(!readiness.isDisjoint(with: .failed))
  }

  @Test func watchingTwiceOrForgettingTheUnknownIsAnError() throws {
    let (poller, pipe) = (try Poller(), try Pipe())
    try poller.add(pipe.reader, .reading, token: 1)
    let twice = #expect(throws: SystemError.self) {
      try poller.add(pipe.reader, .reading, token: 1)
    }
    #expect(twice?.number == EEXIST && twice?.call == "epoll_ctl")
    let unknown = #expect(throws: SystemError.self) { try poller.remove(pipe.writer) }
    #expect(unknown?.number == ENOENT)
  }

  @Test func moreEventsThanRoomComeInLaterTurns() throws {
    let poller = try Poller(capacity: 2)
    let pipes = try (0..<5).map { _ in try Pipe() }
    for (index, pipe) in pipes.enumerated() {
      pipe.write()
      try poller.add(pipe.reader, .reading, token: index + 1)
    }
    var seen = Set<Int>()
    for _ in 0..<5 {
      let events = try poller.events()
      #expect(events.count <= 2)
      seen.formUnion(events.keys)
    }
    #expect(seen == [1, 2, 3, 4, 5])
  }

  @Test func aWakeUpIsReadableFromSignalToDrain() throws {
    let poller = try Poller()
    try poller.add(poller.wakeUpDescriptor, .reading, token: 1)
    #expect(try poller.events().isEmpty)
    for _ in 0..<1_000 { poller.signal() }
    #expect(try poller.events() == [1: .reading])
    poller.drain()
    #expect(try poller.events().isEmpty)
    // Draining what is not signalled neither blocks nor fails.
    poller.drain()
    poller.signal()
    #expect(try poller.events() == [1: .reading])
  }

  @Test func aFullWakeUpIsStillReadable() throws {
    let poller = try Poller()
    try poller.add(poller.wakeUpDescriptor, .reading, token: 1)
    var most: UInt64 = .max - 1
    #expect(write(poller.wakeUpDescriptor, &most, 8) == 8)
    poller.signal()
    #expect(try poller.events() == [1: .reading])
    poller.drain()
    #expect(try poller.events().isEmpty)
  }

  @Test func anotherThreadEndsAWaitWithoutEnd() throws {
    let poller = try Poller()
    try poller.add(poller.wakeUpDescriptor, .reading, token: 1)
    let descriptor = poller.wakeUpDescriptor
    for _ in 0..<200 {
      let thread = try OwnedThread(name: "waker") {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
      }
      let events = try poller.events(timeoutMilliseconds: -1)
      thread.join()
      #expect(events == [1: .reading])
      poller.drain()
    }
  }
}
