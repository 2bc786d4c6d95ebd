import CCrescendoProto
import CProtobufC
import Core
import Testing
import Wire

@Suite struct ScoreManyTests {
  private func message(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
    var writer = ByteWriter()
    write(&writer)
    return writer.bytes
  }

  /// Decodes an item and what is in it, with an arena of its own.
  private func decodeItem<R>(
    _ bytes: [UInt8], arenaBytes: Int = 1 << 20,
    _ body: (ScoreManyRequestView, CallFailure?, PlainRequest?) -> R
  ) -> R {
    let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
    arena.initialize(to: Arena(firstChunkBytes: 64, limitBytes: arenaBytes))
    defer {
      arena.deinitialize(count: 1)
      arena.deallocate()
    }
    // Exactly as long as the message, so that the address sanitizer sees a read past its end.
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    var item = ScoreManyRequestView()
    var failure = ScoreManyRequestDecoder.decode(
      ByteSlice(UnsafeRawBufferPointer(copy)), into: &item, arena: arena)
    if failure != nil { return body(item, failure, nil) }
    var view = ScoreRequestView()
    failure = ScoreRequestDecoder.decode(
      item.request, into: &view, arena: arena, candidatesMax: 10_000)
    return body(item, failure, failure == nil ? PlainRequest(view) : nil)
  }

  @Test func readsWhatProtobufCWrites() {
    let seed: UInt64 = 31
    var generator = RequestGenerator(seed: seed)
    for number in 0..<500 {
      let request = generator.message()
      let (sequence, timeout) = (generator.random.next(), UInt32(number))
      let bytes = message {
        $0.fixed64Field(1, sequence)
        $0.tag(2, 5)
        $0.raw(timeout)
        $0.bytesField(3, request)
      }
      let oracle = crescendo__v1__score_many_request__unpack(nil, bytes.count, bytes)
      #expect(oracle?.pointee.sequence == sequence && oracle?.pointee.timeout_us == timeout)
      crescendo__v1__score_many_request__free_unpacked(oracle, nil)
      decodeItem(bytes) { item, failure, plain in
        #expect(item.sequence == sequence && item.timeoutMicroseconds == timeout)
        #expect(failure == nil && plain == PlainRequest(protobufC: request), "seed \(seed)")
      }
    }
  }

  /// Cut anywhere between two of its fields and sent in parts, it is the same request.
  @Test func joinsARequestThatComesInParts() {
    let fields: [[UInt8]] = [
      message { $0.textField(1, "id") },
      message { $0.bytesField(4, message { $0.textField(1, "SE") }) },
      message { $0.bytesField(5, message { $0.raw(UInt64(77)) }) },
      message { $0.bytesField(4, message { $0.textField(3, "free") }) },
      message { $0.bytesField(5, message { $0.raw(UInt64(78)) }) },
      message { $0.varintField(11, 1) },
    ]
    let whole = fields.flatMap { $0 }
    decodeItem(message { $0.bytesField(3, whole) }) { _, _, expected in
      #expect(expected?.itemIDs == [77, 78] && expected?.texts.contains("free") == true)
      for first in 0...fields.count {
        for second in first...fields.count {
          let bytes = message {
            $0.bytesField(3, fields[..<first].flatMap { $0 })
            $0.fixed64Field(1, 1)
            $0.bytesField(3, fields[first..<second].flatMap { $0 })
            $0.textField(50, "unknown")
            $0.bytesField(3, fields[second...].flatMap { $0 })
            $0.fixed64Field(1, 2)
          }
          decodeItem(bytes) { item, failure, plain in
            #expect(failure == nil && plain == expected, "\(first), \(second)")
            #expect(item.sequence == 2, "the last one counts")
          }
        }
      }
    }
  }

  @Test func refusesWhatIsNone() {
    let cases: [(String, [UInt8], Int)] = [
      ("truncated", [0x09, 1, 2], 1),
      ("sequence as varint", message { $0.varintField(1, 3) }, 0),
      ("timeout as fixed64", message { $0.fixed64Field(2, 3) }, 0),
      ("request as varint", message { $0.varintField(3, 3) }, 0),
      ("length past the end", message { $0.fixed64Field(1, 5) } + [0x1A, 9, 0], 10),
      ("group", [0x0B, 0x0C], 0),
    ]
    for (name, bytes, offset) in cases {
      decodeItem(bytes) { _, failure, _ in
        #expect(failure?.code == .internalError, "\(name)")
        let text = failure?.message ?? ""
        #expect(
          text.hasPrefix("cannot decode crescendo.v1.ScoreManyRequest: byte \(offset): "),
          "\(name): \(text)")
      }
    }
    // What is wrong with the request alone leaves the sequence to answer it by.
    decodeItem(
      message {
        $0.fixed64Field(1, 9); $0.bytesField(3, [0x0A, 5])
      }
    ) { item, failure, _ in
      #expect(item.sequence == 9 && failure?.code == .internalError)
      #expect(failure?.message.contains("crescendo.v1.ScoreRequest: byte 1") == true)
    }
    decodeItem([]) { item, failure, plain in
      #expect(failure == nil && item.sequence == 0 && plain?.itemIDs == [])
    }
    let part = [UInt8](repeating: 0x58, count: 200)
    decodeItem(
      message {
        $0.bytesField(3, part); $0.bytesField(3, part)
      }, arenaBytes: 128
    ) {
      _, failure, _ in
      #expect(failure?.code == .resourceExhausted && failure?.retryPushbackMilliseconds == -1)
    }
  }

  @Test func survivesDamage() {
    let seed: UInt64 = 8
    var generator = RequestGenerator(seed: seed)
    var refused = 0
    for _ in 0..<1_000 {
      let request = generator.message()
      var bytes = message {
        $0.bytesField(3, request)
        $0.fixed64Field(1, 3)
        $0.bytesField(3, request)
      }
      for _ in 0..<Int.random(in: 1...4, using: &generator.random) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator.random)] = UInt8.random(
          in: 0...255, using: &generator.random)
      }
      bytes.removeLast(Int.random(in: 0...3, using: &generator.random))
      decodeItem(bytes) { _, failure, _ in refused += failure == nil ? 0 : 1 }
    }
    #expect(refused > 100, "seed \(seed): damage is noticed")
  }

  @Test func protobufCReadsFailures() {
    for (code, text) in [
      (StatusCode.invalidArgument, "min_fidelity 9 is no Fidelity"), (.cancelled, ""),
      (.unauthenticated, String(repeating: "ø", count: 4_000)),
    ] {
      let failure = CallFailure(code, text)
      let capacity = ScoreManyFailure.capacity(failure)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
      defer { buffer.deallocate() }
      let total = ScoreManyFailure.write(
        sequence: 0xFEDC_BA98_7654_3210, failure, into: buffer.baseAddress!)
      #expect(total <= capacity && capacity < 1_100)
      let bytes = Array(buffer[..<total])
      guard let item = crescendo__v1__score_many_response__unpack(nil, bytes.count, bytes) else {
        Issue.record("protobuf-c cannot read \(code)")
        continue
      }
      defer { crescendo__v1__score_many_response__free_unpacked(item, nil) }
      #expect(item.pointee.sequence == 0xFEDC_BA98_7654_3210)
      #expect(item.pointee.status_code == code.rawValue && item.pointee.response == nil)
      let said = String(validatingCString: item.pointee.status_message)
      #expect(said == text || (text.utf8.count > 1_024 && said?.hasSuffix("ø...") == true))
    }
  }
}
