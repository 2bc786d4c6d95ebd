package import Core

/// A method as metrics name it.
package struct MeteredMethod: Sendable, Equatable {
  /// `grpc_type` of go-grpc-middleware.
  package enum CallType: String, Sendable {
    case unary
    case clientStream = "client_stream"
    case serverStream = "server_stream"
    case bidirectionalStream = "bidi_stream"
  }

  package var service: String
  package var method: String
  package var type: CallType

  /// `path` as in `:path`: `/package.Service/Method`.
  package init(path: StaticString, _ type: CallType) {
    let parts = "\(path)".split(separator: "/", omittingEmptySubsequences: true)
    precondition(parts.count == 2, "\(path) is no path of a method")
    service = String(parts[0])
    method = String(parts[1])
    self.type = type
  }

  private init(_ name: String, _ type: CallType) {
    (service, method) = (name, name)
    self.type = type
  }

  /// All methods that a server does not know, as gRPC's A66 wants: no client makes series. What
  /// is not known may be anything, so that its type is the most general one.
  static let other = MeteredMethod("other", .bidirectionalStream)

  /// `grpc_method` of A66.
  var fullName: String { self == .other ? method : "\(service)/\(method)" }
}

/// What is read when somebody asks, instead of being counted.
package struct ServerFacts: Sendable {
  /// A snapshot that is being served.
  package struct Snapshot: Sendable {
    package var version: String
    package var models: [String]
    package var createdUnixMilliseconds: Int64

    package init(version: String, models: [String], createdUnixMilliseconds: Int64) {
      self.version = version
      self.models = models
      self.createdUnixMilliseconds = createdUnixMilliseconds
    }
  }

  /// What one candidate costs.
  package struct LearnedCost: Sendable {
    package var model: String
    /// `full`, `half`, `quarter`, `eighth` or `prior`.
    package var level: String
    package var nanoseconds: Double

    package init(model: String, level: String, nanoseconds: Double) {
      self.model = model
      self.level = level
      self.nanoseconds = nanoseconds
    }
  }

  /// Of the whole process.
  package struct Process: Sendable {
    package var residentBytes: UInt64
    package var cpuNanoseconds: UInt64

    package init(residentBytes: UInt64, cpuNanoseconds: UInt64) {
      self.residentBytes = residentBytes
      self.cpuNanoseconds = cpuNanoseconds
    }
  }

  package var snapshot: @Sendable () -> Snapshot
  /// None as long as nobody tells them.
  package var learnedCosts: @Sendable () -> [LearnedCost]
  /// Nil when the system does not say.
  package var process: @Sendable () -> Process?
  /// Nil without campaigns.
  package var ledger: @Sendable () -> LedgerFigures? = { nil }
  package var limits: [(name: String, value: Double)]
  package var clock: Clock

  package init(
    snapshot: @escaping @Sendable () -> Snapshot,
    learnedCosts: @escaping @Sendable () -> [LearnedCost] = { [] },
    process: @escaping @Sendable () -> Process?,
    limits: [(name: String, value: Double)] = Limits.named, clock: Clock
  ) {
    self.snapshot = snapshot
    self.learnedCosts = learnedCosts
    self.process = process
    self.limits = limits
    self.clock = clock
  }
}

/// Every metric of the server: declared in `ServerMetricFamilies`, counted through `LoopMetrics`
/// by each loop and `WorkMetrics` by each shard, shown by `exposition()`.
package final class ServerMetrics: Sendable {
  private let registry: MetricRegistry
  private let families: ServerMetricFamilies
  private let loops: Int
  private let shards: Int

  /// The content type of `exposition()`.
  package static let contentType = MetricRegistry.contentType

  /// `loops` and `shards` are at least 1: each becomes a writer, and the ledger is one.
  package init(loops: Int, shards: Int, facts: ServerFacts) {
    var schema = MetricSchema()
    families = ServerMetricFamilies(&schema, methods: LoopServices.methods, facts)
    registry = MetricRegistry(schema, writers: loops + shards + 1)
    self.loops = loops
    self.shards = shards
  }

  /// The handles of one loop; they live as long as this object.
  package func loop(_ index: Int) -> LoopMetrics {
    precondition(index >= 0 && index < loops, "loop \(index) of \(loops)")
    return families.loop(registry, writer: index)
  }

  /// The handles of one shard; they live as long as this object.
  package func shard(_ index: Int) -> WorkMetrics {
    precondition(index >= 0 && index < shards, "shard \(index) of \(shards)")
    return families.work(registry, writer: loops + index)
  }

  /// Of the ledger's thread, nanoseconds; it lives as long as this object.
  package var commitLatency: MetricHistogram {
    registry.histograms(families.commits, writer: loops + shards)[0]
  }

  /// Prometheus' text format. From any thread.
  package func exposition() -> String { registry.exposition() }
}
