internal import Core

/// The list of everything that `/metrics` shows: name, unit, labels. All label values come from
/// closed sets; a method that is not known is "other".
///
/// Names: `grpc_server_*` without `call` are those of go-grpc-middleware, those with `call` are
/// gRPC A66's written as Prometheus writes them; `process_*` are Prometheus' own.
struct ServerMetricFamilies: Sendable {
  // MARK: Calls, by loops

  /// `grpc_server_started_total{grpc_type,grpc_service,grpc_method}`
  let started: MetricFamilyID
  /// `grpc_server_handled_total{grpc_type,grpc_service,grpc_method,grpc_code}`: every method and
  /// code from the start, so that the first error is a step from 0.
  let handled: MetricFamilyID
  /// `grpc_server_msg_received_total{grpc_type,grpc_service,grpc_method}`
  let messagesReceived: MetricFamilyID
  /// `grpc_server_msg_sent_total{grpc_type,grpc_service,grpc_method}`
  let messagesSent: MetricFamilyID
  /// `grpc_server_handling_seconds{grpc_type,grpc_service,grpc_method}`: from the headers to the
  /// end of the stream; A66's buckets.
  let handling: MetricFamilyID
  /// `grpc_server_call_started_total{grpc_method}`: `grpc.server.call.started`.
  let callStarted: MetricFamilyID
  /// `grpc_server_call_duration_seconds{grpc_method,grpc_status}`: `grpc.server.call.duration`.
  let callDuration: MetricFamilyID
  /// `grpc_server_call_sent_total_compressed_message_size_bytes{grpc_method,grpc_status}`
  let callSentBytes: MetricFamilyID
  /// `grpc_server_call_rcvd_total_compressed_message_size_bytes{grpc_method,grpc_status}`
  let callReceivedBytes: MetricFamilyID

  // MARK: Scoring, by loops and shards

  /// `crescendo_queue_delay_seconds`: from handing a slice over to its first instruction.
  let queueDelay: MetricFamilyID
  /// `crescendo_score_seconds`: scoring one slice, in place or on a shard.
  let score: MetricFamilyID
  /// `crescendo_encode_seconds`: laying one answer out.
  let encode: MetricFamilyID
  /// `crescendo_work_seconds_total`: scoring in all; its rate is the cores that scoring takes.
  let work: MetricFamilyID
  /// `crescendo_candidates_total{fidelity,reason}`: positions of answers.
  let candidates: MetricFamilyID

  /// `crescendo_ledger_commit_seconds`: by the ledger's thread.
  let commits: MetricFamilyID

  // MARK: Load

  /// `crescendo_refusals_total{reason}`: `RefusalReason`.
  let refusals: MetricFamilyID
  /// `crescendo_cancellations_total{source}`: `CancellationSource`.
  let cancellations: MetricFamilyID
  /// `crescendo_connections`
  let connections: MetricFamilyID
  /// `crescendo_streams`
  let streams: MetricFamilyID
  /// `crescendo_held_bytes{kind}`: `HeldMemory`.
  let heldBytes: MetricFamilyID
  /// `crescendo_loop_turns_total`
  let turns: MetricFamilyID
  /// `crescendo_writes_total`: system calls that wrote to sockets.
  let writes: MetricFamilyID

  init(_ schema: inout MetricSchema, methods: [MeteredMethod], _ facts: ServerFacts) {
    let methods = methods + [.other]
    let triples = methods.map { [$0.type.rawValue, $0.service, $0.method] }
    let codes = StatusCode.allCases.map(\.name)
    let labels = ["grpc_type", "grpc_service", "grpc_method"]
    started = schema.counter(
      "grpc_server_started_total", "Calls whose headers have come.", labels: labels,
      series: triples)
    handled = schema.counter(
      "grpc_server_handled_total", "Calls that have ended, by status.",
      labels: labels + ["grpc_code"],
      series: triples.flatMap { triple in
        StatusCode.allCases.map { triple + [$0.goName] }
      })
    messagesReceived = schema.counter(
      "grpc_server_msg_received_total", "Whole request messages.", labels: labels,
      series: triples)
    messagesSent = schema.counter(
      "grpc_server_msg_sent_total", "Whole response messages.", labels: labels, series: triples)
    handling = schema.histogram(
      "grpc_server_handling_seconds", "From a call's headers to its end.", labels: labels,
      unit: .nanoseconds, bounds: MetricBounds.latencyNanoseconds, series: triples)
    let names = methods.map(\.fullName)
    let byStatus = MetricSchema.combinations([names, codes])
    callStarted = schema.counter(
      "grpc_server_call_started_total", "gRPC A66 grpc.server.call.started.",
      labels: ["grpc_method"], series: names.map { [$0] })
    callDuration = schema.histogram(
      "grpc_server_call_duration_seconds", "gRPC A66 grpc.server.call.duration.",
      labels: ["grpc_method", "grpc_status"], unit: .nanoseconds,
      bounds: MetricBounds.latencyNanoseconds, hidesEmpty: true, series: byStatus)
    callSentBytes = schema.histogram(
      "grpc_server_call_sent_total_compressed_message_size_bytes",
      "gRPC A66 grpc.server.call.sent_total_compressed_message_size.",
      labels: ["grpc_method", "grpc_status"], unit: .count, bounds: MetricBounds.sizeBytes,
      hidesEmpty: true, series: byStatus)
    callReceivedBytes = schema.histogram(
      "grpc_server_call_rcvd_total_compressed_message_size_bytes",
      "gRPC A66 grpc.server.call.rcvd_total_compressed_message_size.",
      labels: ["grpc_method", "grpc_status"], unit: .count, bounds: MetricBounds.sizeBytes,
      hidesEmpty: true, series: byStatus)
    (queueDelay, score, encode, work) = ServerMetricFamilies.scoring(&schema)
    candidates = schema.counter(
      "crescendo_candidates_total", "Positions of answers.", labels: ["fidelity", "reason"],
      hidesEmpty: true,
      series: MetricSchema.combinations([
        Fidelity.allCases.map(\.label), Reason.allCases.map(\.label),
      ]))
    (refusals, cancellations) = ServerMetricFamilies.ends(&schema)
    connections = schema.gauge("crescendo_connections", "Open connections.")
    streams = schema.gauge("crescendo_streams", "Open streams.")
    heldBytes = schema.gauge(
      "crescendo_held_bytes", "Memory that is held for clients.", labels: ["kind"],
      series: HeldMemory.allCases.map { [$0.label] })
    turns = schema.counter("crescendo_loop_turns_total", "Turns of the event loops.")
    writes = schema.counter("crescendo_writes_total", "Writes to sockets.")
    commits = ServerMetricFamilies.commits(&schema)
    ServerMetricFamilies.observe(&schema, facts)
  }
}
