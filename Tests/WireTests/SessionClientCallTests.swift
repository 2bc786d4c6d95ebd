import Core
import Testing

@testable import Wire

/// Rows D1 and D5 to D20 of proto/SESSION.md §7.2. D2 to D4 are of calls that wait, which the
/// machine does not know.
@Suite struct SessionClientCallTests {
  @Test func d1TheTimeOutIsWhatIsLeft() {
    let end = ClientEnd.opened()
    for timeout in [0, 1, 4_294_967_295] as [UInt32] {
      end.call(timeout: timeout)
      let payload = end.sent().last?.payload ?? []
      #expect(payload.prefix(4).elementsEqual(withUnsafeBytes(of: timeout.littleEndian) { $0 }))
    }
  }

  @Test func d1AFrameThatIsTooLongIsNotSent() {
    let end = ClientEnd.opened(serverHello(frameBytes: 16_384))
    #expect(end.call(message: [UInt8](repeating: 1, count: 16_369)) == nil)
    #expect(end.call(metadata: [UInt8](repeating: 1, count: 8_193)) == nil)
    #expect(end.call(metadata: [UInt8](repeating: 1, count: 70_000)) == nil)
    #expect(end.sent().isEmpty && end.balance == 1_000 && end.openCalls == 0 && end.hasRoom())
    #expect(end.call(message: [UInt8](repeating: 1, count: 16_368)) == 1)
    let metadata = [UInt8](repeating: 1, count: 8_192)
    #expect(end.call(message: [UInt8](repeating: 1, count: 8_176), metadata: metadata) == 2)
    #expect(end.sent().map(\.header.length) == [16_384, 16_384])
  }

  @Test func d5FurtherMessages() throws {
    let end = ClientEnd.opened()
    end.call(work: 2, isLast: false, isUnary: false)
    try end.message(1, work: 300, [7, 8])
    try end.message(1, work: 0, isLast: true)
    #expect(
      Array(end.takeOutput().dropFirst(32))
        == sessionFrame(Frame.message, [44, 1, 0, 0, 0, 0, 0, 0, 7, 8], call: 1)
        + sessionFrame(
          Frame.message, [0, 0, 0, 0, 0, 0, 0, 0], flags: SessionFlags.fin, call: 1))
    #expect(end.balance == 697)
  }

  @Test func d5AMessageThatIsTooLong() throws {
    let end = ClientEnd.opened(serverHello(frameBytes: 16_384))
    end.call(isLast: false)
    _ = end.sent()
    #expect(throws: SessionClient.MessageRefusal.self) {
      try end.message(1, work: 1, [UInt8](repeating: 1, count: 16_377), isLast: true)
    }
    #expect(end.sent().isEmpty && end.balance == 999)
    try end.message(1, work: 1, [UInt8](repeating: 1, count: 16_376), isLast: true)
    #expect(end.sent().map(\.header.length) == [16_384])
  }

  @Test func d6AMessageWaitsForCredit() throws {
    let end = ClientEnd.opened(serverHello(credit: 10))
    end.call(work: 10, isLast: false)
    _ = end.sent()
    #expect(throws: SessionClient.MessageRefusal.self) { try end.message(1, work: 1) }
    #expect(end.sent().isEmpty && end.balance == 0)
    end.feed(creditFrame(1))
    #expect(end.events == ["room"])
    try end.message(1, work: 900, isLast: true)
    #expect(end.balance == -899)
  }

  /// A session that drains has no place for calls, but credit for messages of open ones.
  @Test func d6AMessageWaitsAlsoInDraining() throws {
    let end = ClientEnd.opened(serverHello(credit: 1))
    end.call(isLast: false)
    #expect(!end.hasRoom())
    #expect(throws: SessionClient.MessageRefusal.self) { try end.message(1, work: 1) }
    end.drain()
    end.feed(creditFrame(1))
    #expect(end.events == ["room"] && !end.hasRoom())
    try end.message(1, work: 1)
    end.feed(creditFrame(1))
    #expect(end.events == ["room"])
  }

  @Test func d6AMessageWaitsForOutputToGo() throws {
    var bounds = SessionClient.Bounds()
    bounds.unsentBytes = 32
    let end = ClientEnd.opened(serverHello(), bounds)
    end.call(isLast: false)
    #expect(throws: SessionClient.MessageRefusal.self) { try end.message(1, work: 1) }
    // It costs no credit and is not held back (§4.3, §11).
    end.halfClose(1)
    end.cancel(1)
    #expect(end.sent().map(\.type) == [Frame.call, Frame.message, Frame.cancel])
    end.feed([])
    #expect(end.events == ["room"])
  }

  @Test func d7HalfClose() {
    let end = ClientEnd.opened(serverHello(credit: 1))
    end.call(isLast: false)
    _ = end.sent()
    end.halfClose(1)
    end.halfClose(1)
    #expect(
      end.takeOutput() == sessionFrame(Frame.message, flags: SessionFlags.fin, call: 1))
    #expect(end.balance == 0)
    #expect(throws: SessionClient.MessageRefusal.self) { try end.message(1, work: 1) }
    let unary = ClientEnd.opened()
    unary.call()
    _ = unary.sent()
    unary.halfClose(1)
    #expect(unary.sent().isEmpty)
  }

  @Test func d8d9RepliesInOrder() {
    let end = ClientEnd.opened()
    end.call(work: 5, isUnary: false)
    end.call(work: 5)
    end.feed(
      replyFrame(1, [0x61], isLast: false) + replyFrame(2, [0x62])
        + replyFrame(1, [], isLast: false) + replyFrame(1, [0x63]), cut: 3)
    #expect(end.events == ["message 1 a", "answered 2 b", "message 1 ", "answered 1 c"])
    #expect(end.balance == 1_000 && end.openCalls == 0)
  }

  /// §4.4: clients take both ways to end a call of several answers, and a unary one, too.
  @Test func d8d10EndBehindTheAnswers() {
    let end = ClientEnd.opened()
    end.call(isUnary: false)
    end.call()
    end.feed(replyFrame(1, [0x61], isLast: false) + endFrame(1, 0))
    end.feed(replyFrame(2, [0x62], isLast: false) + endFrame(2, 0))
    #expect(end.events == ["message 1 a", "ended 1 OK: ", "message 2 b", "ended 2 OK: "])
  }

  @Test func d9TheRecordOfAnAnswer() {
    var client = SessionClient(now: 1)
    let hello = helloFrame(serverHello().encoded)
    let payload: [UInt8] = [0x61, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0]
    let context = UnsafeMutableRawPointer(bitPattern: 77)
    hello.withUnsafeBytes { bytes in
      var rest = ByteSlice(bytes)
      while client.next(&rest, now: 1) != nil {}
    }
    let begun = client.begin(
      SessionCallStart(
        method: 1, work: 1, timeoutMicroseconds: 0, messageBytes: 0, context: context))
    client.seal(now: 1)
    #expect(begun?.id == 1)
    sessionFrame(Frame.reply, payload, flags: 1, code: 20, call: 1).withUnsafeBytes { bytes in
      var rest = ByteSlice(bytes)
      guard case .answered(let told, let message, let record)? = client.next(&rest, now: 1) else {
        Issue.record("no answer")
        return
      }
      #expect(told == context && message.text == "a")
      #expect(record.queueMicroseconds == 1 && record.scoreMicroseconds == 2)
      #expect(record.encodeMicroseconds == 3 && record.pushbackMilliseconds == .min)
    }
  }

  @Test func d10EveryStatus() {
    for code in [1, 2, 8, 16, 17, 99, .max] as [UInt16] {
      let end = ClientEnd.opened()
      end.call(work: 10)
      end.feed(endFrame(1, code, text: "why"))
      let name = StatusCode(rawValue: Int32(code))?.name ?? "UNKNOWN"
      #expect(end.events == ["ended 1 \(name): why"] && end.balance == 1_000)
    }
  }

  @Test func d10DetailsAndTextAtTheirLongest() {
    let end = ClientEnd.opened()
    end.call()
    let most = [UInt8](repeating: 0x61, count: 65_535)
    end.feed(
      sessionFrame(
        Frame.end, endRecord(pushback: -1, text: most, details: most), code: 8, call: 1),
      cut: 10_007)
    #expect(end.events.first?.utf8.count == "ended 1 RESOURCE_EXHAUSTED: ".utf8.count + 65_535)
  }

  @Test func d11UnaryOKWithoutAMessage() {
    let end = ClientEnd.opened()
    end.call(work: 10)
    end.feed(endFrame(1, 0))
    #expect(end.events.count == 1 && end.events[0].hasPrefix("ended 1 INTERNAL here: "))
    #expect(end.balance == 1_000 && end.sent().count == 1)
    end.call(isUnary: false)
    end.feed(endFrame(2, 0))
    #expect(end.events.last == "ended 2 OK: ")
  }

  @Test func d12ASecondAnswerToAUnaryCall() {
    let end = ClientEnd.opened()
    end.call(work: 10)
    _ = end.sent()
    let more = replyFrame(1, [0x61], isLast: false)
    end.feed(more + more + more)
    #expect(end.events.count == 2 && end.events[0] == "message 1 a")
    #expect(end.events[1].hasPrefix("ended 1 INTERNAL here: "))
    #expect(end.takeOutput() == sessionFrame(Frame.cancel, call: 1))
    #expect(end.balance == 990 && end.openCalls == 1)
    end.feed(endFrame(1, 1))
    #expect(end.balance == 1_000 && end.openCalls == 0 && end.events.count == 2)
  }

  /// If the second answer is the end, there is nothing to cancel.
  @Test func d12ASecondAnswerThatIsTheEnd() {
    let end = ClientEnd.opened()
    end.call(work: 10)
    _ = end.sent()
    end.feed(replyFrame(1, [0x61], isLast: false) + replyFrame(1, [0x62]))
    #expect(end.events.count == 2 && end.events[1].hasPrefix("ended 1 INTERNAL here: "))
    #expect(end.sent().isEmpty && end.balance == 1_000 && end.openCalls == 0)
  }

  /// D14, and D13 and D15, which reach the machine as the same.
  @Test func d14d15d16d17Abandoned() {
    for last in [replyFrame(1, [0x61]), endFrame(1, 1), endFrame(1, 0), endFrame(1, 4)] {
      let end = ClientEnd.opened()
      end.call(work: 10)
      _ = end.sent()
      end.cancel(1)
      end.cancel(1)
      #expect(end.takeOutput() == sessionFrame(Frame.cancel, call: 1))
      #expect(throws: SessionClient.MessageRefusal.self) { try end.message(1, work: 1) }
      end.halfClose(1)
      let more = replyFrame(1, [0x61], isLast: false)
      end.feed(more + more)
      #expect(end.openCalls == 1 && end.balance == 990)
      end.feed(last)
      #expect(end.openCalls == 0 && end.balance == 1_000)
      #expect(end.events.isEmpty && end.sent().isEmpty && end.failure == nil)
    }
  }

  /// Also CALLs without credit are cancelled at once (§11).
  @Test func d14NeverHeldBack() {
    let end = ClientEnd.opened(serverHello(credit: 1, calls: 1))
    end.call(work: 1_000)
    _ = end.sent()
    end.cancel(1)
    end.cancel(2)
    end.cancel(0)
    #expect(end.sent().map(\.type) == [Frame.cancel])
  }

  @Test func d18AbandonedAboveDrainIsNothing() {
    let end = ClientEnd.opened()
    for _ in 0..<3 { end.call() }
    end.cancel(2)
    end.feed(drainFrame(1))
    #expect(end.events == ["not started 3", "draining"] && end.openCalls == 1)
  }

  @Test func d19AbandonedInAFailureIsNothing() {
    let end = ClientEnd.opened()
    for _ in 0..<3 { end.call() }
    end.cancel(2)
    end.feed(sessionFrame(0))
    #expect(end.events == ["lost 1", "lost 3", "failed"] && end.openCalls == 0)
  }

  @Test func d20NoMessageBehindTheEnd() {
    let end = ClientEnd.opened()
    end.call(isLast: false)
    end.feed(endFrame(1, 3))
    _ = end.sent()
    for call in [0, 1, 2, .max] as [UInt32] {
      let refusal = #expect(throws: SessionClient.MessageRefusal.self) {
        try end.message(call, work: 1)
      }
      guard case .ended? = refusal else {
        Issue.record("\(String(describing: refusal))")
        continue
      }
    }
    #expect(end.sent().isEmpty && end.balance == 1_000)
  }
}
