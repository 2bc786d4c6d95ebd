import Core
import Testing
import Wire

@Suite struct ScoreRequestDecoderTests {
  @Test func agreesWithProtobufCOnTheWholeMessage() {
    let seed: UInt64 = 20_261_125
    var generator = RequestGenerator(seed: seed)
    var (columns, ids) = (0, 0)
    for number in 0..<8_000 {
      let bytes = generator.message()
      guard let expected = PlainRequest(protobufC: bytes) else {
        Issue.record("seed \(seed), message \(number): protobuf-c refuses a valid message")
        return
      }
      decode(bytes) { view, failure, _ in
        #expect(failure == nil, "seed \(seed), message \(number)")
        #expect(PlainRequest(view) == expected, "seed \(seed), message \(number)")
        columns += view.candidateColumns.count + view.userColumns.count
        ids += view.itemIDCount
      }
    }
    #expect(columns > 8_000 && ids > 100_000, "the generator makes what it is for")
  }

  /// Whatever is cut or changed, the decoder answers or refuses, and never reads past the end
  /// (the address sanitizer's run of this test sees that).
  @Test func survivesDamage() {
    let seed: UInt64 = 7
    var generator = RequestGenerator(seed: seed)
    var refused = 0
    for _ in 0..<4_000 {
      var bytes = generator.message()
      guard !bytes.isEmpty else { continue }
      if Bool.random(using: &generator.random) {
        bytes.removeLast(Int.random(in: 1...bytes.count, using: &generator.random))
      }
      for _ in 0..<Int.random(in: 0...4, using: &generator.random) where !bytes.isEmpty {
        bytes[Int.random(in: 0..<bytes.count, using: &generator.random)] = UInt8.random(
          in: 0...255, using: &generator.random)
      }
      decode(bytes) { view, failure, _ in
        if failure != nil { refused += 1 } else { _ = PlainRequest(view) }
      }
    }
    #expect(refused > 400, "seed \(seed): damage is noticed")
  }

  private func message(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
    var writer = ByteWriter()
    write(&writer)
    return writer.bytes
  }

  @Test func namesMessageAndOffsetOfWhatItCannotDecode() {
    let cases: [(String, [UInt8], Int, String)] = [
      ("truncated varint", [0x48, 0x80], 1, "ends within a varint"),
      ("overlong varint", [0x48] + Array(repeating: 0x80, count: 10) + [0], 1, "longer"),
      ("tag 0", [0x00], 0, "field number 0"),
      ("group", [0x0B, 0x0C], 0, "group"),
      ("wire type 6", [0x0E], 0, "wire type"),
      ("length past the end", [0x0A, 0x05, 0x61], 1, "past the end"),
      ("wrong wire type", message { $0.varintField(1, 3) }, 0, "another wire type"),
      ("invalid UTF-8", message { $0.bytesField(1, [0xC3, 0x28]) }, 2, "UTF-8"),
      ("surrogate", message { $0.bytesField(1, [0xED, 0xA0, 0x80]) }, 2, "UTF-8"),
      ("packed ids", message { $0.bytesField(5, [1, 2, 3]) }, 2, "packed"),
      ("nested", message { $0.bytesField(4, [0x0A, 0x02, 0xFF, 0xFF]) }, 4, "UTF-8"),
      ("fixed64 cut off", [0x11, 1, 2, 3], 1, "ends within a field"),
    ]
    for (name, bytes, offset, reason) in cases {
      decode(bytes) { _, failure, _ in
        #expect(failure?.code == .internalError, "\(name)")
        let text = failure?.message ?? ""
        #expect(
          text.hasPrefix("cannot decode crescendo.v1.ScoreRequest: byte \(offset): "),
          "\(name): \(text)")
        #expect(text.contains(reason), "\(name): \(text)")
      }
    }
  }

  @Test func refusesANulBecauseProtobufCWouldCutTheStringThere() {
    decode(message { $0.bytesField(1, [0x61, 0x00]) }) { _, failure, _ in
      #expect(failure?.code == .invalidArgument)
      #expect(failure?.message.contains("byte 2: a string with a NUL") == true)
    }
  }

  /// A message that comes twice is both joined: numbers of the first stay unless the second has
  /// them, too.
  @Test func joinsContexts() {
    let bytes = message { writer in
      var first = ByteWriter()
      first.textField(1, "SE")
      first.fixed64Field(4, 1_000)
      first.varintField(5, 120)
      first.textField(6, "a")
      var second = ByteWriter()
      second.varintField(5, 4)
      second.textField(3, "free")
      second.textField(6, "b")
      second.varintField(888, 1)
      writer.bytesField(4, first.bytes)
      writer.textField(1, "request")
      writer.bytesField(4, second.bytes)
      writer.bytesField(4, [])
    }
    decode(bytes) { view, failure, _ in
      #expect(failure == nil)
      #expect(view.requestID.text == "request")
      #expect(view.market.text == "SE")
      #expect(view.tier.text == "free")
      #expect(view.timeUnixMilliseconds == 1_000)
      #expect(view.utcOffsetMinutes == 2)
      #expect(view.segments.map(\.text) == ["a", "b"])
    }
  }

  @Test func readsAPackedColumnInPlace() {
    let ids: [UInt64] = [1, .max, 1 << 63]
    let bytes = message { writer in
      var packed = ByteWriter()
      for id in ids { packed.raw(id) }
      writer.bytesField(5, packed.bytes)
    }
    decode(bytes) { view, failure, arenaBytes in
      #expect(failure == nil)
      #expect(PlainRequest(view).itemIDs == ids)
      // Nothing but its first chunk: neither the column nor anything else was copied.
      #expect(arenaBytes == 256)
    }
  }

  @Test func boundsTheBatchBeforeItIsDecoded() {
    let bytes = message { $0.bytesField(5, Array(repeating: 7, count: 8 * 11)) }
    decode(bytes, candidatesMax: 10) { _, failure, _ in
      #expect(failure?.code == .resourceExhausted)
      #expect(failure?.retryPushbackMilliseconds == -1)
      #expect(failure?.message.contains("11 candidates; the limit is 10") == true)
    }
    let uris = message { writer in
      for _ in 0..<11 { writer.textField(6, "u") }
    }
    decode(uris, candidatesMax: 10) { _, failure, _ in
      #expect(failure?.code == .resourceExhausted)
    }
  }

  @Test func dropsUnknownFieldsHoweverManyOrDeep() {
    var flood = ByteWriter()
    for _ in 0..<100_000 { flood.varintField(999, 1) }
    var deep: [UInt8] = []
    for _ in 0..<1_000 {
      var level = ByteWriter()
      level.bytesField(777, deep)
      deep = level.bytes
    }
    flood.bytes += deep
    var context = ByteWriter()
    context.textField(1, "SE")
    for _ in 0..<50_000 { context.varintField(999, 1) }
    flood.bytesField(4, context.bytes)
    decode(flood.bytes, arenaBytes: 4_096) { view, failure, _ in
      #expect(failure == nil)
      #expect(view.market.text == "SE")
    }
  }

  @Test func refusesWhatTakesMoreThanTheArena() {
    let bytes = message { writer in
      for _ in 0..<5_000 { writer.textField(6, "uri") }
    }
    decode(bytes, arenaBytes: 4_096) { _, failure, _ in
      #expect(failure?.code == .resourceExhausted)
      #expect(failure?.retryPushbackMilliseconds == -1)
    }
  }

  @Test func anEmptyMessageIsAnEmptyRequest() {
    decode([]) { view, failure, _ in
      #expect(failure == nil)
      #expect(view.candidateCount == 0)
    }
  }

  @Test func namesTheFieldThatHoldsANUL() {
    let bad: [UInt8] = [0x61, 0, 0x62]
    let name = message { $0.bytesField(1, bad) }
    let cases: [(String, [UInt8])] = [
      ("request_id", message { $0.bytesField(1, bad) }),
      ("user_uri", message { $0.bytesField(3, bad) }),
      ("model", message { $0.bytesField(10, bad) }),
      (
        "item_uris[1]",
        message {
          $0.textField(6, "a")
          $0.bytesField(6, bad)
        }
      ),
      ("context.tier", message { $0.bytesField(4, message { $0.bytesField(3, bad) }) }),
      (
        "context.segments[2]",
        message {
          $0.bytesField(
            4,
            message {
              $0.textField(6, "")
              $0.textField(6, "x")
              $0.bytesField(6, bad)
            })
        }
      ),
      (
        "candidate_columns[1].name",
        message {
          $0.bytesField(7, message { $0.textField(1, "fine") })
          $0.textField(99, "unknown")
          $0.bytesField(7, name)
        }
      ),
      ("user_columns[0].name", message { $0.bytesField(8, name) }),
    ]
    for (path, bytes) in cases {
      decode(bytes) { _, failure, _ in
        #expect(failure?.code == .invalidArgument && failure?.field == path, "\(path)")
      }
    }
    decode(message { $0.bytesField(1, [0xC3, 0x28]) }) { _, failure, _ in
      #expect(failure?.code == .internalError && failure?.field == nil)
    }
  }
}
