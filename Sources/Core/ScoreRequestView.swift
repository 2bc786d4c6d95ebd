/// A named column of packed little-endian floats that lies in a message, unaligned.
package struct FloatColumnView: BitwiseCopyable {
  /// Valid as long as the message and the arena of its request.
  package var name: ByteSlice
  /// `count` floats of 4 bytes, little-endian, at any alignment.
  package var values: UnsafeRawPointer?
  package var count: Int

  package init(name: ByteSlice, values: UnsafeRawPointer?, count: Int) {
    self.name = name
    self.values = values
    self.count = count
  }
}

/// A decoded `crescendo.v1.ScoreRequest`, flat: every slice and pointer lies in the message or in
/// the request's arena and lives as long as both. `Wire` fills it, `Engine` reads it.
package struct ScoreRequestView: BitwiseCopyable {
  package var requestID = ByteSlice.empty
  package var userID: UInt64 = 0
  package var userURI = ByteSlice.empty

  package var market = ByteSlice.empty
  package var surface = ByteSlice.empty
  package var tier = ByteSlice.empty
  /// Milliseconds since 1970; 0 = the server's clock.
  package var timeUnixMilliseconds: Int64 = 0
  package var utcOffsetMinutes: Int32 = 0
  package var segments = UnsafeBufferPointer<ByteSlice>(start: nil, count: 0)

  /// `itemIDCount` ids of 8 bytes, little-endian, at any alignment.
  package var itemIDs: UnsafeRawPointer?
  package var itemIDCount = 0
  package var itemURIs = UnsafeBufferPointer<ByteSlice>(start: nil, count: 0)

  package var candidateColumns = UnsafeBufferPointer<FloatColumnView>(start: nil, count: 0)
  package var userColumns = UnsafeBufferPointer<FloatColumnView>(start: nil, count: 0)

  /// The wire's number: an open enum, checked by whoever uses it.
  package var minFidelity: Int32 = 0
  package var model = ByteSlice.empty
  package var wantRaw = false
  package var wantBoosts = false
  package var wantExplanations = false

  package init() {}

  /// Candidates in the batch: at most one of the two id columns is filled in a valid request.
  package var candidateCount: Int { max(itemIDCount, itemURIs.count) }
}
