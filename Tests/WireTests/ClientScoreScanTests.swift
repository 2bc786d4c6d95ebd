import Core
import Testing

@testable import Wire

@Suite struct ClientScoreScanTests {
  private func scan(_ bytes: [UInt8]) -> ClientScoreScan? {
    bytes.withUnsafeBytes { ClientScoreScan($0) }
  }

  private func packed(_ field: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [field << 3 | 2, UInt8(payload.count)] + payload
  }

  @Test func countsPackedScores() throws {
    let answer = try #require(
      scan(packed(1, [65]) + packed(3, .init(repeating: 0, count: 12)) + [40, 4]))
    #expect(answer.scoreCount == 3)
    #expect(answer.fidelity == .full)
    #expect(answer.unscoredCount == 0)
    #expect(answer.isAnswer(candidateCount: 3) && !answer.isAnswer(candidateCount: 2))
  }

  @Test func splitAndUnpackedColumnsAddUp() throws {
    let answer = try #require(
      scan(packed(3, [0, 0, 0, 0]) + [29, 0, 0, 0, 0] + packed(6, [4]) + [48, 1]))
    #expect(answer.scoreCount == 2)
    #expect(answer.fidelity == .full)
    #expect(answer.unscoredCount == 1)
    #expect(answer.isAnswer(candidateCount: 2))
  }

  @Test(arguments: [
    ([4, 4], Fidelity.full, 0), ([4, 3], .partial, 0), ([2, 1], .prior, 1), ([1, 1], .none, 2),
    ([9, 9], .unspecified, 0),
  ])
  func theLevelIsTheLowestOfWhatHasAScore(_ levels: [UInt8], _ level: Fidelity, _ none: Int) throws
  {
    let answer = try #require(scan(packed(3, .init(repeating: 0, count: 8)) + packed(6, levels)))
    #expect(answer.fidelity == level)
    #expect(answer.unscoredCount == none)
  }

  @Test func allNoneIsNoScoreAtAll() throws {
    let answer = try #require(scan(packed(3, .init(repeating: 0, count: 8)) + [40, 1]))
    #expect(answer.fidelity == .none && answer.unscoredCount == 2)
  }

  @Test func emptyIsAnAnswerToNothing() throws {
    let answer = try #require(scan([]))
    #expect(answer.isAnswer(candidateCount: 0))
    #expect(answer.fidelity == .unspecified)
  }

  @Test func fidelitiesOfAnotherLengthAreNoAnswer() throws {
    let answer = try #require(scan(packed(3, .init(repeating: 0, count: 8)) + packed(6, [4])))
    #expect(!answer.isAnswer(candidateCount: 2))
  }

  @Test(
    arguments: [
      [26, 3, 0, 0, 0], [26, 9, 0], [40], [40, 0x80], [50, 1, 0x80], [24, 1], [42, 0], [0x1B], [0],
      [45, 0, 0, 0, 0], [0x33, 1],
    ] as [[UInt8]])
  func refuses(_ bytes: [UInt8]) {
    #expect(scan(bytes) == nil)
  }

  /// Whatever the bytes are, it ends without reaching past them (the sanitizer would tell).
  @Test func randomBytes() {
    let seed: UInt64 = 11
    var random = SplitMix64(seed: seed)
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      if let answer = scan(bytes) {
        #expect(answer.scoreCount <= bytes.count / 4 + 1, "seed \(seed): \(bytes)")
      }
    }
  }
}
