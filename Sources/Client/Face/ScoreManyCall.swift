internal import Core
internal import Syscalls
internal import Wire

extension PromotionScoreClient {
  /// Opens a call of many batches: requests one way, answers the other, each in its own time.
  ///
  /// The call begins with its first request; its deadline runs from now. It is neither repeated
  /// nor hedged, but for what the server has not begun with.
  public func scoreMany(options: CallOptions = CallOptions()) -> ScoreManyCall {
    do throws(RPCError) {
      let stream = StreamedCall(
        runtime, try head(.scoreMany, options), ringKey: 0,
        gate: SendGate(limitBytes: configuration.bounds.unsentBytes))
      return ScoreManyCall(self, stream)
    } catch {
      return ScoreManyCall(self, StreamedCall(failed: error, runtime))
    }
  }
}

/// One call of many batches. Letting go of it and of its answers cancels it.
public final class ScoreManyCall: Sendable {
  private struct State {
    var nextSequence: UInt64 = 0
    var hasBegun = false
    var isFinished = false
    /// Candidates of batches without an answer, by sequence.
    var open: [UInt64: Int] = [:]
  }

  /// What one batch came to.
  public struct Answer: Sendable {
    /// As `send` returned it.
    public var sequence: UInt64
    /// The scores, or why this batch alone has none.
    public var result: Result<ScoreResponse, RPCError>
  }

  /// Kept for as long as its call: without it the call would be cut.
  private let client: PromotionScoreClient
  private let stream: StreamedCall
  private let state = Guarded(State())

  init(_ client: PromotionScoreClient, _ stream: StreamedCall) {
    self.client = client
    self.stream = stream
  }

  /// Sends one batch, after waiting for room where the server is behind.
  ///
  /// - Parameters:
  ///   - request: The batch.
  ///   - timeout: Of this batch, from when it arrives at the server; nil = the call's own
  ///     deadline. Microseconds count, at most an hour.
  /// - Returns: Its number, by which its answer is known: 0, 1, …
  /// - Throws: ``RPCError``: why the call has ended; FAILED_PRECONDITION after `finish`.
  @discardableResult
  public func send(_ request: ScoreRequest, timeout: Duration? = nil)
    async throws(RPCError) -> UInt64
  {
    let body = try request.encoded()
    let charge = body.count + ScoreManyCall.roomBytes
    if let error = await stream.takeRoom(charge) { throw error }
    let micros = timeout.map { max(1, min($0.nanoseconds / 1_000, 3_600_000_000)) } ?? 0
    return try state.withLock { state throws(RPCError) in
      guard !state.isFinished else {
        throw RPCError(.failedPrecondition, "the call was finished")
      }
      let sequence = state.nextSequence
      state.nextSequence += 1
      state.open[sequence] = request.candidateCount
      let message = OutgoingMessage(
        bytes: ScoreManyRequestMessage.encoded(
          sequence: sequence, timeoutMicroseconds: UInt32(micros), request: body),
        work: request.work, charge: charge)
      // Within the lock, so that messages go in the order of their numbers.
      if state.hasBegun {
        stream.send(message, isLast: false)
      } else {
        state.hasBegun = true
        stream.begin(message, isOnly: false)
      }
      return sequence
    }
  }

  /// Of a message beside its request: sequence, timeout, tags and length.
  private static let roomBytes = 20

  /// No more batches. The answers end when the server has answered all.
  public func finish() {
    state.withLock { state in
      guard !state.isFinished else { return }
      state.isFinished = true
      if state.hasBegun {
        stream.send(nil, isLast: true)
      } else {
        stream.endUnbegun()
      }
    }
  }

  /// Ends the call without waiting for its answers.
  public func cancel() {
    stream.cancel()
  }

  /// The answers in the order in which they came, not of the requests. To be read once.
  public var answers: Answers { Answers(call: self) }

  /// All answers of a call. Several iterators share them.
  public struct Answers: AsyncSequence, Sendable {
    public typealias Element = Answer
    public typealias Failure = RPCError

    let call: ScoreManyCall

    public func makeAsyncIterator() -> Iterator { Iterator(call: call) }

    /// Reads answers; not to be used by two tasks at a time.
    public struct Iterator: AsyncIteratorProtocol {
      let call: ScoreManyCall

      /// The next answer; nil after the last.
      ///
      /// - Throws: ``RPCError`` when the whole call has failed.
      public mutating func next() async throws(RPCError) -> Answer? {
        try await next(isolation: nil)
      }

      public mutating func next(isolation actor: isolated (any Actor)?)
        async throws(RPCError) -> Answer?
      {
        switch await call.stream.next() {
        case .message(let bytes):
          do throws(RPCError) {
            return try call.decoded(bytes)
          } catch {
            call.cancel()
            throw error
          }
        case .ended(nil): return nil
        case .ended(let error?): throw error
        }
      }
    }
  }

  private func decoded(_ bytes: [UInt8]) throws(RPCError) -> Answer {
    do throws(CallFailure) {
      let message = try ScoreManyResponseMessage.decoded(bytes)
      guard let count = state.withLock({ $0.open.removeValue(forKey: message.sequence) }) else {
        throw CallFailure(
          .internalError, "an answer to batch \(message.sequence), which has none to come")
      }
      guard message.statusCode == 0 else {
        let code = StatusCode(rawValue: message.statusCode) ?? .unknown
        return Answer(
          sequence: message.sequence,
          result: .failure(
            RPCError(RPCError.Code(code), message.statusMessage, origin: .server)))
      }
      let response = message.response ?? ScoreResponseMessage()
      if let mismatch = response.mismatch(candidateCount: count) {
        throw CallFailure(.internalError, "the answer to \(count) candidates has \(mismatch)")
      }
      return Answer(sequence: message.sequence, result: .success(ScoreResponse(response)))
    } catch {
      throw RPCError(RPCError.Code(error.code), error.message)
    }
  }
}
