internal import Core

extension ServerMetricFamilies {
  static func scoring(_ schema: inout MetricSchema) -> (
    queueDelay: MetricFamilyID, score: MetricFamilyID, encode: MetricFamilyID,
    work: MetricFamilyID
  ) {
    func histogram(_ name: String, _ help: String) -> MetricFamilyID {
      schema.histogram(
        name, help, unit: .nanoseconds, bounds: MetricBounds.latencyNanoseconds)
    }
    return (
      histogram(
        "crescendo_queue_delay_seconds", "From handing a slice to its shard to its beginning."),
      histogram("crescendo_score_seconds", "Scoring one slice."),
      histogram("crescendo_encode_seconds", "Laying one answer out."),
      schema.counter("crescendo_work_seconds_total", "Scoring in all.", unit: .nanoseconds)
    )
  }

  static func ends(_ schema: inout MetricSchema) -> (
    refusals: MetricFamilyID, cancellations: MetricFamilyID
  ) {
    (
      schema.counter(
        "crescendo_refusals_total", "Calls and connections that were turned away.",
        labels: ["reason"], series: RefusalReason.allCases.map { [$0.label] }),
      schema.counter(
        "crescendo_cancellations_total", "Calls that ended before their answer.",
        labels: ["source"], series: CancellationSource.allCases.map { [$0.label] })
    )
  }

  /// What is read when somebody asks.
  static func observe(_ schema: inout MetricSchema, _ facts: ServerFacts) {
    observeLedger(&schema, facts.ledger)
    schema.observed(
      .gauge, "crescendo_snapshot_info", "The snapshot that is served, and its models.",
      labels: ["version", "model"]
    ) {
      let snapshot = facts.snapshot()
      return snapshot.models.map { MetricSample([snapshot.version, $0], 1) }
    }
    schema.observed(
      .gauge, "crescendo_snapshot_age_seconds", "Since the snapshot was created."
    ) {
      let age = facts.clock.unixMilliseconds() - facts.snapshot().createdUnixMilliseconds
      return [MetricSample([], Double(age) / 1_000)]
    }
    schema.observed(
      .gauge, "crescendo_learned_cost_seconds", "What one candidate costs.",
      labels: ["model", "level"]
    ) {
      facts.learnedCosts().map { MetricSample([$0.model, $0.level], $0.nanoseconds / 1e9) }
    }
    schema.observed(
      .gauge, "crescendo_limit", "Bounds of the server, in the unit of their names.",
      labels: ["name"]
    ) {
      facts.limits.map { MetricSample([$0.name], $0.value) }
    }
    schema.observed(
      .gauge, "crescendo_build_info", "Which Crescendo this is.", labels: ["version"]
    ) {
      [MetricSample([Version.text], 1)]
    }
    schema.observed(.gauge, "process_resident_memory_bytes", "Memory in use.") {
      facts.process().map { [MetricSample([], Double($0.residentBytes))] } ?? []
    }
    schema.observed(.counter, "process_cpu_seconds_total", "User and system time.") {
      facts.process().map { [MetricSample([], Double($0.cpuNanoseconds) / 1e9)] } ?? []
    }
  }

  func work(_ registry: MetricRegistry, writer: Int) -> WorkMetrics {
    WorkMetrics(
      queueDelay: registry.histograms(queueDelay, writer: writer)[0],
      score: registry.histograms(score, writer: writer)[0],
      work: registry.counters(work, writer: writer)[0])
  }

  func loop(_ registry: MetricRegistry, writer: Int) -> LoopMetrics {
    LoopMetrics(
      families: LoopMetrics.Families(
        started: registry.counters(started, writer: writer),
        handled: registry.counters(handled, writer: writer),
        messagesReceived: registry.counters(messagesReceived, writer: writer),
        messagesSent: registry.counters(messagesSent, writer: writer),
        handling: registry.histograms(handling, writer: writer),
        callStarted: registry.counters(callStarted, writer: writer),
        callDuration: registry.histograms(callDuration, writer: writer),
        callSentBytes: registry.histograms(callSentBytes, writer: writer),
        callReceivedBytes: registry.histograms(callReceivedBytes, writer: writer),
        candidates: registry.counters(candidates, writer: writer),
        refusals: registry.counters(refusals, writer: writer),
        cancellations: registry.counters(cancellations, writer: writer),
        heldBytes: registry.gauges(heldBytes, writer: writer)),
      work: work(registry, writer: writer),
      encode: registry.histograms(encode, writer: writer)[0],
      connections: registry.gauges(connections, writer: writer)[0],
      streams: registry.gauges(streams, writer: writer)[0],
      turns: registry.counters(turns, writer: writer)[0],
      writes: registry.counters(writes, writer: writer)[0])
  }
}

extension StatusCode {
  /// As Go's gRPC writes it, and so go-grpc-middleware and its dashboards: `InvalidArgument`.
  var goName: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "Canceled"
    case .unknown: "Unknown"
    case .invalidArgument: "InvalidArgument"
    case .deadlineExceeded: "DeadlineExceeded"
    case .notFound: "NotFound"
    case .alreadyExists: "AlreadyExists"
    case .permissionDenied: "PermissionDenied"
    case .resourceExhausted: "ResourceExhausted"
    case .failedPrecondition: "FailedPrecondition"
    case .aborted: "Aborted"
    case .outOfRange: "OutOfRange"
    case .unimplemented: "Unimplemented"
    case .internalError: "Internal"
    case .unavailable: "Unavailable"
    case .dataLoss: "DataLoss"
    case .unauthenticated: "Unauthenticated"
    }
  }
}
