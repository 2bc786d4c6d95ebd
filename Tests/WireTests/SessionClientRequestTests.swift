import Core
import Testing

@testable import Wire

/// What a client puts into its frames, and the buffer that they wait in.
@Suite struct SessionClientRequestTests {
  // MARK: Metadata of a CALL

  private func fault(_ metadata: [UInt8]) -> Int? {
    metadata.withUnsafeBytes { SessionMetadata.firstFault(ByteSlice($0)) }
  }

  @Test func metadataAsTheDocumentHasIt() throws {
    let example = try SessionDocument().examples().first { $0.name == "score-call" }
    let said = try #require(example?.fields["metadata"]?.split(separator: ": ").map(String.init))
    let bytes = SessionMetadata.encoded([(name: said[0], value: said[1])])
    #expect(bytes == Array(try #require(example).bytes[32..<32 + 69]) && fault(bytes) == nil)
  }

  /// §4.2: binary values go raw; what a CALL does not carry is left out.
  @Test func binaryValuesAndReservedNames() {
    let bytes = SessionMetadata.encoded([
      (name: "a-bin", value: "AP8="), (name: "authorization", value: "x"),
      (name: "grpc-timeout", value: "1S"), (name: "crescendo-client", value: "x"),
      (name: "crescendo-priority", value: "batch"), (name: "b", value: ""),
      (name: "a-bin", value: "/w"),
    ])
    #expect(
      bytes == [5] + Array("a-bin".utf8) + [2, 0, 0, 255, 1] + Array("b".utf8) + [0, 0, 5]
        + Array("a-bin".utf8) + [1, 0, 255])
    #expect(fault(bytes) == nil && SessionMetadata.encoded([]).isEmpty)
  }

  @Test func lengthsAtTheirBounds() {
    let name = String(repeating: "n", count: 255)
    let value = String(repeating: "v", count: 7_000)
    let bytes = SessionMetadata.encoded([(name: name, value: value), (name: "b", value: "c")])
    #expect(fault(bytes) == nil && bytes.count == 255 + 7_000 + 3 + 5)
    bytes.withUnsafeBytes { whole in
      #expect(SessionMetadata.value("b", in: ByteSlice(whole))?.text == "c")
    }
  }

  /// A name that no entry can hold is no other entry: the call fails (Y5).
  @Test(arguments: [256, 257, 300, 511, 512, 8_000])
  func aNameThatIsTooLong(count: Int) {
    // If the length were cut, the rest of the name would be read as entries.
    let name = String(repeating: "a", count: count)
    let bytes = SessionMetadata.encoded([
      (name: "ok", value: "1"), (name: name, value: "2"), (name: "b", value: "3"),
    ])
    #expect(fault(bytes) == 6)
    bytes.withUnsafeBytes { whole in
      #expect(SessionMetadata.value("b", in: ByteSlice(whole)) == nil)
    }
  }

  /// Nor is a value: there is no CALL with so much metadata.
  @Test func aValueThatIsTooLong() {
    let bytes = SessionMetadata.encoded([
      (name: "a", value: String(repeating: "b", count: 65_540))
    ])
    let end = ClientEnd.opened()
    #expect(end.call(metadata: bytes) == nil && end.sent().isEmpty && end.openCalls == 0)
  }

  // MARK: PlainScoreRequest

  @Test func aPlainRequestIsWhatProtobufReads() {
    for items in [0, 1, 2, 15, 16, 17, 300, 2_100] {
      for user in [0, 1, .max] as [UInt64] {
        let ids = (0..<items).map { UInt64($0) &* 0x9E37_79B9_7F4A_7C15 }
        let count = PlainScoreRequest.byteCount(user: user, items: items)
        // Behind it, a byte that must stay.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count + 1, alignment: 1)
        defer { memory.deallocate() }
        memory[count] = 0xA5
        guard let base = memory.baseAddress else { return }
        ids.withUnsafeBufferPointer { PlainScoreRequest.write(user: user, items: $0, to: base) }
        #expect(memory[count] == 0xA5)
        let read = PlainRequest(protobufC: Array(memory.dropLast()))
        #expect(read?.numbers == [Int64(bitPattern: user), 0, 0, 0, 0, 0, 0])
        #expect(read?.itemIDs == ids && read?.texts == Array(repeating: "", count: 6))
      }
    }
  }

  // MARK: SessionOutput

  /// Bytes come out as they went in, however they are taken; what is held is bounded by what
  /// waits.
  @Test func outputAgainstAnArray() {
    for seed in 1...60 as ClosedRange<UInt64> {
      var random = SplitMix64(seed: seed)
      var output = SessionOutput()
      var (model, next, taken): ([UInt8], UInt8, UInt64) = ([], 0, 0)
      for _ in 0..<300 {
        if Bool.random(using: &random) {
          let count = Int.random(in: 0...(seed % 5 == 0 ? 60_000 : 900), using: &random)
          let target = output.reserve(count)
          for index in 0..<count {
            target.storeBytes(of: next, toByteOffset: index, as: UInt8.self)
            model.append(next)
            next &+= 1
          }
          output.append(count)
        } else {
          let room = Int.random(in: 0...70_000, using: &random)
          var bytes = [UInt8](repeating: 0, count: room)
          let count = bytes.withUnsafeMutableBytes { buffer in
            buffer.baseAddress.map { output.read(into: $0, capacity: room) } ?? 0
          }
          #expect(Array(bytes.prefix(count)) == Array(model.prefix(room)), "seed \(seed)")
          model.removeFirst(count)
          taken += UInt64(count)
        }
        #expect(output.count == model.count && output.isEmpty == model.isEmpty)
        #expect(output.taken == taken)
      }
    }
  }
}
