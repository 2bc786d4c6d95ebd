import Core
import Testing

@testable import Wire

/// The opening: rows C1 and C5 to C11, and what a server's HELLO must be (§4.1).
@Suite struct SessionClientHelloTests {
  private func opening(_ bounds: SessionClient.Bounds = SessionClient.Bounds()) -> ClientEnd {
    let end = ClientEnd(bounds)
    _ = end.sent()
    return end
  }

  @Test func c1BeginsWithHello() throws {
    var bounds = SessionClient.Bounds()
    (bounds.frameBytes, bounds.calls) = (4_259_840, 256)
    let end = ClientEnd(bounds)
    let example = try SessionDocument().examples().first { $0.name == "hello-client" }
    #expect(end.takeOutput() == example?.bytes)
    #expect(end.state == .opening && !end.hasRoom() && end.balance == 0)
    #expect(!end.endsStream && !end.isReset)
  }

  @Test func c5TakesTheServersHello() throws {
    let end = opening()
    let example = try SessionDocument().examples().first { $0.name == "hello-server" }
    end.feed(try #require(example).bytes, cut: 5)
    #expect(end.events == ["opened"] && end.state == .open && end.balance == 65_536)
    #expect(end.method("/crescendo.v1.PromotionScoreService/ScoreMany") == 3)
    #expect(end.method("/grpc.health.v1.Health/Watch") == 5)
    #expect(end.method("/grpc.health.v1.Health/") == nil)
    #expect(end.sent().isEmpty && end.hasRoom())
  }

  /// Ids are the server's choice.
  @Test func c5MethodsHaveTheIDsThatTheServerGives() {
    let end = opening()
    end.feed(
      helloFrame(numbers(1_000_000, 5, 3) + method(65_535, "/a/B") + method(7, "/a/C")))
    #expect(end.method("/a/B") == 65_535)
    #expect(end.method("/a/C") == 7)
    #expect(end.method("/a/D") == nil)
  }

  /// Unknown fields and flags are ignored, in every version's HELLO (§16).
  @Test func c5UnknownFieldsAreIgnored() {
    let end = opening()
    let unknown: [UInt8] = [0x32, 2, 9, 9, 0x38, 5, 0x2D | 0x80, 1, 1, 2, 3, 4]
    end.feed(
      helloFrame(unknown + numbers(16_384, 1, 1) + method(1, "/a/B", extra: [0x18, 4])))
    #expect(end.events == ["opened"] && end.balance == 1)
  }

  @Test func c5TheBoundsOfHelloAreTaken() {
    for (credit, calls) in [(0, 1), (2_147_483_647, 4_294_967_295)] as [(UInt64, UInt64)] {
      let end = opening()
      end.feed(helloFrame(numbers(16_384, credit, calls)))
      #expect(end.events == ["opened"] && end.balance == Int64(credit))
      #expect(end.hasRoom() == (credit > 0))
    }
  }

  @Test func c6AnotherVersion() throws {
    for version in [0, 2, 99, .max] as [UInt16] {
      let end = opening()
      end.feed(helloFrame(serverHello().encoded, version: version))
      try expectError(end, 8, ["\(version)"])
      #expect(end.failure?.isNotSpoken == true)
    }
  }

  @Test func c7MalformedHello() throws {
    let good = numbers(16_384, 5, 3)
    let bad: [[UInt8]] = [
      [], numbers(16_383, 5, 3), numbers(16_384, 2_147_483_648, 3), numbers(16_384, 5, 0),
      good + [0xFF], good + [0x22], good + [0x22, 5, 1], good + [0x0D, 1, 2, 3, 4],
      good + [0x0A, 0], good + [0x20, 1], good + [0x00, 1],
      good + [0x08]
        + [UInt8](
          repeating: 0xFF, count: 11),
      good + method(0, "/a/B"), good + method(65_536, "/a/B"), good + method(1, ""),
      good + method(1, "/a/B") + method(1, "/a/C"), good + method(1, "/a/B") + method(2, "/a/B"),
      good + [0x22, 4, 8, 1, 18, 9], good + [0x22, 5, 8, 1, 18, 1, 0xFF],
      good + [0x22, 5, 0x0D, 1, 0, 0, 0], good + [0x22, 2, 18, 0], [0x08, 1],
    ]
    for (index, payload) in bad.enumerated() {
      let end = opening()
      end.feed(helloFrame(payload))
      let what = try #require(end.failure?.text.split(separator: ": ", maxSplits: 1).last)
      try expectError(end, 9, [String(what)])
      #expect(end.failure?.isNotSpoken == true, "\(index)")
    }
  }

  @Test func c8AnyOtherFrameFirst() throws {
    for type in 0...255 as ClosedRange<UInt8> where type != Frame.hello && type != Frame.error {
      let end = opening()
      end.feed(sessionFrame(type, [1, 0, 0, 0]))
      try expectError(end, 6)
      #expect(end.failure?.isNotSpoken == true)
    }
  }

  @Test func c9ErrorInPlaceOfHello() {
    for code in StatusCode.allCases {
      let end = opening()
      end.feed(sessionFrame(Frame.error, Array("no".utf8), code: UInt16(code.rawValue)))
      #expect(end.events == ["failed"] && end.state == .closed)
      #expect(end.failure?.code == (code == .ok ? .unknown : code) && end.failure?.text == "no")
      #expect(end.failure?.isNotSpoken == (code == .unimplemented))
      #expect(end.sent().isEmpty && end.isReset)
    }
  }

  @Test func c10NoHelloInTime() throws {
    let end = opening()
    #expect(end.nextDue == end.now + 10_000_000_000)
    end.now += 9_999_999_999
    // A HELLO that is on its way is no HELLO yet.
    end.feed(Array(helloFrame(serverHello().encoded).dropLast()))
    end.tick()
    #expect(end.events.isEmpty)
    end.now += 1
    end.tick()
    try expectError(end, 5, ["10"])
    #expect(end.failure?.isNotSpoken == false)
  }

  @Test func c11TheStreamEndsBeforeHello() {
    let end = opening()
    end.end("gone")
    #expect(end.events == ["failed"] && end.failure?.text == "gone" && end.state == .closed)
    let second = opening()
    #expect(!second.trailers(0))
    #expect(second.events == ["failed"] && second.state == .closed)
  }

  /// Bytes of a HELLO are bounded; what the worst of them costs, too.
  @Test func manyMethodsAreTaken() {
    let end = opening()
    var payload = numbers(16_384, 5, 3)
    for id in 1...4_000 { payload += method(UInt64(id), "/\(id)") }
    #expect(payload.count <= 65_536)
    end.feed(helloFrame(payload), cut: 1_000)
    #expect(end.events == ["opened"] && end.method("/4000") == 4_000)
  }

  // MARK: Bytes by hand

  private func varint(_ value: UInt64) -> [UInt8] {
    var (rest, bytes): (UInt64, [UInt8]) = (value, [])
    while rest >= 128 {
      bytes.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  private func numbers(_ frame: UInt64, _ credit: UInt64, _ calls: UInt64) -> [UInt8] {
    [0x08] + varint(frame) + [0x10] + varint(credit) + [0x18] + varint(calls)
  }

  private func method(_ id: UInt64, _ path: String, extra: [UInt8] = []) -> [UInt8] {
    let inner = [0x08] + varint(id) + [0x12] + varint(UInt64(path.utf8.count)) + path.utf8 + extra
    return [0x22] + varint(UInt64(inner.count)) + inner
  }
}
