import Core
import Testing

@testable import Wire

typealias Frame = SessionFrameType

/// The session has failed with a row of proto/SESSION.md §8.1: its ERROR, and nothing else, went
/// out, and every open call is told before the failure.
func expectError(
  _ end: ClientEnd, _ row: Int, _ values: [String] = [], lost: [String] = [],
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let told = try #require(try SessionDocument().errors()[row], sourceLocation: sourceLocation)
  let text = told.filled(values)
  let sent = end.sent()
  #expect(sent.map(\.type) == [Frame.error], sourceLocation: sourceLocation)
  let error = try #require(sent.first, sourceLocation: sourceLocation)
  #expect(
    Int32(error.header.code) == told.code.rawValue && error.header.call == 0
      && error.header.flags == 0, sourceLocation: sourceLocation)
  #expect(
    String(decoding: error.payload, as: UTF8.self) == text, sourceLocation: sourceLocation)
  #expect(end.failure?.code == told.code, sourceLocation: sourceLocation)
  #expect(end.failure?.text == text, sourceLocation: sourceLocation)
  #expect(end.failure?.isTold == false, sourceLocation: sourceLocation)
  #expect(end.events == lost + ["failed"], sourceLocation: sourceLocation)
  #expect(
    end.state == .failed && end.isReset && end.openCalls == 0,
    sourceLocation: sourceLocation)
}

/// §5: what is checked of every frame, and the error's row, code and text of §8.1.
@Suite struct SessionClientFaultTests {
  @Test(arguments: [16_384, 20_000])
  func f1AFrameOverItsBoundIsFoundAtItsHeader(bound: Int) throws {
    var bounds = SessionClient.Bounds()
    bounds.frameBytes = bound
    let end = ClientEnd.opened(serverHello(), bounds)
    end.feed(Array(sessionFrame(200, [UInt8](repeating: 1, count: bound))))
    #expect(end.failure == nil)
    let over = sessionFrame(200, [UInt8](repeating: 1, count: bound + 1))
    end.feed(Array(over.prefix(15)))
    #expect(end.failure == nil)
    end.feed([over[15]])
    try expectError(end, 3, ["\(bound + 1)", "\(bound)"])
  }

  @Test func f1BeforeHelloTheBoundIsThatOfHello() throws {
    let end = ClientEnd()
    _ = end.sent()
    var header = sessionFrame(Frame.hello, code: 1)
    header.replaceSubrange(0..<4, with: [1, 0, 1, 0])
    end.feed(header)
    try expectError(end, 3, ["65537", "65536"])
    #expect(end.failure?.isNotSpoken == false)
  }

  @Test(arguments: [4, 5, 9, 12, 15, 16, 19])
  func f3AWrongChecksum(byte: Int) throws {
    let end = ClientEnd.opened()
    var frame = creditFrame(5)
    frame[byte] ^= 4
    end.feed(frame, cut: 7)
    try expectError(end, 1)
  }

  @Test func f3WithoutChecksumsNothingIsComparedAndNothingComputed() {
    var bounds = SessionClient.Bounds()
    bounds.withoutChecksums = true
    let end = ClientEnd.opened(serverHello(flags: 1), bounds)
    var frame = creditFrame(5, withChecksum: false)
    frame[13] = 77
    end.feed(frame)
    #expect(end.balance == 1_005 && end.failure == nil)
    end.call()
    end.feed(sessionFrame(Frame.ping, [1, 2, 3, 4, 5, 6, 7, 8], withChecksum: false))
    #expect(end.sent().map(\.checksum) == [0, 0])
  }

  /// One end's flag is not enough, and both HELLO have their checksums whatever they say.
  @Test(arguments: [(false, 0 as UInt32), (false, 1), (true, 0), (true, 1)])
  func f3TheModeNeedsBothEnds(own: Bool, server: UInt32) throws {
    var bounds = SessionClient.Bounds()
    bounds.withoutChecksums = own
    let end = ClientEnd(bounds)
    let hello = try #require(end.sent().first)
    #expect(hello.checksum != 0)
    end.feed(helloFrame(serverHello(flags: server | 0xFFF0).encoded))
    end.call()
    #expect((end.sent().first?.checksum == 0) == (own && server == 1))
    var damaged = helloFrame(serverHello(flags: server).encoded)
    damaged[20] ^= 1
    let second = ClientEnd(bounds)
    _ = second.sent()
    second.feed(damaged)
    try expectError(second, 1)
  }

  @Test func f5ExtensionsAreSkippedWhateverTheySay() {
    let end = ClientEnd.opened()
    for type in 128...255 as ClosedRange<UInt8> {
      end.feed(
        sessionFrame(
          type, Array(repeating: type, count: Int(type) - 120), flags: 255, code: 99, call: 7))
    }
    #expect(end.failure == nil && end.events.isEmpty && end.sent().isEmpty)
  }

  @Test func f6UnknownTypes() throws {
    for type in [0] + (11...127 as ClosedRange<UInt8>) {
      let end = ClientEnd.opened()
      // F6 comes before F8 and F9.
      end.feed(sessionFrame(type, [1], flags: 3, code: 4, call: 5))
      try expectError(end, 10, ["\(type)"])
    }
  }

  @Test func f7TypesThatOnlyAServerReceives() throws {
    let types = [(Frame.call, "CALL"), (Frame.message, "MESSAGE"), (Frame.cancel, "CANCEL")]
    for (type, name) in types {
      let end = ClientEnd.opened()
      end.feed(sessionFrame(type, [1], flags: 255, code: 4, call: 5))
      try expectError(end, 11, [name])
    }
  }

  @Test func f8UndefinedFlagsAndUnusedFields() throws {
    let (ping, credit) = ([UInt8](repeating: 0, count: 8), [1, 0, 0, 0] as [UInt8])
    var bad: [(String, [UInt8])] = [
      ("REPLY", sessionFrame(Frame.reply, endRecord(), flags: 2, call: 1)),
      ("REPLY", sessionFrame(Frame.reply, [1], code: 20, call: 1)),
      ("END", sessionFrame(Frame.end, endRecord(), flags: 1, call: 1)),
    ]
    for bit in 0..<8 {
      let flag = UInt8(1) << UInt8(bit)
      if bit > 1 {
        bad.append(("REPLY", sessionFrame(Frame.reply, [], flags: flag, call: 1)))
        bad.append(
          ("REPLY", sessionFrame(Frame.reply, endRecord(), flags: flag | 1, code: 20, call: 1)))
        bad.append(("END", sessionFrame(Frame.end, endRecord(), flags: flag, call: 1)))
      }
      bad.append(("CREDIT", sessionFrame(Frame.credit, credit, flags: flag)))
      bad.append(("DRAIN", sessionFrame(Frame.drain, flags: flag)))
      if bit > 0 { bad.append(("PING", sessionFrame(Frame.ping, ping, flags: flag))) }
    }
    for field in [1 as UInt32, .max] {
      bad.append(("CREDIT", sessionFrame(Frame.credit, credit, call: field)))
      bad.append(("PING", sessionFrame(Frame.ping, ping, call: field)))
      bad.append(("CREDIT", sessionFrame(Frame.credit, credit, code: UInt16(clamping: field))))
      bad.append(("PING", sessionFrame(Frame.ping, ping, code: UInt16(clamping: field))))
      bad.append(("DRAIN", sessionFrame(Frame.drain, code: UInt16(clamping: field))))
    }
    for (name, frame) in bad {
      let end = ClientEnd.opened()
      end.call()
      _ = end.sent()
      end.feed(frame)
      try expectError(end, 12, [name], lost: ["lost 1"])
    }
    for hello in [
      sessionFrame(Frame.hello, serverHello().encoded, flags: 1, code: 1),
      sessionFrame(Frame.hello, serverHello().encoded, code: 1, call: 1),
    ] {
      let end = ClientEnd()
      _ = end.sent()
      end.feed(hello)
      try expectError(end, 12, ["HELLO"])
    }
  }

  @Test func f9PayloadsThatHaveNotTheirForm() throws {
    let text = Array("why".utf8)
    var bad: [(String, [UInt8])] = [
      ("DRAIN", sessionFrame(Frame.drain, [0])),
      ("CREDIT", sessionFrame(Frame.credit, [0, 0, 0, 0])),
      // OK has no text, no details, no pushback.
      ("END", sessionFrame(Frame.end, endRecord(text: text), call: 1)),
      ("END", sessionFrame(Frame.end, endRecord(details: text), call: 1)),
      ("END", sessionFrame(Frame.end, endRecord(pushback: 0), call: 1)),
      ("REPLY", reply(endRecord(pushback: 5))), ("REPLY", reply(endRecord(text: text))),
      ("REPLY", reply([1] + endRecord(text: text), record: 23)),
      ("REPLY", reply(Array(endRecord().dropLast()), record: 20)),
      ("REPLY", reply(endRecord(), record: 0)), ("REPLY", reply(endRecord(), record: 19)),
      ("REPLY", reply(endRecord(), record: 21)), ("REPLY", reply([1] + endRecord(), record: 21)),
      ("REPLY", reply([], record: 20)), ("REPLY", reply(endRecord(), record: .max)),
    ]
    for count in 0...12 {
      let bytes = [UInt8](repeating: 1, count: count)
      if count != 4 { bad.append(("CREDIT", sessionFrame(Frame.credit, bytes))) }
      if count != 8 {
        bad.append(("PING", sessionFrame(Frame.ping, bytes)))
        bad.append(("PING", sessionFrame(Frame.ping, bytes, flags: 1)))
      }
    }
    for code in [0, 8, 99] as [UInt16] {
      let whole = endRecord(text: text, details: [1, 2])
      for count in 0..<whole.count {
        let part = Array(whole.prefix(count))
        bad.append(("END", sessionFrame(Frame.end, part, code: code, call: 1)))
      }
      bad.append(("END", sessionFrame(Frame.end, whole + [0], code: code, call: 1)))
    }
    for (name, frame) in bad {
      let end = ClientEnd.opened()
      end.call()
      _ = end.sent()
      end.feed(frame)
      try expectError(end, 13, [name], lost: ["lost 1"])
    }
  }

  private func reply(_ payload: [UInt8], record: UInt16 = 20) -> [UInt8] {
    sessionFrame(Frame.reply, payload, flags: SessionFlags.last, code: record, call: 1)
  }

  /// F8 and F9 do not hold for ERROR (§4.10).
  @Test func f9AnErrorIsNeverMalformed() {
    let codes: [(UInt16, StatusCode)] = [
      (0, .unknown), (1, .cancelled), (13, .internalError), (16, .unauthenticated),
      (17, .unknown), (.max, .unknown),
    ]
    for (code, read) in codes {
      let end = ClientEnd.opened()
      let text: [UInt8] = [0x61, 0xFF, 0x62] + [UInt8](repeating: 0x63, count: 5_000)
      end.feed(sessionFrame(Frame.error, text, flags: 255, code: code, call: 9))
      #expect(end.failure?.code == read && end.failure?.isTold == true)
      #expect(end.failure?.text.hasPrefix("a\u{FFFD}bccc") == true)
      #expect((end.failure?.text.utf8.count ?? .max) <= 1_024 + 2)
      #expect(end.state == .closed && end.sent().isEmpty)
    }
  }

  /// F1 and F3 before the tables of §7: a frame is judged in the order of its rows.
  @Test func rowsAreTriedInTheirOrder() throws {
    var frame = sessionFrame(77, [1, 2], flags: 255, call: 9)
    frame[14] ^= 1
    let checksum = ClientEnd.opened()
    checksum.feed(frame)
    try expectError(checksum, 1)
    // F8 before C24, F9 before C24.
    let flags = ClientEnd.opened()
    flags.feed(sessionFrame(Frame.end, endRecord(), flags: 4, call: 9))
    try expectError(flags, 12, ["END"])
    let form = ClientEnd.opened()
    form.feed(sessionFrame(Frame.end, [1], call: 9))
    try expectError(form, 13, ["END"])
    // F4 before F5 to F9.
    let first = ClientEnd()
    _ = first.sent()
    first.feed(sessionFrame(200, [1], flags: 255, code: 3, call: 9))
    try expectError(first, 6)
  }

  /// What waits for a server that asks and does not read is bounded (F2).
  @Test func f2PingsWhoseAnswersAreNotRead() throws {
    let end = ClientEnd.opened()
    let ping = sessionFrame(Frame.ping, [1, 2, 3, 4, 5, 6, 7, 8])
    // Read, if slowly: without an end.
    for _ in 0..<20_000 {
      end.feed(ping)
      #expect(end.takeOutput(end.unsentBytes > 1_000 ? 25 : 3).count > 0)
    }
    #expect(end.failure == nil && end.unsentBytes < 2_000)
    _ = end.takeOutput()
    var asked = 0
    while end.failure == nil, asked < 10_000 {
      end.feed(ping)
      asked += 1
    }
    #expect(asked > 2_000 && asked <= 4_097 && end.unsentBytes <= 24 * asked + 64)
    let sent = end.sent()
    #expect(sent.dropLast().allSatisfy { $0.type == Frame.ping } && sent.last?.type == Frame.error)
    let told = try #require(try SessionDocument().errors()[28])
    #expect(end.failure?.text == told.filled(["8"]) && end.failure?.code == told.code)
  }
}
