import Core
import Testing
import Wire

/// A message through `GzipInflater`, in exactly the room that it asks for.
struct Inflation {
  var content: [UInt8]?
  var failure: CallFailure?
  /// What was asked for, bytes.
  var capacity: Int
  /// Whether bytes behind the room were left alone.
  var isWithinRoom: Bool

  init(_ compressed: [UInt8], _ inflater: GzipInflater, limitBytes: Int = 4 << 20) {
    let guardBytes = 64
    // Exactly as long as the message, so that the address sanitizer sees a read past its end.
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: compressed.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: compressed)
    let message = ByteSlice(UnsafeRawBufferPointer(copy))
    capacity = GzipInflater.capacity(message, limitBytes: limitBytes)
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: capacity + guardBytes, alignment: 16)
    defer { memory.deallocate() }
    memory[capacity...].initializeMemory(as: UInt8.self, repeating: 0xA5)
    let room = UnsafeMutableRawBufferPointer(rebasing: memory[..<capacity])
    do throws(CallFailure) {
      let count = try inflater.inflate(message, into: room, limitBytes: limitBytes)
      content = Array(room[..<count])
    } catch {
      failure = error
    }
    isWithinRoom = memory[capacity...].allSatisfy { $0 == 0xA5 }
  }
}

func deflated(_ message: [UInt8], _ deflater: GzipDeflater, roomBytes: Int? = nil) -> [UInt8]? {
  var output = [UInt8](repeating: 0, count: roomBytes ?? message.count + 100)
  return message.withUnsafeBytes { message in
    output.withUnsafeMutableBytes { deflater.deflate(ByteSlice(message), into: $0) }
  }.map { Array(output[..<$0]) }
}

/// gzip written by hand, byte by byte (RFC 1952, RFC 1951 stored blocks): no code of zlib's.
func storedGzip(_ content: [UInt8], flags: UInt8 = 0, extra: [UInt8] = []) -> [UInt8] {
  var bytes: [UInt8] = [0x1F, 0x8B, 8, flags, 0, 0, 0, 0, 0, 0xFF] + extra
  func append<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }
  var rest = content[...]
  repeat {
    let block = rest.prefix(0xFFFF)
    rest = rest.dropFirst(block.count)
    bytes.append(rest.isEmpty ? 1 : 0)
    append(UInt16(block.count))
    append(~UInt16(block.count))
    bytes += block
  } while !rest.isEmpty
  var checksum: UInt32 = ~0
  for byte in content {
    checksum ^= UInt32(byte)
    for _ in 0..<8 {
      checksum = checksum & 1 == 1 ? checksum >> 1 ^ 0xEDB8_8320 : checksum >> 1
    }
  }
  append(~checksum)
  append(UInt32(truncatingIfNeeded: content.count))
  return bytes
}

@Suite struct GzipTests {
  /// From Python's `gzip` module, level 9, with a file name: "crescendo " five times.
  static let fromPython: [UInt8] = [
    0x1F, 0x8B, 0x08, 0x08, 0x00, 0x00, 0x00, 0x00, 0x02, 0xFF, 0x6E, 0x61, 0x6D, 0x65, 0x2E,
    0x62, 0x69, 0x6E, 0x00, 0x4B, 0x2E, 0x4A, 0x2D, 0x4E, 0x4E, 0xCD, 0x4B, 0xC9, 0x57, 0x48,
    0x26, 0x92, 0x05, 0x00, 0x01, 0x02, 0xE9, 0x65, 0x32, 0x00, 0x00, 0x00,
  ]

  @Test func readsWhatOthersWrite() {
    let inflater = GzipInflater()
    let words = Array(String(repeating: "crescendo ", count: 5).utf8)
    #expect(Inflation(GzipTests.fromPython, inflater).content == words)
    #expect(Inflation(storedGzip(words), inflater).content == words)
    #expect(Inflation(storedGzip([]), inflater).content == [])
    let long = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    #expect(Inflation(storedGzip(long), inflater).content == long)
    // FEXTRA of four bytes.
    #expect(
      Inflation(storedGzip(words, flags: 4, extra: [4, 0, 1, 2, 3, 4]), inflater).content == words)
  }

  /// Asking for exactly what comes out: no second allocation, no room for more.
  @Test func roundTripsWithOneState() {
    let seed: UInt64 = 20_261_126
    var random = SplitMix64(seed: seed)
    let (inflater, deflater) = (GzipInflater(), GzipDeflater())
    var shrunk = 0
    for number in 0..<80 {
      let count = number == 0 ? 0 : Int.random(in: 0...20_000, using: &random)
      let values = UInt8.random(in: 1...255, using: &random)
      let message = (0..<count).map { _ in UInt8.random(in: 0...values, using: &random) }
      guard let compressed = deflated(message, deflater) else {
        Issue.record("seed \(seed), message \(number): there is room, and it did not fit")
        return
      }
      let inflation = Inflation(compressed, inflater)
      #expect(inflation.content == message, "seed \(seed), message \(number)")
      #expect(inflation.capacity == message.count && inflation.isWithinRoom)
      if compressed.count < message.count { shrunk += 1 }
    }
    #expect(shrunk > 40, "it compresses")
  }

  @Test func theSameMessageGivesTheSameBytes() {
    let message = (0..<5_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let deflater = GzipDeflater()
    let first = deflated(message, deflater)
    _ = deflated(Array(message.reversed()), deflater)
    _ = deflated(message, deflater, roomBytes: 10)
    #expect(deflated(message, deflater) == first)
    #expect(deflated(message, GzipDeflater()) == first)
  }

  @Test func whatDoesNotShrinkDoesNotFit() {
    var random = SplitMix64(seed: 3)
    let noise = (0..<1_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    let deflater = GzipDeflater()
    #expect(deflated(noise, deflater, roomBytes: noise.count) == nil)
    #expect(deflated([], deflater, roomBytes: 0) == nil)
    let zeros = [UInt8](repeating: 0, count: 1_000)
    let whole = deflated(zeros, deflater, roomBytes: zeros.count)
    #expect(whole.map { $0.count < 100 } == true)
    let exact = whole?.count ?? 0
    #expect(deflated(zeros, deflater, roomBytes: exact) == whole)
    #expect(deflated(zeros, deflater, roomBytes: exact - 1) == nil)
  }
}

@Suite struct GzipHostilityTests {
  @Test func namesWhatIsWrong() {
    let inflater = GzipInflater()
    let good = storedGzip(Array("twelve bytes".utf8))
    var wrongChecksum = good
    wrongChecksum[good.count - 8] ^= 1
    var wrongLength = good
    wrongLength[good.count - 4] ^= 0x40
    var tooShort = good
    tooShort[good.count - 4] = 11
    let cases: [(String, [UInt8], String)] = [
      ("nothing", [], "empty"),
      ("not gzip", Array("plain".utf8), "header"),
      ("zlib's own framing", [0x78, 0x9C, 0x03, 0x00, 0, 0, 0, 1], "header"),
      ("cut off", Array(good.dropLast(9)), "ends early"),
      ("checksum", wrongChecksum, "data check"),
      ("length", wrongLength, "length check"),
      ("a length below the content's", tooShort, "more than the 11 bytes"),
      ("garbage behind", good + [0, 0, 1, 0], "4 bytes follow"),
      ("joined members", good + good, "\(good.count) bytes follow"),
      ("a reserved block type", Array(good[..<10]) + [0x07, 0, 0, 0, 0, 0, 0, 0, 0], "block type"),
    ]
    for (name, bytes, reason) in cases {
      let inflation = Inflation(bytes, inflater)
      #expect(inflation.failure?.code == .internalError, "\(name)")
      let text = inflation.failure?.message ?? ""
      #expect(text.hasPrefix("cannot inflate the message: ") && text.contains(reason), "\(text)")
      #expect(inflation.isWithinRoom, "\(name)")
      #expect(Inflation(good, inflater).content == Array("twelve bytes".utf8), "after \(name)")
    }
  }

  @Test func aBombTakesNoMoreThanItsBound() {
    let (inflater, deflater) = (GzipInflater(), GzipDeflater())
    func bomb(_ count: Int) -> [UInt8] {
      deflated([UInt8](repeating: 0, count: count), deflater) ?? []
    }
    // Short ones are allowed whatever their ratio.
    let small = Inflation(bomb(Limits.serving.inflatedFloorBytes), inflater)
    #expect(small.content?.count == Limits.serving.inflatedFloorBytes)

    let byRatio = bomb(3 << 20)
    let allowed = max(
      Limits.serving.inflatedFloorBytes, byRatio.count * Limits.serving.inflatedRatio)
    let ratio = Inflation(byRatio, inflater)
    #expect(ratio.failure?.code == .resourceExhausted)
    #expect(ratio.failure?.retryPushbackMilliseconds == -1)
    #expect(ratio.failure?.message.contains("200 times") == true)
    #expect(ratio.capacity == allowed && allowed < 3 << 20 && ratio.isWithinRoom)

    let nested = Inflation(deflated(byRatio, deflater) ?? [], inflater)
    #expect(nested.content == byRatio, "only one layer is taken off")

    let noise = (0..<1_001).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    for (limit, isGood) in [(1_001, true), (1_000, false)] {
      let inflation = Inflation(storedGzip(noise), inflater, limitBytes: limit)
      #expect((inflation.content == noise) == isGood)
      #expect(inflation.failure?.code == (isGood ? nil : .resourceExhausted))
      #expect(inflation.failure?.message.contains("limit is 1000") ?? isGood)
      #expect(inflation.capacity == limit && inflation.isWithinRoom)
    }

    // A bomb that promises little gets little.
    var liar = byRatio
    liar.replaceSubrange((liar.count - 4)..., with: [9, 0, 0, 0])
    let caught = Inflation(liar, inflater)
    #expect(caught.capacity == 9 && caught.failure?.code == .internalError && caught.isWithinRoom)
    // A short message that promises much gets no more than what its length allows.
    #expect(Inflation([0x1F, 0x8B, 0xFF, 0xFF, 0xFF, 0xFF], inflater).capacity == 64 << 10)
  }

  @Test func everyTruncationIsNoticed() {
    let (inflater, deflater) = (GzipInflater(), GzipDeflater())
    let message = (0..<3_000).map { UInt8(truncatingIfNeeded: $0 / 5 &* 31) }
    for whole in [deflated(message, deflater) ?? [], storedGzip(message), GzipTests.fromPython] {
      #expect(Inflation(whole, inflater).content != nil)
      for count in 0..<whole.count {
        let inflation = Inflation(Array(whole[..<count]), inflater)
        #expect(inflation.failure?.code == .internalError, "\(count) of \(whole.count) bytes")
        #expect(inflation.isWithinRoom)
      }
    }
  }

  /// Whatever is changed: the right content, or a failure, and never a byte outside the room.
  @Test func survivesFlippedBits() {
    let seed: UInt64 = 91
    var random = SplitMix64(seed: seed)
    let (inflater, deflater) = (GzipInflater(), GzipDeflater())
    var refused = 0
    let rounds = 4_000
    for round in 0..<rounds {
      let count = Int.random(in: 0...400, using: &random)
      let message = (0..<count).map { _ in UInt8.random(in: 0...7, using: &random) }
      var bytes = Bool.random(using: &random) ? storedGzip(message) : deflated(message, deflater)!
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^=
          1 << UInt8.random(in: 0...7, using: &random)
      }
      if Int.random(in: 0..<4, using: &random) == 0 {
        bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
      }
      let inflation = Inflation(bytes, inflater, limitBytes: 100_000)
      // Flips of time, name and system change nothing.
      #expect(inflation.content == nil || inflation.content == message, "seed \(seed), \(round)")
      #expect(inflation.isWithinRoom && inflation.capacity <= 100_000, "seed \(seed), \(round)")
      if inflation.failure != nil { refused += 1 }
    }
    #expect(refused > rounds / 2 && refused < rounds, "\(refused) refused")
  }
}
