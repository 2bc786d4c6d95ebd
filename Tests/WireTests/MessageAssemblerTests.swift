import Core
import Testing
import Wire

@Suite struct MessageAssemblerTests {
  private func framed(_ message: [UInt8]) -> [UInt8] {
    [0] + withUnsafeBytes(of: UInt32(message.count).bigEndian) { Array($0) } + message
  }

  /// Feeds pieces, keeping each as the transport does when its read is over.
  private func assemble(_ pieces: [[UInt8]], limit: Int = 1_000, keeps: Bool = true)
    -> (message: [UInt8]?, failure: CallFailure?)
  {
    var assembler = MessageAssembler(limit: limit)
    defer { assembler.dispose() }
    for piece in pieces {
      let failure = piece.withUnsafeBytes { bytes in
        let failure = assembler.feed(ByteSlice(bytes))
        if keeps { assembler.keep() }
        return failure
      }
      if let failure { return (nil, failure) }
    }
    if let failure = assembler.finish() { return (nil, failure) }
    return (Array(assembler.message.bytes), nil)
  }

  @Test func findsAMessageHoweverItIsCut() {
    let message = (0..<40).map { UInt8($0) }
    let bytes = framed(message)
    for first in 0...bytes.count {
      for second in stride(from: first, through: bytes.count, by: 3) {
        let pieces = [
          Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...]),
        ]
        #expect(assemble(pieces).message == message, "cut at \(first) and \(second)")
      }
    }
    #expect(assemble(bytes.map { [$0] }).message == message)
    #expect(assemble([framed([])]).message == [])
  }

  @Test func aWholeMessageIsNotCopied() {
    let bytes = framed([1, 2, 3])
    bytes.withUnsafeBytes { buffer in
      var assembler = MessageAssembler(limit: 100)
      #expect(assembler.feed(ByteSlice(buffer)) == nil)
      #expect(assembler.finish() == nil)
      #expect(assembler.message.base == buffer.baseAddress! + 5)
      #expect(assembler.bufferedBytes == 0)
    }
  }

  @Test func memoryFollowsWhatHasArrivedAndNotWhatIsPromised() {
    var assembler = MessageAssembler(limit: 4 << 20)
    defer { assembler.dispose() }
    let start = [0, 0, 0x3F, 0xFF, 0xFF] + [UInt8](repeating: 9, count: 100)
    _ = start.withUnsafeBytes { assembler.feed(ByteSlice($0)) }
    #expect(assembler.bufferedBytes <= 4_096)
  }

  @Test func refusesByTheRulesOfTheProtocol() {
    let cases: [(String, [[UInt8]], StatusCode)] = [
      ("no message", [], .unimplemented),
      ("half a prefix", [[0, 0]], .internalError),
      ("half a message", [Array(framed([1, 2, 3]).dropLast())], .internalError),
      ("two messages", [framed([1]) + framed([2])], .unimplemented),
      ("a second message later", [framed([1]), framed([2])], .unimplemented),
      ("compressed", [[1, 0, 0, 0, 1, 7]], .internalError),
      ("flag 2", [[2, 0, 0, 0, 1, 7]], .internalError),
      ("over the limit", [[0, 0, 0, 3, 0xE9]], .resourceExhausted),
    ]
    for (name, pieces, code) in cases {
      #expect(assemble(pieces).failure?.code == code, "\(name)")
    }
    #expect(assemble([[0, 0xFF, 0xFF, 0xFF, 0xFF]]).failure?.retryPushbackMilliseconds == -1)
    #expect(assemble([framed(Array(repeating: 1, count: 1_000))]).message?.count == 1_000)
  }
}
