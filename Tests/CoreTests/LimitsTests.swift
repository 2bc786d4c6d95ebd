import Testing

@testable import Core

/// The relations that the derivations in `Limits` lean on: whoever changes one number sees which
/// others it was chosen with.
struct LimitsTests {
  @Test func aMessageOfFullLengthFitsIntoAnArena() {
    #expect(Limits.serving.arenaBytes >= 8 * Limits.serving.messageBytes)
    #expect(Limits.serving.arenaFirstChunkBytes >= 64)
    #expect(Limits.serving.arenaFirstChunkBytes <= Limits.serving.arenaBytes)
    // A request of 64 candidates whole: its ids and one column, and the answer's four columns.
    #expect(Limits.serving.arenaFirstChunkBytes >= 64 * (8 + 4 + 8 + 8 + 1 + 1))
  }

  @Test func aFullBatchFitsIntoAMessage() {
    #expect(
      Limits.serving.candidates * 8 + 40 * Limits.serving.candidates * 4
        < Limits.serving.messageBytes)
    #expect(Limits.serving.connectionBufferedBytes == 4 * Limits.serving.messageBytes)
  }

  @Test func windowsAndBuffersFitEachOther() {
    #expect(Limits.serving.streamWindowBytes >= 2_000 * (8 + 10 * 4))
    #expect(Limits.serving.connectionWindowBytes == 16 * Limits.serving.streamWindowBytes)
    #expect(Limits.serving.connectionWindowBytes <= Int(Int32.max))
    #expect(Limits.serving.streamWindowBytes >= 65_535)
    // Several frames of HTTP/2's default size, with their headers, go into one write.
    #expect(Limits.serving.writeBufferBytes >= 4 * (16_384 + 9))
    #expect(Limits.serving.readBufferBytes >= 16_384 + 9)
  }

  @Test func headersFitTheirList() {
    // Each costs 32 bytes besides its text.
    #expect(Limits.serving.headerCount * 32 < Limits.serving.headerListBytes)
    #expect((1...128).contains(Limits.serving.concurrentStreams))
    #expect(Limits.requestIDBytes >= 36)
  }

  @Test func workIsCutFinerThanItIsHandedOut() {
    #expect(Limits.serving.blockNanoseconds <= 200_000)
    #expect(Limits.serving.blockNanoseconds <= Limits.serving.inPlaceNanoseconds)
    #expect(Limits.serving.inPlaceNanoseconds < Limits.serving.fanOutNanoseconds)
    #expect(Limits.serving.fanOutNanoseconds < Limits.serving.shardQueueNanoseconds)
    #expect(Limits.serving.shardQueueNanoseconds < Limits.serving.defaultTimeoutNanoseconds)
    #expect(Limits.serving.drainNanoseconds <= Limits.serving.defaultTimeoutNanoseconds)
    #expect(Limits.serving.messageArrivalNanoseconds >= Limits.serving.defaultTimeoutNanoseconds)
  }

  @Test func snapshotBoundsFitEachOther() {
    #expect(Limits.tableRows == Int(Int32.max))
    #expect(Limits.tensors >= 4 * Limits.features)
    #expect(Limits.categories >= Limits.features)
    #expect(Limits.requestColumns >= Limits.features)
    #expect(Limits.snapshotFiles >= 4 * Limits.models)
    #expect(Limits.tensorHeaderBytes < Limits.tensorFileBytes)
    // Sums of products of two I8 vectors stay within what a float holds exactly.
    #expect(Limits.int8EmbeddingDimension * 128 * 128 <= 1 << 24)
    #expect(Limits.int8EmbeddingDimension <= Limits.embeddingDimension)
    #expect(Limits.jsonTokens >= Limits.models * Limits.features * 8)
  }
}
