import Core
import Testing

@testable import Wire

private let second: UInt64 = 1_000_000_000

/// §13: timers, by a clock that is a number. Rows C30 to C32 and C34; C10 and C37 stand with their
/// states.
@Suite struct SessionClientTimeTests {
  private func due(_ end: ClientEnd) -> UInt64 { end.nextDue - end.now }

  private func pass(_ end: ClientEnd, _ time: UInt64) {
    end.now += time
    end.tick()
  }

  @Test func c30NothingReceived() {
    let end = ClientEnd.opened()
    #expect(due(end) == 10 * second)
    // What is sent does not restart the timer of what is received.
    pass(end, 6 * second)
    end.call()
    _ = end.sent()
    pass(end, 4 * second - 1)
    #expect(end.sent().isEmpty && due(end) == 1)
    pass(end, 1)
    let pings = end.sent()
    #expect(pings.map(\.type) == [Frame.ping] && pings[0].header.flags == 0)
    #expect(pings[0].header.call == 0 && pings[0].payload.count == 8)
    // Both timers begin anew: the next thing is silence, or the next PING, 10 s later.
    #expect(due(end) == 10 * second)
  }

  @Test func c30NothingSent() {
    let end = ClientEnd.opened()
    for _ in 0..<3 {
      for _ in 0..<4 {
        pass(end, 2 * second)
        end.feed(creditFrame(1))
        #expect(end.sent().isEmpty)
      }
      pass(end, 2 * second)
      #expect(end.sent().map(\.type) == [Frame.ping])
    }
  }

  /// Every frame that goes restarts it: of each kind.
  @Test func c30WhatIsSentRestartsIt() throws {
    let end = ClientEnd.opened()
    func send(_ action: () throws -> Void) rethrows {
      end.now += 9 * second
      end.feed(sessionFrame(200))
      try action()
      #expect(end.sent().count == 1)
      #expect(due(end) == 10 * second)
    }
    send { end.call(isLast: false, isUnary: false) }
    try send { try end.message(1, work: 1) }
    send { end.halfClose(1) }
    send { end.cancel(1) }
    send { end.call() }
    send { end.feed(sessionFrame(Frame.ping, [1, 2, 3, 4, 5, 6, 7, 8])) }
    end.feed(replyFrame(2, [], isLast: false))
    send { end.feed(replyFrame(2, [], isLast: false)) }
    end.call()
    _ = end.sent()
    send { end.drain() }
  }

  @Test func c31Silence() throws {
    let end = ClientEnd.opened()
    end.call()
    _ = end.sent()
    pass(end, 10 * second)
    #expect(end.sent().map(\.type) == [Frame.ping])
    pass(end, 10 * second - 1)
    #expect(end.state == .open)
    pass(end, 1)
    try expectError(end, 21, ["20"], lost: ["lost 1"])
  }

  /// Every byte received restarts it, also one of a frame that is not whole.
  @Test func c31OneByteIsEnough() {
    let end = ClientEnd.opened()
    let frame = sessionFrame(200, [1, 2, 3])
    for byte in frame {
      pass(end, second / 2)
      end.feed([byte])
    }
    pass(end, 19 * second)
    #expect(end.state == .open)
    pass(end, second)
    #expect(end.failure?.text == "nothing was received for 20 s")
  }

  @Test func c32AnIncompleteFrame() throws {
    let end = ClientEnd.opened()
    end.call()
    _ = end.sent()
    let frame = sessionFrame(200, [UInt8](repeating: 1, count: 30))
    end.feed([frame[0]])
    // Bytes in between do not restart it.
    for byte in frame[1...9] {
      pass(end, second)
      end.feed([byte])
    }
    #expect(due(end) == second && end.state == .open)
    _ = end.sent()
    pass(end, second - 1)
    _ = end.sent()
    #expect(end.state == .open)
    pass(end, 1)
    try expectError(end, 4, ["10"], lost: ["lost 1"])
  }

  /// It runs from a frame's own first byte: a stream whose pieces never end with a frame is in
  /// good order as long as each of its frames is quick.
  @Test func c32EachFrameHasItsOwnTime() {
    let end = ClientEnd.opened()
    let frame = sessionFrame(200, [1, 2, 3, 4])
    end.feed(Array(frame[..<10]))
    for _ in 0..<40 {
      pass(end, 3 * second)
      #expect(end.state == .open)
      end.feed(Array(frame[10...] + frame[..<10]))
      #expect(due(end) <= 10 * second)
    }
    #expect(end.failure == nil)
    _ = end.sent()
    pass(end, 10 * second)
    #expect(end.failure?.text == "a frame was incomplete for 10 s")
  }

  /// What completes one frame and begins another starts the time of the other.
  @Test func c32TheNextFrameBeginsWithItsFirstByte() {
    let end = ClientEnd.opened()
    let frame = sessionFrame(200, [1, 2, 3, 4])
    end.feed(Array(frame[..<10]))
    pass(end, 9 * second)
    end.feed(Array(frame[10...] + frame + frame[..<1]))
    pass(end, 9 * second)
    #expect(end.failure == nil)
    pass(end, second)
    #expect(end.failure?.text == "a frame was incomplete for 10 s")
  }

  @Test func c32AFrameThatIsWholeHasNoTimer() {
    let end = ClientEnd.opened()
    let frame = sessionFrame(200, [1, 2, 3, 4])
    end.feed(frame, cut: 3)
    pass(end, 15 * second)
    #expect(end.failure == nil)
    end.feed(frame)
    #expect(due(end) == 10 * second)
  }

  @Test func c34NoTrailers() {
    let end = ClientEnd.opened()
    end.drain()
    #expect(end.state == .ending && due(end) == 10 * second)
    end.now += 9 * second
    end.feed(creditFrame(1))
    end.tick()
    #expect(end.state == .ending && due(end) == second)
    pass(end, second)
    #expect(end.state == .closed && end.isReset && end.events == ["failed"])
    #expect(end.failure?.code == .unavailable)
    #expect(end.sent().map(\.type) == [Frame.drain])
  }

  /// Other times, as §13 allows; the texts say them.
  @Test func timesAreBounds() throws {
    var bounds = SessionClient.Bounds()
    (bounds.heartbeatNanoseconds, bounds.silenceNanoseconds) = (second, 30 * second)
    bounds.frameNanoseconds = 3 * second
    let end = ClientEnd.opened(serverHello(), bounds)
    for _ in 0..<29 { pass(end, second) }
    #expect(end.sent().map(\.type) == Array(repeating: Frame.ping, count: 29))
    pass(end, second)
    try expectError(end, 21, ["30"])
    let slow = ClientEnd.opened(serverHello(), bounds)
    slow.feed([1])
    pass(slow, 3 * second)
    #expect(slow.failure?.text == "a frame was incomplete for 3 s")
    let opening = ClientEnd(bounds)
    _ = opening.sent()
    pass(opening, 3 * second)
    try expectError(opening, 5, ["3"])
  }

  /// A tick before its time, or of a session that is over, does nothing.
  @Test func ticksTooEarlyAndTooLate() {
    let end = ClientEnd.opened()
    for _ in 0..<9 { pass(end, second) }
    #expect(end.sent().isEmpty)
    end.end()
    end.clear()
    pass(end, 100 * second)
    #expect(end.events.isEmpty && end.sent().isEmpty)
  }
}
