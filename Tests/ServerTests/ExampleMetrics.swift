import Core

@testable import Server

extension ServerMetrics {
  /// Metrics of a server that serves made-up facts.
  static func example(loops: Int = 2, shards: Int = 1, now: Int64 = 0) -> ServerMetrics {
    ServerMetrics(
      loops: loops, shards: shards,
      facts: ServerFacts(
        snapshot: {
          ServerFacts.Snapshot(
            version: "v\"1", models: ["a", "b"], createdUnixMilliseconds: 1_000)
        },
        learnedCosts: { [ServerFacts.LearnedCost(model: "a", level: "half", nanoseconds: 250)] },
        process: { nil },
        clock: Clock(monotonicNanoseconds: { 0 }, unixMilliseconds: { now })))
  }
}
