package import Core
internal import Syscalls
internal import Wire

/// A client of Crescendo's `PromotionScoreService`.
///
/// One client is meant for a whole process: it keeps few connections and shares them among all
/// calls. It is safe to use from any task and any thread, and runs one thread of its own. Every
/// call has a deadline, and cancelling the task that waits for a call cancels the call on the
/// server. A client that is no longer referenced ends its calls and closes its connections;
/// ``close()`` waits for them.
public final class PromotionScoreClient: Sendable {
  let runtime: ClientRuntime
  let configuration: ClientConfiguration
  /// Of the configuration, checked.
  let metadata: [MetadataEntry]

  /// Starts a client. It connects with the first call.
  ///
  /// - Throws: ``ClientConfigurationError`` with the setting that cannot be, or with `client` when
  ///   the system has no thread or descriptor left.
  public convenience init(_ configuration: ClientConfiguration) throws(ClientConfigurationError) {
    try self.init(configuration, clock: .system)
  }

  package init(
    _ configuration: ClientConfiguration, clock: Clock,
    seed: UInt64 = UInt64.random(in: 0 ... .max)
  ) throws(ClientConfigurationError) {
    let addresses = try configuration.validated()
    self.configuration = configuration
    metadata = configuration.metadata.map { MetadataEntry($0.name, $0.value) }
    do throws(SystemError) {
      runtime = try ClientRuntime.start(configuration, addresses, clock: clock, seed: seed)
    } catch {
      throw ClientConfigurationError("client", "cannot be started: \(error)")
    }
  }

  deinit {
    let runtime = runtime
    runtime.post { runtime.close(nil, graceNanoseconds: 0) }
  }

  /// Scores the candidates of one request.
  ///
  /// - Returns: One score per candidate. When no server answered and there is a fallback, its
  ///   scores, with ``ScoreResponse/fallbackCause`` set.
  /// - Throws: ``RPCError``: CANCELLED when the task was cancelled, INVALID_ARGUMENT for what
  ///   cannot be said on the wire, INTERNAL for an answer that does not fit the request, or what
  ///   the server, the connection or the deadline say.
  public func score(_ request: ScoreRequest, options: CallOptions = CallOptions())
    async throws(RPCError) -> ScoreResponse
  {
    let message = OutgoingMessage(bytes: try request.encoded(), work: request.work)
    let head = try head(.score, options)
    do throws(RPCError) {
      let answer = try await unary(head, message, ringKey: request.ringKey)
      return try .decoded(answer, candidateCount: request.candidateCount)
    } catch {
      return try fallback(request, options, error)
    }
  }

  /// Asks how a service is; an empty name asks for the whole server.
  ///
  /// - Throws: ``RPCError`` as `score` does.
  public func checkHealth(service: String = "", options: CallOptions = CallOptions())
    async throws(RPCError) -> ServiceHealth
  {
    let bytes: [UInt8]
    do throws(ClientEncodingError) {
      bytes = try HealthMessages.encodedRequest(service: service)
    } catch {
      throw RPCError(.invalidArgument, "\(error)")
    }
    let answer = try await unary(
      try head(.checkHealth, options), OutgoingMessage(bytes: bytes, work: 0), ringKey: 0)
    do throws(CallFailure) {
      return ServiceHealth(try HealthMessages.decodedResponse(answer))
    } catch {
      throw RPCError(RPCError.Code(error.code), error.message)
    }
  }

  /// Ends the client: no new calls; open ones may finish for `ClientConfiguration.closeTimeout`,
  /// and are then UNAVAILABLE. Returns when everything is closed; a second time at once.
  public func close() async {
    let runtime = runtime
    let grace = configuration.closeTimeout.nanoseconds
    await withCheckedContinuation { continuation in
      let isPosted = runtime.post {
        runtime.close({ continuation.resume() }, graceNanoseconds: grace)
      }
      if !isPosted { continuation.resume() }
    }
  }

  // MARK: Calls

  /// What all attempts of a call say; INVALID_ARGUMENT for options that cannot be sent.
  func head(_ method: ClientMethod, _ options: CallOptions) throws(RPCError) -> CallHead {
    let timeout = (options.timeout ?? configuration.timeout).nanoseconds
    guard timeout > 0 else { throw RPCError(.invalidArgument, "a timeout of 0 or less") }
    var metadata = metadata
    let shared = metadata.count
    for (name, value) in options.metadata {
      let entry = MetadataEntry(name, value)
      if let problem = RequestHeaders.problem(entry) { throw RPCError(.invalidArgument, problem) }
      metadata.append(entry)
    }
    if let traceparent = options.traceparent {
      let entry = MetadataEntry("traceparent", traceparent)
      if let problem = RequestHeaders.problem(entry) { throw RPCError(.invalidArgument, problem) }
      metadata.append(entry)
    }
    let own = metadata[shared...].filter { !self.metadata.contains($0) }
    if configuration.framing != .grpc, let problem = RequestHeaders.problem(ofSessionCall: own) {
      throw RPCError(.invalidArgument, problem)
    }
    let (deadline, overflow) = runtime.nowNanoseconds.addingReportingOverflow(timeout)
    var head = CallHead(
      method: method, deadlineNanoseconds: overflow ? distantFutureNanoseconds : deadline,
      isBatch: options.priority == .batch, metadata: metadata, retries: options.retries,
      hedging: options.hedging)
    head.isGRPCOnly = own.contains { !SessionMetadata.carries($0.name) }
    return head
  }

  private func unary(_ head: CallHead, _ message: OutgoingMessage, ringKey: UInt64)
    async throws(RPCError) -> [UInt8]
  {
    let runtime = runtime
    let call = LogicalCall(runtime, head, ringKey: ringKey)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let sink = UnarySink(continuation)
        let isPosted = runtime.post { call.begin(message, isOnly: true, sink: sink) }
        if !isPosted { sink.ended(ClientRuntime.closed) }
      }
    } onCancel: {
      runtime.post { call.cancel() }
    }
    return try result.get()
  }

  func fallback(_ request: ScoreRequest, _ options: CallOptions, _ error: RPCError)
    throws(RPCError) -> ScoreResponse
  {
    guard let fallback = options.fallback ?? configuration.fallback,
      let response = fallback.response(to: request, cause: error)
    else { throw error }
    runtime.metrics.count(.fallback)
    return response
  }
}

extension ServiceHealth {
  init(_ status: HealthStatus) {
    switch status {
    case .unknown: self = .unknown
    case .serving: self = .serving
    case .notServing: self = .notServing
    case .serviceUnknown: self = .serviceUnknown
    case .other(let number): self = .other(number)
    }
  }
}
