internal import Core

/// What one call wants other than the client's configuration says.
public struct CallOptions: Sendable {
  /// Who is turned away first where a server has too much to do.
  public enum Priority: Sendable, Equatable {
    case interactive
    /// May wait, and is turned away first.
    case batch
  }

  /// From now to the deadline; more than zero. Nil = `ClientConfiguration.timeout`. There is always
  /// one.
  public var timeout: Duration?
  /// `interactive` unless said otherwise.
  public var priority: Priority
  /// W3C Trace Context, 55 characters; nil = none is sent.
  public var traceparent: String?
  /// Whether a failed attempt may be followed by another; nil = as configured.
  public var retries: Bool?
  /// Whether a late attempt may be joined by another; nil = as configured. Only `score` and
  /// `streamScores` are hedged.
  public var hedging: Bool?
  /// Nil = `ClientConfiguration.fallback`.
  public var fallback: LocalFallback?
  /// Sent with every attempt. Names are `[0-9a-z_.-]`, at most 255 bytes, and none of gRPC's own;
  /// values are printable ASCII. All of it has at most 8,192 bytes where sessions may be spoken.
  ///
  /// The identity of a session is that of `ClientConfiguration.metadata`: a call that brings its
  /// own `authorization`, `crescendo-client` or `crescendo-priority` goes by gRPC.
  public var metadata: [(name: String, value: String)]

  /// What is left out is as the configuration says.
  public init(
    timeout: Duration? = nil, priority: Priority = .interactive, traceparent: String? = nil,
    retries: Bool? = nil, hedging: Bool? = nil, fallback: LocalFallback? = nil,
    metadata: [(name: String, value: String)] = []
  ) {
    self.timeout = timeout
    self.priority = priority
    self.traceparent = traceparent
    self.retries = retries
    self.hedging = hedging
    self.fallback = fallback
    self.metadata = metadata
  }
}

/// Scores of the caller's own, for when no server gives any: a prior.
///
/// It is asked after everything else has failed with UNAVAILABLE, DEADLINE_EXCEEDED or
/// RESOURCE_EXHAUSTED, on the task that made the call.
public struct LocalFallback: Sendable {
  /// One score per candidate, in the request's order, or nil to let the call fail. Another number
  /// of scores counts as nil.
  public var scores: @Sendable (_ request: ScoreRequest, _ cause: RPCError) -> [Float]?

  /// As the property `scores`; called on any thread.
  public init(
    _ scores: @escaping @Sendable (_ request: ScoreRequest, _ cause: RPCError) -> [Float]?
  ) {
    self.scores = scores
  }

  /// The same score for every candidate.
  public static func prior(_ score: Float) -> LocalFallback {
    LocalFallback { request, _ in Array(repeating: score, count: request.candidateCount) }
  }

  func response(to request: ScoreRequest, cause: RPCError) -> ScoreResponse? {
    guard cause.isAvailability, let scores = scores(request, cause),
      scores.count == request.candidateCount
    else { return nil }
    return .fallback(scores, for: request, cause: cause)
  }
}

extension Duration {
  /// Whole nanoseconds; what is negative is 0, and what is too long the longest.
  var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (whole, isLong) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isLonger) = whole.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
    return isLong || isLonger ? .max : sum
  }
}
