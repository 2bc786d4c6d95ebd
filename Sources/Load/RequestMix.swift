internal import Core
package import Wire

/// Who asks.
package enum UserPopulation: Sendable {
  /// Requests without a user.
  case anonymous
  /// Ids 1 … `count`.
  case numbered(count: Int)
  case ids([UInt64])

  var count: Int {
    switch self {
    case .anonymous: 0
    case .numbered(let count): count
    case .ids(let ids): ids.count
    }
  }

  /// The user of rank `rank`, from 1.
  func id(rank: Int) -> UInt64 {
    switch self {
    case .anonymous: 0
    case .numbered: UInt64(rank)
    case .ids(let ids): ids[rank - 1]
    }
  }
}

/// The requests of a run: batches that are encoded once, and for each call one of them with a user
/// of its own, whose eight bytes are put in while the request is copied to the connection.
package final class RequestMix {
  /// One framed message.
  struct Body: BitwiseCopyable {
    var bytes: UnsafeRawPointer
    var count: Int
    var candidateCount: Int
  }

  private let memory: UnsafeMutableRawPointer
  private let bodies: [Body]
  private let users: UserPopulation
  private let ranks: ZipfDistribution?

  /// Of all encoded batches, bytes: more than the caches hold, so that the server meets them cold,
  /// and little for a machine.
  package static let bytesMax = 64 << 20
  /// Where the user's eight bytes stand: behind the frame's prefix and the field's tag. Fields are
  /// encoded in the order of their numbers, and field 1, the request's id, is left empty.
  static let userOffset = MessageAssembler.prefixBytes + 1
  private static let userTag: UInt8 = 2 << 3 | 1

  /// `batches` is not empty; their users are replaced. `exponent` is Zipf's.
  package init(batches: [ScoreRequestMessage], users: UserPopulation, exponent: Double)
    throws(ClientEncodingError)
  {
    precondition(!batches.isEmpty)
    self.users = users
    ranks = users.count > 0 ? ZipfDistribution(count: users.count, exponent: exponent) : nil
    var framed: [[UInt8]] = []
    for batch in batches {
      var batch = batch
      batch.requestID = ""
      batch.userID = ranks == nil ? 0 : .max
      batch.userURI = ""
      guard let bytes = ClientFraming.framed(try batch.encoded()) else { throw .tooLarge }
      framed.append(bytes)
    }
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: framed.reduce(1) { $0 + $1.count }, alignment: 64)
    self.memory = memory
    var next = memory
    bodies = zip(framed, batches).map { bytes, batch in
      bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(start: next, count: $0.count).copyMemory(from: $0)
      }
      defer { next += bytes.count }
      return Body(bytes: next, count: bytes.count, candidateCount: batch.candidateCount)
    }
    precondition(
      ranks == nil
        || framed.allSatisfy {
          $0[Self.userOffset - 1] == Self.userTag && $0[Self.userOffset] == 0xFF
        })
  }

  deinit {
    memory.deallocate()
  }

  /// Candidates of the smallest and of the largest batch.
  package var candidateCounts: ClosedRange<Int> {
    let counts = bodies.map(\.candidateCount)
    return (counts.min() ?? 0)...(counts.max() ?? 0)
  }

  /// The next request: a body, and its user (0 = anonymous).
  func next(_ random: inout SplitMix64) -> (body: Body, userID: UInt64) {
    let body = bodies[Int(truncatingIfNeeded: random.next() % UInt64(bodies.count))]
    guard let ranks else { return (body, 0) }
    return (body, users.id(rank: ranks.rank(&random)))
  }

  /// Copies `count` bytes of a body from `offset`, with `userID` in its place.
  @inline(__always)
  static func copy(
    _ body: UnsafeRawPointer, from offset: Int, count: Int, userID: UInt64,
    to target: UnsafeMutableRawPointer
  ) {
    target.copyMemory(from: body + offset, byteCount: count)
    guard userID != 0, offset < userOffset + 8 else { return }
    for index in 0..<8 {
      let position = userOffset + index - offset
      guard position >= 0, position < count else { continue }
      (target + position).storeBytes(
        of: UInt8(truncatingIfNeeded: userID >> UInt64(8 * index)), as: UInt8.self)
    }
  }
}
