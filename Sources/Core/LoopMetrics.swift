/// Why a call, or a connection, was turned away. The closed set of `crescendo_refusals_total`.
package enum RefusalReason: Int, Sendable, CaseIterable {
  /// Its deadline had passed, or left no time for any work.
  case deadline = 0
  /// The scoring queue was full.
  case queueFull = 1
  /// Of the class `batch`, while interactive calls need the room.
  case shedBatch = 2
  /// A message or a batch over its limit.
  case tooLarge = 3
  /// A connection's or a request's memory over its limit.
  case memory = 4
  /// The server is stopping.
  case draining = 5
  /// No room for another connection.
  case connections = 6

  package var label: String {
    switch self {
    case .deadline: "deadline"
    case .queueFull: "queue_full"
    case .shedBatch: "shed_batch"
    case .tooLarge: "too_large"
    case .memory: "memory"
    case .draining: "draining"
    case .connections: "connections"
    }
  }
}

/// Who ended a call before its answer. The closed set of `crescendo_cancellations_total`.
package enum CancellationSource: Int, Sendable, CaseIterable {
  /// RST_STREAM of the client.
  case reset = 0
  /// Its connection was lost.
  case connection = 1
  /// Its deadline passed under way.
  case deadline = 2
  /// The server's stop.
  case stop = 3
  /// It did not read: its answer made no progress for the stall time.
  case stall = 4

  package var label: String {
    switch self {
    case .reset: "reset"
    case .connection: "connection"
    case .deadline: "deadline"
    case .stop: "stop"
    case .stall: "stall"
    }
  }
}

/// What holds memory for clients. The closed set of `crescendo_held_bytes`.
package enum HeldMemory: Int, Sendable, CaseIterable {
  /// Messages that are not whole yet.
  case receive = 0
  /// Answers that have not gone out.
  case send = 1
  /// Arenas of requests.
  case arena = 2

  package var label: String {
    switch self {
    case .receive: "receive"
    case .send: "send"
    case .arena: "arena"
    }
  }
}

/// What scoring counts, wherever it runs: one for each shard, and one within each loop's own.
/// `ServerMetrics` says what each number is.
package struct WorkMetrics: BitwiseCopyable, Sendable {
  /// Nanoseconds that a job waited for its thread.
  package var queueDelay: MetricHistogram
  /// Nanoseconds of scoring one slice.
  package var score: MetricHistogram
  /// Nanoseconds of scoring, in all.
  package var work: MetricCounter

  package init(queueDelay: MetricHistogram, score: MetricHistogram, work: MetricCounter) {
    self.queueDelay = queueDelay
    self.score = score
    self.work = work
  }
}

/// What one loop counts: handles that were resolved before it started, so that counting looks
/// nothing up. Only that loop's thread calls them. A method is its index in the service table;
/// negative = unknown, counted as "other". `ServerMetrics` says what each number is.
package struct LoopMetrics: BitwiseCopyable, Sendable {
  /// The families that go by method, status or reason, in the order in which they are declared.
  package struct Families: BitwiseCopyable, Sendable {
    package var started: MetricCounters
    package var handled: MetricCounters
    package var messagesReceived: MetricCounters
    package var messagesSent: MetricCounters
    package var handling: MetricHistograms
    package var callStarted: MetricCounters
    package var callDuration: MetricHistograms
    package var callSentBytes: MetricHistograms
    package var callReceivedBytes: MetricHistograms
    package var candidates: MetricCounters
    package var refusals: MetricCounters
    package var cancellations: MetricCounters
    package var heldBytes: MetricGauges

    package init(
      started: MetricCounters, handled: MetricCounters, messagesReceived: MetricCounters,
      messagesSent: MetricCounters, handling: MetricHistograms, callStarted: MetricCounters,
      callDuration: MetricHistograms, callSentBytes: MetricHistograms,
      callReceivedBytes: MetricHistograms, candidates: MetricCounters, refusals: MetricCounters,
      cancellations: MetricCounters, heldBytes: MetricGauges
    ) {
      self.started = started
      self.handled = handled
      self.messagesReceived = messagesReceived
      self.messagesSent = messagesSent
      self.handling = handling
      self.callStarted = callStarted
      self.callDuration = callDuration
      self.callSentBytes = callSentBytes
      self.callReceivedBytes = callReceivedBytes
      self.candidates = candidates
      self.refusals = refusals
      self.cancellations = cancellations
      self.heldBytes = heldBytes
    }
  }

  package var families: Families
  package var work: WorkMetrics
  /// Nanoseconds of laying an answer out.
  package var encode: MetricHistogram
  package var connections: MetricGauge
  package var streams: MetricGauge
  package var turns: MetricCounter
  package var writes: MetricCounter

  package init(
    families: Families, work: WorkMetrics, encode: MetricHistogram, connections: MetricGauge,
    streams: MetricGauge, turns: MetricCounter, writes: MetricCounter
  ) {
    self.families = families
    self.work = work
    self.encode = encode
    self.connections = connections
    self.streams = streams
    self.turns = turns
    self.writes = writes
  }
}

extension LoopMetrics {
  /// The row of a method: the last one is "other".
  @inlinable
  func row(_ method: Int) -> Int {
    method >= 0 ? method : families.started.count - 1
  }

  /// A call's headers are there.
  @inlinable
  package func callStarted(method: Int) {
    families.started[row(method)].increment()
    families.callStarted[row(method)].increment()
  }

  /// So many whole request messages were there.
  @inlinable
  package func messagesReceived(method: Int, count: Int) {
    families.messagesReceived[row(method)].add(count)
  }

  /// So many whole response messages have been handed to HTTP/2.
  @inlinable
  package func messagesSent(method: Int, count: Int) {
    families.messagesSent[row(method)].add(count)
  }

  /// A call has ended: with its trailers, by a reset, or with its connection. Sizes are those of
  /// its messages as they went over the wire (compressed), without their prefixes.
  @inlinable
  package func callEnded(
    method: Int, status: StatusCode, durationNanoseconds: UInt64, receivedBytes: Int,
    sentBytes: Int
  ) {
    let row = row(method)
    let series = row &* StatusCode.count &+ Int(status.rawValue)
    families.handled[series].increment()
    families.handling[row].record(durationNanoseconds)
    families.callDuration[series].record(durationNanoseconds)
    families.callReceivedBytes[series].record(receivedBytes)
    families.callSentBytes[series].record(sentBytes)
  }

  /// So many positions of an answer have this fidelity for this reason.
  @inlinable
  package func candidates(_ fidelity: Fidelity, _ reason: Reason, count: Int) {
    families.candidates[Int(fidelity.rawValue) &* Reason.count &+ Int(reason.rawValue)].add(count)
  }

  @inlinable
  package func refused(_ reason: RefusalReason) {
    families.refusals[reason.rawValue].increment()
  }

  @inlinable
  package func cancelled(_ source: CancellationSource) {
    families.cancellations[source.rawValue].increment()
  }

  /// This loop's share of the memory that is held for clients.
  @inlinable
  package func held(_ memory: HeldMemory) -> MetricGauge {
    families.heldBytes[memory.rawValue]
  }
}

extension StatusCode {
  /// Codes are 0 ..< count.
  @inlinable package static var count: Int { 17 }
}

extension Fidelity {
  @inlinable package static var count: Int { 5 }

  /// As metrics name it.
  package var label: String {
    switch self {
    case .unspecified: "unspecified"
    case .none: "none"
    case .prior: "prior"
    case .partial: "partial"
    case .full: "full"
    }
  }
}

extension Reason {
  @inlinable package static var count: Int { 5 }

  /// As metrics name it.
  package var label: String {
    switch self {
    case .unspecified: "unspecified"
    case .ok: "ok"
    case .unknownItem: "unknown_item"
    case .deadline: "deadline"
    case .overload: "overload"
    }
  }
}
