import Core
import Testing
import Wire

@testable import Load

@Suite struct RequestMixTests {
  private func batch(_ ids: [UInt64]) -> ScoreRequestMessage {
    var message = ScoreRequestMessage()
    message.itemIDs = ids
    message.context.market = "SE"
    return message
  }

  /// Whatever the cut, the bytes are those of the message with that user.
  @Test(arguments: [1, 2, 3, 5, 7, 8, 13, 14, 100])
  func theUserIsPutInAcrossCuts(cut: Int) throws {
    let mix = try RequestMix(
      batches: [batch([11, 12, 13])], users: .ids([0x0102_0304_0506_0708]), exponent: 1)
    var random = SplitMix64(seed: 1)
    let (body, userID) = mix.next(&random)
    #expect(userID == 0x0102_0304_0506_0708)
    #expect(body.candidateCount == 3)
    var bytes = [UInt8](repeating: 0, count: body.count)
    bytes.withUnsafeMutableBytes { target in
      for start in stride(from: 0, to: body.count, by: cut) {
        guard let base = target.baseAddress else { return }
        RequestMix.copy(
          body.bytes, from: start, count: min(cut, body.count - start), userID: userID,
          to: base + start)
      }
    }
    var expected = batch([11, 12, 13])
    expected.userID = userID
    #expect(bytes == ClientFraming.framed(try expected.encoded()))
  }

  @Test func anonymousRequestsHaveNoUser() throws {
    var named = batch([7])
    named.requestID = "not sent"
    named.userURI = "not:sent"
    let mix = try RequestMix(batches: [named], users: .anonymous, exponent: 1)
    var random = SplitMix64(seed: 1)
    let (body, userID) = mix.next(&random)
    var bytes = [UInt8](repeating: 0, count: body.count)
    bytes.withUnsafeMutableBytes { target in
      guard let base = target.baseAddress else { return }
      RequestMix.copy(body.bytes, from: 0, count: body.count, userID: userID, to: base)
    }
    #expect(bytes == ClientFraming.framed(try batch([7]).encoded()))
  }

  @Test func everyBatchAndTheFirstUsersComeOften() throws {
    let mix = try RequestMix(
      batches: (1...8).map { batch(Array(repeating: 5, count: $0)) }, users: .numbered(count: 100),
      exponent: 1)
    let seed: UInt64 = 4
    var random = SplitMix64(seed: seed)
    var sizes: Set<Int> = []
    var users: [UInt64: Int] = [:]
    for _ in 0..<5_000 {
      let (body, userID) = mix.next(&random)
      sizes.insert(body.candidateCount)
      users[userID, default: 0] += 1
    }
    #expect(sizes == Set(1...8), "seed \(seed)")
    #expect(users.keys.allSatisfy { $0 >= 1 && $0 <= 100 })
    #expect((users[1] ?? 0) > 3 * (users[10] ?? 0), "seed \(seed): \(users)")
  }
}
