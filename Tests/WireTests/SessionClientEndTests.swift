import Core
import Testing

@testable import Wire

/// How a session ends: rows C24 to C29 and C33 to C37 of proto/SESSION.md §7.1.
@Suite struct SessionClientEndTests {
  private func ending() -> ClientEnd {
    let end = ClientEnd.opened()
    end.drain()
    _ = end.sent()
    end.clear()
    #expect(end.state == .ending)
    return end
  }

  @Test func c24FramesOfACallThatIsNotOpen() throws {
    for id in [0, 1, 2, 3, 6, .max] as [UInt32] {
      for frame in [replyFrame(id, []), replyFrame(id, [], isLast: false), endFrame(id, 3)] {
        let end = ClientEnd.opened()
        for _ in 0..<5 { end.call() }
        for ended in 1...3 as ClosedRange<UInt32> { end.feed(endFrame(ended, 0)) }
        end.cancel(4)
        end.clear()
        _ = end.sent()
        end.feed(frame)
        try expectError(end, 25, ["\(id)"], lost: ["lost 5"])
      }
    }
  }

  /// §12: calls above DRAIN get no answer, also when it comes in the same piece.
  @Test func c24AnAnswerAboveDrain() throws {
    let end = ClientEnd.opened()
    for _ in 0..<2 { end.call() }
    _ = end.sent()
    end.feed(drainFrame(1) + replyFrame(2, []))
    try expectError(end, 25, ["2"], lost: ["lost 1", "not started 2"].sorted())
    #expect(end.ends == [1: 1, 2: 1])
  }

  @Test func c24InEndingTheStreamIsReset() throws {
    let end = ending()
    end.feed(endFrame(1, 0))
    #expect(end.failure?.text == (try SessionDocument().errors()[25]?.filled(["1"])))
    #expect(end.state == .closed && end.isReset && end.sent().isEmpty)
  }

  @Test func c25TheServerGivesUp() {
    let end = ClientEnd.opened()
    for _ in 0..<3 { end.call() }
    end.cancel(2)
    _ = end.sent()
    let text = Array("a frame's checksum is wrong".utf8)
    end.feed(sessionFrame(Frame.error, text, code: 15) + replyFrame(1, []))
    #expect(Set(end.events) == ["lost 1", "lost 3", "failed"] && end.events.last == "failed")
    #expect(end.failure?.code == .dataLoss && end.failure?.text == "a frame's checksum is wrong")
    #expect(end.failure?.isTold == true && end.failure?.isNotSpoken == false)
    #expect(end.state == .closed && end.isReset && end.sent().isEmpty)
    let last = ending()
    last.feed(sessionFrame(Frame.error, text, code: 12))
    #expect(last.events == ["failed"] && last.state == .closed && last.isReset)
    #expect(last.failure?.isNotSpoken == false)
  }

  @Test func c26TheCleanEnd() {
    let end = ending()
    #expect(end.trailers(0) && end.state == .closed && end.events.isEmpty)
    end.end("the connection is closed")
    #expect(end.events.isEmpty && end.failure == nil)
  }

  @Test func c27TrailersThatAreNoCleanEnd() {
    for status in [nil, 1, 14] as [Int?] {
      let end = ending()
      #expect(!end.trailers(status))
      #expect(end.events == ["failed"] && end.failure?.code == .unavailable)
      #expect(end.state == .closed)
    }
    let inside = ending()
    inside.feed(Array(creditFrame(1).dropLast()))
    #expect(!inside.trailers(0) && inside.events == ["failed"])
    let open = ClientEnd.opened()
    open.call()
    #expect(!open.trailers(0))
    #expect(open.events == ["lost 1", "failed"] && open.failure?.code == .unavailable)
  }

  @Test func c27TheConnectionIsGone() {
    let end = ClientEnd.opened()
    for _ in 0..<4 { end.call() }
    end.cancel(3)
    end.feed(Array(replyFrame(1, []).dropLast()))
    end.end("reset")
    #expect(Set(end.events) == ["lost 1", "lost 2", "lost 4", "failed"])
    #expect(end.events.last == "failed" && end.openCalls == 0 && end.failure?.text == "reset")
    let last = ending()
    last.end("reset")
    #expect(last.events == ["failed"] && last.state == .closed)
  }

  /// A call below DRAIN may have run, one above it has not (§8.3), whatever comes next.
  @Test func c27BehindDrain() {
    let end = ClientEnd.opened()
    for _ in 0..<4 { end.call() }
    end.feed(drainFrame(2))
    end.end()
    #expect(Set(end.events.prefix(2)) == ["not started 3", "not started 4"])
    #expect(Set(end.events[3...4]) == ["lost 1", "lost 2"])
    #expect(end.events[2] == "draining" && end.events[5...] == ["failed"])
  }

  @Test func c29TheServerHasNotSeenTheSession() {
    let end = ClientEnd.opened()
    for _ in 0..<3 { end.call() }
    end.cancel(1)
    end.end("refused", isRefused: true)
    #expect(Set(end.events) == ["not started 2", "not started 3", "failed"])
    #expect(end.state == .closed && end.ends == [2: 1, 3: 1])
    let opening = ClientEnd()
    opening.end("refused", isRefused: true)
    #expect(opening.events == ["failed"] && opening.state == .closed)
  }

  /// Near 2^32 − 2 the session is retired as in C20, by itself; 2^32 − 1 is never used.
  @Test func c33IdsAreUsedUp() {
    let end = ClientEnd.opened()
    end.highestCall = .max - 5
    var last: UInt32 = 0
    while end.hasRoom() { last = end.call() ?? 0 }
    #expect(last > .max - 5 && last < .max)
    end.clear()
    end.feed(endFrame(last, 0))
    #expect(end.events.contains("draining") && !end.events.contains("room"))
    #expect(end.state == .draining || end.state == .ending)
    #expect(end.sent().filter { $0.type == Frame.drain }.count == 1)
    // The server's own DRAIN may still come.
    end.feed(drainFrame(last))
    #expect(end.failure == nil && end.events.filter { $0 == "draining" }.count == 1)
    for call in end.highestCall - 20..<last {
      if end.isOpen(call) { end.feed(endFrame(call, 0)) }
    }
    #expect(end.state == .ending && end.trailers(0))
  }

  @Test func c35PingAndDrainAreIgnoredInEnding() {
    let end = ending()
    end.feed(sessionFrame(Frame.ping, [1, 2, 3, 4, 5, 6, 7, 8]) + drainFrame(0))
    #expect(end.state == .ending && end.failure == nil && end.sent().isEmpty)
    #expect(end.trailers(0))
  }

  @Test func c36WhatComesAfterAFailureIsDropped() throws {
    let end = ClientEnd.opened()
    end.call()
    _ = end.sent()
    end.feed(creditFrame(0) + replyFrame(1, []) + endFrame(1, 0) + creditFrame(0), cut: 9)
    end.feed(helloFrame([1, 2, 3]))
    end.cancel(1)
    end.halfClose(1)
    end.drain()
    #expect(throws: SessionClient.MessageRefusal.self) { try end.message(1, work: 1) }
    try expectError(end, 13, ["CREDIT"], lost: ["lost 1"])
    end.end("reset")
    #expect(end.events == ["lost 1", "failed"] && end.failure?.code == .internalError)
  }

  /// The stream is reset as soon as ERROR is gone, or after a second.
  @Test func c37ErrorThenReset() {
    let end = ClientEnd.opened()
    end.call()
    end.feed(creditFrame(0))
    #expect(end.state == .failed && !end.isReset)
    #expect(end.takeOutput(end.unsentBytes - 1).count > 0 && !end.isReset)
    _ = end.takeOutput()
    #expect(end.isReset)
    let slow = ClientEnd.opened()
    slow.feed(creditFrame(0))
    #expect(slow.nextDue == slow.now + 1_000_000_000)
    slow.now += 999_999_999
    slow.tick()
    #expect(slow.state == .failed && !slow.isReset)
    slow.now += 1
    slow.tick()
    #expect(slow.state == .closed && slow.isReset && slow.events == ["failed"])
    #expect(slow.nextDue == distantFutureNanoseconds)
  }

  /// A long text of a fault is cut: an ERROR's is at most 1,024 bytes.
  @Test func errorsAreBehindWhatIsQueued() {
    let end = ClientEnd.opened()
    end.call()
    end.feed(creditFrame(0))
    let sent = end.sent()
    #expect(sent.map(\.type) == [Frame.call, Frame.error])
    #expect(sent[1].payload.count <= 1_024)
  }
}
