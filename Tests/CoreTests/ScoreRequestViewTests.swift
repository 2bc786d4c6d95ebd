import Testing

@testable import Core

struct ScoreRequestViewTests {
  @Test func anEmptyRequestHasNothing() {
    let request = ScoreRequestView()
    #expect(request.candidateCount == 0)
    #expect(request.requestID.isEmpty && request.market.isEmpty && request.model.isEmpty)
    #expect(request.candidateColumns.isEmpty && request.segments.isEmpty)
    #expect(request.timeUnixMilliseconds == 0 && !request.wantRaw)
  }

  @Test func candidatesAreWhicheverColumnIsFilled() {
    var request = ScoreRequestView()
    request.itemIDCount = 3
    #expect(request.candidateCount == 3)
    let uris = [ByteSlice("a"), ByteSlice("b")]
    uris.withUnsafeBufferPointer {
      request.itemIDCount = 0
      request.itemURIs = $0
      #expect(request.candidateCount == 2)
    }
  }
}
