internal import Core
internal import Wire

extension PromotionScoreClient {
  /// Scores the candidates of one request and gives parts of the answer as they are ready.
  ///
  /// The call begins at once, and its deadline runs. Who does not read holds the server back:
  /// above `ClientConfiguration.Bounds.unreadBytes` it is not asked for more. When nothing has
  /// come and the call fails for want of a server, a fallback is one part of all positions.
  public func streamScores(_ request: ScoreRequest, options: CallOptions = CallOptions())
    -> ScoreParts
  {
    do throws(RPCError) {
      let message = OutgoingMessage(bytes: try request.encoded(), work: request.work)
      let stream = StreamedCall(
        runtime, try head(.streamScores, options), ringKey: request.ringKey)
      stream.begin(message, isOnly: true)
      return ScoreParts(client: self, request: request, options: options, stream: stream)
    } catch {
      return ScoreParts(
        client: self, request: request, options: options,
        stream: StreamedCall(failed: error, runtime))
    }
  }
}

/// The parts of a streamed answer, in the order in which they came.
///
/// To be read once: several iterators share the parts among them. Cancelling the task that reads,
/// or letting go of the sequence and its iterators, cancels the call.
public struct ScoreParts: AsyncSequence, Sendable {
  public typealias Element = ScorePart
  public typealias Failure = RPCError

  let client: PromotionScoreClient
  let request: ScoreRequest
  let options: CallOptions
  let stream: StreamedCall

  public func makeAsyncIterator() -> Iterator {
    Iterator(parts: self)
  }

  /// Reads parts; not to be used by two tasks at a time.
  public struct Iterator: AsyncIteratorProtocol {
    let parts: ScoreParts
    private var hasPart = false
    private var isOver = false

    init(parts: ScoreParts) {
      self.parts = parts
    }

    /// The next part; nil after the last.
    ///
    /// - Throws: ``RPCError``; after it there is nothing more.
    public mutating func next() async throws(RPCError) -> ScorePart? {
      try await next(isolation: nil)
    }

    public mutating func next(isolation actor: isolated (any Actor)?)
      async throws(RPCError) -> ScorePart?
    {
      if isOver { return nil }
      switch await parts.stream.next() {
      case .message(let bytes):
        hasPart = true
        do throws(RPCError) {
          return try parts.decoded(bytes)
        } catch {
          isOver = true
          parts.stream.cancel()
          throw error
        }
      case .ended(let error):
        isOver = true
        guard let error else { return nil }
        if hasPart { throw error }
        let response = try parts.client.fallback(parts.request, parts.options, error)
        return ScorePart(positions: Array(0..<response.count), response: response)
      }
    }
  }

  private func decoded(_ bytes: [UInt8]) throws(RPCError) -> ScorePart {
    do throws(CallFailure) {
      let message = try StreamScoresResponseMessage.decoded(bytes)
      let count = request.candidateCount
      if let position = message.positions.first(where: { $0 >= count }) {
        throw CallFailure(
          .internalError, "a part has position \(position) of \(count) candidates")
      }
      if let mismatch = message.part.mismatch(candidateCount: message.positions.count) {
        throw CallFailure(
          .internalError, "a part of \(message.positions.count) positions has \(mismatch)")
      }
      return ScorePart(
        positions: message.positions.map(Int.init), response: ScoreResponse(message.part))
    } catch {
      throw RPCError(RPCError.Code(error.code), error.message)
    }
  }
}
