internal import Core
internal import Wire

/// What one call of a `SessionChannel` came to. Its bytes live until the closure returns that it
/// was handed to.
public struct DirectAnswer: ~Copyable {
  /// Of `submit`.
  public let tag: UInt
  /// The number of the gRPC status; 0 = OK. An answer that is no `ScoreResponse`, or has no one
  /// packed column of scores, is 13, INTERNAL.
  public private(set) var code: Int32
  /// Microseconds, as the server measured them.
  public let queueMicroseconds: UInt32
  /// Scoring alone.
  public let scoreMicroseconds: UInt32
  /// Writing the answer.
  public let encodeMicroseconds: UInt32
  /// Milliseconds to wait before a retry; negative: do not retry; nil: nothing was said.
  public let pushbackMilliseconds: Int32?
  /// The wire's number of the lowest fidelity of the answer.
  public private(set) var fidelity: UInt8 = 0
  /// The `ScoreResponse` itself, for a decoder of your own.
  public let message: UnsafeRawBufferPointer
  private var scores: UnsafeRawPointer? = nil
  /// Candidates with a score; 0 where `code` is not 0.
  public private(set) var count = 0
  private let words: ByteSlice

  init(
    _ context: UnsafeMutableRawPointer?, _ message: ByteSlice, _ record: SessionEndRecord? = nil,
    isLast: Bool = true
  ) {
    tag = UInt(bitPattern: context) &- 1
    code = 0
    queueMicroseconds = record?.queueMicroseconds ?? 0
    scoreMicroseconds = record?.scoreMicroseconds ?? 0
    encodeMicroseconds = record?.encodeMicroseconds ?? 0
    pushbackMilliseconds = nil
    self.message = message.bytes
    words = .empty
    guard let scan = ClientScoreScan(message.bytes),
      scan.scoreCount == 0 || scan.scoresOffset != nil
    else {
      code = StatusCode.internalError.rawValue
      return
    }
    fidelity = scan.fidelity.rawValue
    count = scan.scoreCount
    scores = scan.scoresOffset.flatMap { offset in message.base.map { $0 + offset } }
  }

  init(_ context: UnsafeMutableRawPointer?, _ end: SessionCallEnd) {
    tag = UInt(bitPattern: context) &- 1
    code = end.code.rawValue
    queueMicroseconds = end.record.queueMicroseconds
    scoreMicroseconds = end.record.scoreMicroseconds
    encodeMicroseconds = end.record.encodeMicroseconds
    let pushback = end.record.pushbackMilliseconds
    pushbackMilliseconds = pushback == SessionEndRecord.noPushback ? nil : pushback
    message = UnsafeRawBufferPointer(start: nil, count: 0)
    words = end.text
  }

  /// The session ended before it.
  init(lost context: UnsafeMutableRawPointer?) {
    tag = UInt(bitPattern: context) &- 1
    code = StatusCode.unavailable.rawValue
    (queueMicroseconds, scoreMicroseconds, encodeMicroseconds) = (0, 0, 0)
    pushbackMilliseconds = nil
    message = UnsafeRawBufferPointer(start: nil, count: 0)
    words = ByteSlice("the session ended before the answer")
  }

  /// Why, for people; empty when the code is OK. Allocates.
  public var text: String { words.text }

  /// The score of a candidate, by its place in the request: 0 ..< `count`.
  public subscript(index: Int) -> Float {
    precondition(index >= 0 && index < count, "no such candidate")
    guard let scores else { return 0 }
    return Float(
      bitPattern: UInt32(
        littleEndian: scores.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
  }
}
