import Testing

@testable import Core

/// The relations that the derivations in `Limits` lean on: whoever changes one number sees which
/// others it was chosen with.
struct LimitsTests {
  @Test func aMessageOfFullLengthFitsIntoAnArena() {
    #expect(Limits.arenaBytes >= 8 * Limits.messageBytes)
    #expect(Limits.arenaFirstChunkBytes >= 64)
    #expect(Limits.arenaFirstChunkBytes <= Limits.arenaBytes)
    // A request of 64 candidates whole: its ids and one column, and the answer's four columns.
    #expect(Limits.arenaFirstChunkBytes >= 64 * (8 + 4 + 8 + 8 + 1 + 1))
  }

  @Test func aFullBatchFitsIntoAMessage() {
    #expect(Limits.candidates * 8 + 40 * Limits.candidates * 4 < Limits.messageBytes)
    #expect(Limits.connectionBufferedBytes == 4 * Limits.messageBytes)
  }

  @Test func windowsAndBuffersFitEachOther() {
    #expect(Limits.streamWindowBytes >= 2_000 * (8 + 10 * 4))
    #expect(Limits.connectionWindowBytes == 16 * Limits.streamWindowBytes)
    #expect(Limits.connectionWindowBytes <= Int(Int32.max))
    #expect(Limits.streamWindowBytes >= 65_535)
    // Several frames of HTTP/2's default size, with their headers, go into one write.
    #expect(Limits.writeBufferBytes >= 4 * (16_384 + 9))
    #expect(Limits.readBufferBytes >= 16_384 + 9)
  }

  @Test func headersFitTheirList() {
    // Each costs 32 bytes besides its text.
    #expect(Limits.headerCount * 32 < Limits.headerListBytes)
    #expect((1...128).contains(Limits.concurrentStreams))
    #expect(Limits.requestIDBytes >= 36)
  }

  @Test func workIsCutFinerThanItIsHandedOut() {
    #expect(Limits.blockNanoseconds <= 200_000)
    #expect(Limits.blockNanoseconds <= Limits.inPlaceNanoseconds)
    #expect(Limits.inPlaceNanoseconds < Limits.fanOutNanoseconds)
    #expect(Limits.fanOutNanoseconds < Limits.shardQueueNanoseconds)
    #expect(Limits.shardQueueNanoseconds < Limits.defaultTimeoutNanoseconds)
    #expect(Limits.drainNanoseconds <= Limits.defaultTimeoutNanoseconds)
    #expect(Limits.messageArrivalNanoseconds >= Limits.defaultTimeoutNanoseconds)
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
