import Core
import Testing

@testable import Wire

/// Rows C12 to C29 and C33 to C36 of proto/SESSION.md §7.1. C2 to C4 are HTTP's, not the
/// machine's.
@Suite struct SessionClientStateTests {
  /// One whose last call has ended behind its DRAIN: END_STREAM is to go.
  private func ending() -> ClientEnd {
    let end = ClientEnd.opened()
    end.call()
    end.drain()
    _ = end.sent()
    end.feed(endFrame(1, 0))
    end.clear()
    #expect(end.state == .ending)
    return end
  }

  /// A fault in Ending: nothing can be said, the stream is reset.
  private func expectReset(_ end: ClientEnd, _ row: Int, _ values: [String] = []) throws {
    let told = try #require(try SessionDocument().errors()[row])
    #expect(end.events == ["failed"] && end.failure?.text == told.filled(values))
    #expect(end.failure?.code == told.code)
    #expect(end.state == .closed && end.isReset && end.sent().isEmpty)
  }

  @Test func c12ACallAsItGoesOut() throws {
    let end = ClientEnd.opened()
    let metadata: [UInt8] = [1, 97, 2, 0, 98, 99]
    var start = SessionCallStart(
      method: 2, work: 300, timeoutMicroseconds: 0x0102_0304, messageBytes: 3, context: nil)
    (start.isBatch, start.attempt, start.isLast) = (true, 7, false)
    let begun = metadata.withUnsafeBytes { bytes in
      start.metadata = ByteSlice(bytes)
      return end.machine.pointee.begin(start)
    }
    try #require(begun).message.copyMemory(from: [1, 2, 3] as [UInt8], byteCount: 3)
    end.machine.pointee.seal(now: end.now)
    let frame = sessionFrame(
      Frame.call,
      [4, 3, 2, 1, 44, 1, 0, 0, 1, 7, 6, 0, 0, 0, 0, 0] + metadata + [1, 2, 3], code: 2, call: 1)
    #expect(end.takeOutput() == frame)
    #expect(end.balance == 700 && end.openCalls == 1 && end.highestCall == 1)
  }

  @Test func c12CallsAreNumberedUpwards() {
    let end = ClientEnd.opened()
    for id in 1...300 as ClosedRange<UInt32> {
      #expect(end.hasRoom() && end.call() == id)
      end.feed(replyFrame(id, []))
    }
    #expect(end.sent().map(\.header.call) == Array(1...300) && end.balance == 1_000)
  }

  @Test func c13NoRoomWithoutCredit() {
    let end = ClientEnd.opened(serverHello(credit: 1))
    #expect(end.hasRoom())
    end.call(work: 50)
    #expect(!end.hasRoom() && end.balance == -49)
    end.feed(creditFrame(49))
    #expect(end.events.isEmpty && end.balance == 0)
    end.feed(creditFrame(1))
    #expect(end.events == ["room"] && end.hasRoom())
    end.feed(creditFrame(1))
    #expect(end.events == ["room"], "told once, to whom it was denied")
    end.feed(endFrame(1, 0))
    #expect(end.balance == 52)
  }

  @Test func c13NoRoomWithMaxCallsOpen() {
    var bounds = SessionClient.Bounds()
    bounds.calls = 3
    for (hello, most) in [(serverHello(calls: 2), 2), (serverHello(calls: 9), 3)] {
      let end = ClientEnd.opened(hello, bounds)
      for _ in 0..<most {
        #expect(end.hasRoom())
        end.call()
      }
      #expect(!end.hasRoom())
      // An abandoned call counts until its end has come (§11).
      end.cancel(1)
      end.feed([])
      #expect(!end.hasRoom() && end.events.isEmpty)
      end.feed(endFrame(1, 1))
      #expect(end.events == ["room"] && end.hasRoom())
    }
  }

  @Test func c13NoRoomWhileOutputWaits() {
    var bounds = SessionClient.Bounds()
    bounds.unsentBytes = 100
    let end = ClientEnd.opened(serverHello(), bounds)
    end.call(message: [UInt8](repeating: 1, count: 68))
    #expect(end.unsentBytes == 100 && !end.hasRoom())
    end.feed([])
    #expect(end.events.isEmpty)
    #expect(end.takeOutput(1).count == 1)
    end.feed([])
    #expect(end.events == ["room"] && end.hasRoom())
  }

  @Test func c14ASecondHello() throws {
    let end = ClientEnd.opened()
    end.call()
    _ = end.sent()
    end.feed(helloFrame(serverHello().encoded))
    try expectError(end, 7, lost: ["lost 1"])
    let last = ending()
    last.feed(helloFrame(serverHello().encoded))
    try expectReset(last, 7)
  }

  @Test func c15c16CreditUpToItsBound() throws {
    let end = ClientEnd.opened(serverHello(credit: 2_147_483_640))
    end.feed(creditFrame(7))
    #expect(end.balance == 2_147_483_647)
    end.call(work: 7)
    end.feed(creditFrame(7))
    #expect(end.balance == 2_147_483_647 && end.failure == nil)
    _ = end.sent()
    end.feed(creditFrame(1))
    try expectError(end, 26, lost: ["lost 1"])
    let most = ClientEnd.opened(serverHello(credit: 2_147_483_647))
    most.feed(creditFrame(.max))
    try expectError(most, 26)
    let last = ending()
    last.feed(creditFrame(5))
    #expect(last.balance == 1_005 && last.failure == nil)
    last.feed(creditFrame(.max))
    try expectReset(last, 26)
  }

  /// What a server gives back beyond the bound by ends is no CREDIT, and no overflow.
  @Test func c16EndsBehindCreditDoNotOverflow() {
    let end = ClientEnd.opened(serverHello(credit: 2_147_483_647, calls: 1_024))
    for _ in 0..<1_000 {
      end.call(work: .max)
      while end.balance <= 0 { end.feed(creditFrame(2_147_483_647)) }
    }
    for id in 1...1_000 as ClosedRange<UInt32> { end.feed(endFrame(id, 8)) }
    #expect(end.balance > 4_000_000_000_000 && end.failure == nil && end.openCalls == 0)
  }

  @Test func c17ServerDrains() {
    let end = ClientEnd.opened(serverHello(calls: 6))
    for _ in 0..<6 { end.call() }
    #expect(!end.hasRoom())
    end.cancel(2)
    end.cancel(5)
    end.feed(drainFrame(3))
    #expect(Set(end.events.dropLast()) == ["not started 4", "not started 6"])
    #expect(end.events.last == "draining" && end.events.count == 3 && end.state == .draining)
    #expect(!end.hasRoom() && end.openCalls == 3)
    end.clear()
    for id in 1...3 as ClosedRange<UInt32> { end.feed(replyFrame(id, [0x61])) }
    #expect(end.events == ["answered 1 a", "answered 3 a"])
    #expect(end.state == .ending && end.endsStream)
  }

  @Test func c17DrainOfAllCallsAtOnce() {
    let end = ClientEnd.opened()
    for _ in 0..<3 { end.call() }
    end.feed(drainFrame(0) + creditFrame(1))
    #expect(end.events.count == 4 && end.events.last == "draining")
    #expect(end.ends == [1: 1, 2: 1, 3: 1] && end.state == .ending)
    let idle = ClientEnd.opened()
    idle.feed(drainFrame(0))
    #expect(idle.events == ["draining"] && idle.state == .ending)
  }

  /// §12: both ends may drain at once; each says it at most once.
  @Test func c17c20BothDrainAtOnce() {
    let end = ClientEnd.opened()
    for _ in 0..<3 { end.call() }
    end.drain()
    end.drain()
    end.feed(drainFrame(2))
    #expect(end.events == ["not started 3", "draining"])
    #expect(end.sent().map(\.type) == [Frame.call, Frame.call, Frame.call, Frame.drain])
    end.drain()
    end.feed(endFrame(1, 0) + replyFrame(2, []))
    #expect(end.sent().isEmpty && end.state == .ending)
    #expect(end.trailers(0) && end.state == .closed && end.failure == nil)
  }

  @Test func c18DrainOfACallThatWasNeverSent() throws {
    let end = ClientEnd.opened()
    end.call()
    _ = end.sent()
    end.feed(drainFrame(2))
    try expectError(end, 27, ["2"], lost: ["lost 1"])
    let second = ClientEnd.opened()
    second.feed(drainFrame(.max))
    try expectError(second, 27, ["4294967295"])
  }

  @Test func c19ASecondDrain() throws {
    let end = ClientEnd.opened()
    end.call()
    end.feed(drainFrame(1))
    _ = end.sent()
    end.clear()
    end.feed(drainFrame(1))
    try expectError(end, 19, lost: ["lost 1"])
  }

  @Test func c20c21TheClientRetires() {
    let end = ClientEnd.opened()
    end.call()
    end.call(isLast: false)
    end.drain()
    #expect(end.state == .draining && !end.hasRoom() && !end.endsStream)
    let drain = end.sent().last
    #expect(
      drain?.header == SessionFrameHeader(type: Frame.drain, length: 0) && drain?.payload == [])
    // Open calls finish; a further message of one still goes.
    #expect(throws: Never.self) { try end.message(2, work: 1, isLast: true) }
    end.feed(endFrame(2, 0))
    #expect(end.state == .draining)
    end.feed(replyFrame(1, []))
    #expect(end.state == .ending && end.endsStream)
    #expect(end.balance == 999 && end.openCalls == 0)
  }

  @Test func c22PingsAreAnsweredInOrder() {
    let end = ClientEnd.opened()
    var fed: [UInt8] = []
    for number in 1...5 as ClosedRange<UInt8> {
      fed += sessionFrame(Frame.ping, [number, 0, 0, 0, 0, 0, 0, 9])
      fed += sessionFrame(Frame.ping, [99, 0, 0, 0, 0, 0, 0, 9], flags: SessionFlags.answer)
    }
    end.feed(fed, cut: 11)
    let sent = end.sent()
    #expect(sent.map(\.payload) == (1...5).map { [$0, 0, 0, 0, 0, 0, 0, 9] })
    #expect(sent.allSatisfy { $0.type == Frame.ping && $0.header.flags == SessionFlags.answer })
    #expect(end.events.isEmpty)
  }
}
