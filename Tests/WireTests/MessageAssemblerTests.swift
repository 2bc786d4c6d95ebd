import Core
import Testing
import Wire

private func framed(_ message: [UInt8], flag: UInt8 = 0) -> [UInt8] {
  [flag] + withUnsafeBytes(of: UInt32(message.count).bigEndian) { Array($0) } + message
}

/// What a body came to.
private struct Assembly: Equatable {
  var messages: [[UInt8]] = []
  var compressed: [Bool] = []
  var failure: CallFailure?

  /// Feeds pieces, keeping what is unfinished as the transport does when its read is over.
  init(
    _ pieces: [[UInt8]], limit: Int = 1_000, _ cardinality: MessageAssembler.Cardinality = .one,
    acceptsCompressed: Bool = false
  ) {
    var assembler = MessageAssembler(
      limit: limit, cardinality: cardinality, acceptsCompressed: acceptsCompressed)
    defer { assembler.dispose() }
    do throws(CallFailure) {
      for piece in pieces {
        // Each piece has memory of its own, which is gone when the next one comes.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: piece)
        var rest = ByteSlice(UnsafeRawBufferPointer(copy))
        while rest.count > 0 {
          let taken = try assembler.feed(rest)
          guard let base = rest.base, taken > 0, taken <= rest.count else {
            Issue.record("\(taken) of \(rest.count) bytes are taken")
            return
          }
          rest = ByteSlice(base + taken, count: rest.count - taken)
          if cardinality == .any, assembler.isComplete { take(&assembler) }
        }
        assembler.keep()
      }
      if let failure = assembler.finish() { throw failure }
      if cardinality == .one { take(&assembler) }
    } catch {
      failure = error
    }
  }

  private mutating func take(_ assembler: inout MessageAssembler) {
    messages.append(Array(assembler.message.bytes))
    compressed.append(assembler.isCompressed)
    assembler.next()
  }
}

@Suite struct MessageAssemblerTests {
  @Test func findsAMessageHoweverItIsCut() {
    let message = (0..<40).map { UInt8($0) }
    let bytes = framed(message)
    for first in 0...bytes.count {
      for second in stride(from: first, through: bytes.count, by: 3) {
        let pieces = [
          Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...]),
        ]
        #expect(Assembly(pieces).messages == [message], "cut at \(first) and \(second)")
      }
    }
    #expect(Assembly(bytes.map { [$0] }).messages == [message])
    #expect(Assembly([framed([])]).messages == [[]])
  }

  @Test func aWholeMessageIsNotCopied() throws {
    let bytes = framed([1, 2, 3])
    try bytes.withUnsafeBytes { buffer throws in
      var assembler = MessageAssembler(limit: 100)
      #expect(try assembler.feed(ByteSlice(buffer)) == 8)
      #expect(assembler.finish() == nil)
      #expect(assembler.message.base == buffer.baseAddress! + 5)
      #expect(assembler.bufferedBytes == 0)
    }
  }

  @Test func memoryFollowsWhatHasArrivedAndNotWhatIsPromised() throws {
    var assembler = MessageAssembler(limit: 4 << 20)
    defer { assembler.dispose() }
    let start = [0, 0, 0x3F, 0xFF, 0xFF] + [UInt8](repeating: 9, count: 100)
    _ = try start.withUnsafeBytes { try assembler.feed(ByteSlice($0)) }
    #expect(assembler.bufferedBytes <= 4_096)
  }

  @Test func refusesByTheRulesOfTheProtocol() {
    let cases: [(String, [[UInt8]], StatusCode)] = [
      ("no message", [], .unimplemented),
      ("half a prefix", [[0, 0]], .internalError),
      ("half a message", [Array(framed([1, 2, 3]).dropLast())], .internalError),
      ("two messages", [framed([1]) + framed([2])], .unimplemented),
      ("a second message later", [framed([1]), framed([2])], .unimplemented),
      ("a second message after an empty one", [framed([]), framed([2])], .unimplemented),
      ("compressed", [[1, 0, 0, 0, 1, 7]], .internalError),
      ("flag 2", [[2, 0, 0, 0, 1, 7]], .internalError),
      ("over the limit", [[0, 0, 0, 3, 0xE9]], .resourceExhausted),
    ]
    for (name, pieces, code) in cases {
      #expect(Assembly(pieces).failure?.code == code, "\(name)")
    }
    #expect(Assembly([[0, 0xFF, 0xFF, 0xFF, 0xFF]]).failure?.retryPushbackMilliseconds == -1)
    #expect(Assembly([framed(Array(repeating: 1, count: 1_000))]).messages.first?.count == 1_000)
  }

  @Test func takesFlagOneWhereACodingIsAgreedOn() {
    let body = [framed([5, 6], flag: 1)]
    let assembly = Assembly(body, acceptsCompressed: true)
    #expect(assembly.messages == [[5, 6]] && assembly.compressed == [true])
    #expect(Assembly([framed([5])], acceptsCompressed: true).compressed == [false])
    for flag: UInt8 in [2, 3, 0x80, 0x81, 0xFF] {
      let refused = Assembly([framed([5], flag: flag)], acceptsCompressed: true)
      #expect(refused.failure?.code == .internalError, "flag \(flag)")
    }
  }
}

@Suite struct MessageStreamTests {
  private let messages: [[UInt8]] = [
    [], [1], Array(2..<9), [], [], Array(0..<40), [7, 7],
  ]

  @Test func findsEveryMessageAtEveryCut() {
    let flags: [UInt8] = [0, 1, 1, 0, 1, 0, 1]
    let body = zip(messages, flags).flatMap { framed($0, flag: $1) }
    func check(_ pieces: [[UInt8]], _ cuts: String) {
      let assembly = Assembly(pieces, .any, acceptsCompressed: true)
      #expect(assembly.failure == nil && assembly.messages == messages, "\(cuts)")
      #expect(assembly.compressed == flags.map { $0 == 1 }, "\(cuts)")
    }
    for first in 0...body.count {
      for second in first...body.count {
        let pieces = [
          Array(body[..<first]), Array(body[first..<second]), Array(body[second...]),
        ]
        check(pieces, "cut at \(first) and \(second)")
      }
    }
    check(body.map { [$0] }, "one by one")
  }

  @Test func endsBetweenMessagesAndNotWithinOne() {
    #expect(Assembly([], .any) == Assembly([[]], .any))
    #expect(Assembly([], .any).failure == nil)
    let body = messages.flatMap { framed($0) }
    var ends: Set<Int> = [0]
    var end = 0
    for message in messages {
      end += 5 + message.count
      ends.insert(end)
    }
    for count in 0...body.count {
      let assembly = Assembly([Array(body[..<count])], .any)
      if ends.contains(count) {
        #expect(assembly.failure == nil, "\(count) bytes")
      } else {
        #expect(assembly.failure?.code == .internalError, "\(count) bytes")
      }
    }
  }

  /// The second message of one read waits, untouched, until the first is taken.
  @Test func stopsBetweenMessages() throws {
    let body = framed([1, 2, 3]) + framed([4, 5])
    try body.withUnsafeBytes { buffer throws in
      var assembler = MessageAssembler(limit: 100, cardinality: .any)
      let all = ByteSlice(buffer)
      #expect(!assembler.isComplete)
      #expect(try assembler.feed(all) == 8)
      #expect(assembler.isComplete)
      let rest = ByteSlice(buffer.baseAddress! + 8, count: 7)
      #expect(try assembler.feed(rest) == 0)
      #expect(assembler.message.base == buffer.baseAddress! + 5, "nothing is copied")
      #expect(assembler.finish() == nil)
      assembler.next()
      #expect(!assembler.isComplete)
      #expect(try assembler.feed(rest) == 7)
      #expect(assembler.message.base == buffer.baseAddress! + 13)
      // A read is over, and nobody has taken the message.
      assembler.keep()
      #expect(Array(assembler.message.bytes) == [4, 5] && assembler.bufferedBytes == 2)
      assembler.next()
      #expect(assembler.finish() == nil)
      assembler.dispose()
    }
  }

  @Test func keepsLittleBetweenMessages() throws {
    var assembler = MessageAssembler(limit: 1 << 20, cardinality: .any)
    defer { assembler.dispose() }
    for (size, kept) in [(4_000, 4_000), (100_000, 0), (10, 10)] {
      let body = framed([UInt8](repeating: 3, count: size))
      for piece in [Array(body[..<7]), Array(body[7...])] {
        #expect(try piece.withUnsafeBytes { try assembler.feed(ByteSlice($0)) } == piece.count)
      }
      #expect(assembler.isComplete && assembler.bufferedBytes >= size)
      #expect(Array(assembler.message.bytes) == Array(body[5...]), "\(size)")
      assembler.next()
      #expect(assembler.bufferedBytes == kept, "\(size)")
    }
  }

  @Test func limitAndFlagHoldForEveryMessage() {
    let first = framed([1])
    let long = Assembly([first + framed([UInt8](repeating: 0, count: 11))], limit: 10, .any)
    #expect(long.messages == [[1]] && long.failure?.code == .resourceExhausted)
    let flag = Assembly([first, framed([1], flag: 1)], .any)
    #expect(flag.messages == [[1]] && flag.failure?.code == .internalError)
  }
}
