internal import Allocation
internal import Core
internal import Syscalls

/// What the ledger shows of itself: as of the last tick.
package struct LedgerFigures: Sendable {
  /// Of campaigns that run, as parts of their budgets.
  var paceErrorLargest = 0.0
  var paceErrorMean = 0.0
  var leased = Micros.zero
  /// Of what is leased, what its holders may not use any more.
  var stranded = Micros.zero
  var openLeases = 0
  var openReservations = 0
  /// By `ExposureOutcome`.
  var outcomes: [UInt64] = []
  /// Of all shards together.
  var shards = ShardFigures()
  var cappedUsers = 0
  var capBytes = 0
  var commits = 0
  var records = 0
  /// Entries of the journal that were compacted away.
  var compacted = 0
  /// The longest commit of the last minute or two.
  var commitNanosecondsLargest: UInt64 = 0
  var state = LedgerCondition.State.serving
  /// How often the ledger ceased to serve.
  var halts = 0
}

/// Figures on their way from the ledger's threads to whoever asks.
final class LedgerGauges: Sendable {
  private struct State {
    var figures = LedgerFigures()
    var shards: [ShardGauge]
  }

  struct ShardGauge: Sendable {
    var figures = ShardFigures()
    var users = 0
    var bytes = 0
  }

  private let state: Guarded<State>

  init(shards: Int) {
    state = Guarded(State(shards: Array(repeating: ShardGauge(), count: shards)))
  }

  /// By a shard.
  func set(_ shard: UserShard) {
    let gauge = ShardGauge(
      figures: shard.figures, users: shard.cappedUsers, bytes: shard.capBytes)
    state.withLock { $0.shards[shard.index] = gauge }
  }

  /// By the store.
  func set(_ figures: LedgerFigures) {
    state.withLock { $0.figures = figures }
  }

  var figures: LedgerFigures {
    state.withLock { state in
      var figures = state.figures
      for shard in state.shards {
        figures.shards.add(shard.figures)
        figures.cappedUsers += shard.users
        figures.capBytes += shard.bytes
      }
      return figures
    }
  }
}

extension ServerMetricFamilies {
  /// `crescendo_ledger_commit_seconds`: making one group durable.
  static func commits(_ schema: inout MetricSchema) -> MetricFamilyID {
    schema.histogram(
      "crescendo_ledger_commit_seconds", "Making one group durable.", unit: .nanoseconds,
      bounds: MetricBounds.latencyNanoseconds, hidesEmpty: true)
  }

  /// The ledger's, as far as there is one; a closed set, whatever campaigns there are.
  static func observeLedger(
    _ schema: inout MetricSchema, _ figures: @escaping @Sendable () -> LedgerFigures?
  ) {
    func observe(
      _ kind: MetricKind, _ name: String, _ help: String,
      _ value: @escaping @Sendable (LedgerFigures) -> Double
    ) {
      observed(&schema, figures, kind, name, help, value)
    }
    schema.observed(
      .gauge, "crescendo_pace_error", "Planned and not reserved, as part of the budget.",
      labels: ["of"]
    ) {
      figures().map {
        [MetricSample(["largest"], $0.paceErrorLargest), MetricSample(["mean"], $0.paceErrorMean)]
      } ?? []
    }
    observe(.gauge, "crescendo_leases", "Slices of budgets that shards hold.") {
      Double($0.openLeases)
    }
    observe(.gauge, "crescendo_leased_units", "What lies in leases, in the currency.") {
      Double($0.leased.value) / 1e6
    }
    observe(.gauge, "crescendo_stranded_units", "Of it, what may not be used any more.") {
      Double($0.stranded.value) / 1e6
    }
    observe(.gauge, "crescendo_reservations", "Placements whose exposure is awaited.") {
      Double($0.openReservations)
    }
    observePlacements(&schema, figures)
    observeCommits(&schema, figures)
  }

  private static func observed(
    _ schema: inout MetricSchema, _ figures: @escaping @Sendable () -> LedgerFigures?,
    _ kind: MetricKind, _ name: String, _ help: String,
    _ value: @escaping @Sendable (LedgerFigures) -> Double
  ) {
    schema.observed(kind, name, help) {
      figures().map { [MetricSample([], value($0))] } ?? []
    }
  }

  private static func observeCommits(
    _ schema: inout MetricSchema, _ figures: @escaping @Sendable () -> LedgerFigures?
  ) {
    func observe(
      _ kind: MetricKind, _ name: String, _ help: String,
      _ value: @escaping @Sendable (LedgerFigures) -> Double
    ) {
      observed(&schema, figures, kind, name, help, value)
    }
    observe(.counter, "crescendo_ledger_commits_total", "Groups that were made durable.") {
      Double($0.commits)
    }
    observe(.counter, "crescendo_ledger_records_total", "Records of these groups.") {
      Double($0.records)
    }
    observe(.counter, "crescendo_ledger_compacted_total", "Old entries that became openings.") {
      Double($0.compacted)
    }
    observe(
      .gauge, "crescendo_ledger_commit_seconds_largest", "The longest of the last minute or two."
    ) {
      Double($0.commitNanosecondsLargest) / 1e9
    }
    schema.observed(
      .gauge, "crescendo_ledger_state",
      "1 at what the ledger does: serves, waits for its storage, or has stopped until a restart.",
      labels: ["state"]
    ) {
      figures().map { figures in
        LedgerCondition.State.allCases.map {
          MetricSample([$0.label], $0 == figures.state ? 1 : 0)
        }
      } ?? []
    }
    observe(.counter, "crescendo_ledger_halts_total", "How often the ledger ceased to serve.") {
      Double($0.halts)
    }
  }

  private static func observePlacements(
    _ schema: inout MetricSchema, _ figures: @escaping @Sendable () -> LedgerFigures?
  ) {
    func observe(
      _ kind: MetricKind, _ name: String, _ help: String,
      _ value: @escaping @Sendable (LedgerFigures) -> Double
    ) {
      observed(&schema, figures, kind, name, help, value)
    }
    observe(.counter, "crescendo_allocations_total", "Allocations answered anew.") {
      Double($0.shards.allocations)
    }
    observe(.counter, "crescendo_allocations_repeated_total", "Allocations answered again.") {
      Double($0.shards.repeated)
    }
    observe(.counter, "crescendo_placements_total", "Slots that were filled.") {
      Double($0.shards.placements)
    }
    observe(.counter, "crescendo_reservations_expired_total", "Placements never reported.") {
      Double($0.shards.expired)
    }
    observe(.counter, "crescendo_caps_hit_total", "Candidates that a cap kept from a slot.") {
      Double($0.shards.capped)
    }
    observe(.gauge, "crescendo_cap_users", "Users whose exposures are counted.") {
      Double($0.cappedUsers)
    }
    observe(.gauge, "crescendo_cap_bytes", "Memory of what is counted.") { Double($0.capBytes) }
    schema.observed(
      .counter, "crescendo_exposures_total", "Exposures that were reported, by outcome.",
      labels: ["outcome"]
    ) {
      figures().map { figures in
        ExposureOutcome.allCases.map {
          let count = figures.outcomes.isEmpty ? 0 : figures.outcomes[Int($0.rawValue)]
          return MetricSample([$0.label], Double(count))
        }
      } ?? []
    }
  }
}

extension ExposureOutcome {
  fileprivate var label: String {
    switch self {
    case .settled: "settled"
    case .duplicate: "duplicate"
    case .settledLate: "settled_late"
    case .unpaid: "unpaid"
    case .forged: "forged"
    case .expired: "expired"
    case .unknownReservation: "unknown_reservation"
    case .invalidTime: "invalid_time"
    case .goalAdded: "goal_added"
    }
  }
}
