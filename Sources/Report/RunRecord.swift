/// One run of `crescendo load` as its JSON tells it. What older files do not have is nil or empty.
package struct RunRecord: Sendable, Equatable {
  /// A name with a number, in the order in which they are told.
  package struct Entry: Sendable, Equatable {
    package var name: String
    package var count: Int
  }

  /// Milliseconds; nil = infinite, or there was no call.
  package struct Percentiles: Sendable, Equatable {
    package var p50: Double?
    package var p90: Double?
    package var p99: Double?
    package var p999: Double?
    package var p9999: Double?
    package var max: Double?
  }

  package struct Level: Sendable, Equatable {
    /// Of calls, 0 … 1.
    package var share: Double
    /// Nil = infinite.
    package var milliseconds: Double?
  }

  package struct Objective: Sendable, Equatable {
    package var name: String
    package var limit: Double
    /// Nil = infinite, or there was no call.
    package var value: Double?
    package var isMet: Bool
    /// `ms` or `%`.
    package var unit: String
  }

  package struct Server: Sendable, Equatable {
    package var cpuMicrosecondsPerCall: Double?
    package var residentBytes: Double
  }

  package struct Generator: Sendable, Equatable {
    package var cpuMicrosecondsPerCall: Double?
    /// 0 … 1.
    package var busyShare: Double
    package var lagMilliseconds: Double?
    package var inFlightMax: Int
    package var heldCalls: Int
    package var reconnects: Int
    package var fellBehind: Bool
  }

  /// What was asked for.
  package struct Setup: Sendable, Equatable {
    package var target: String?
    package var framing: String?
    package var schedule: String?
    package var connections: Int?
    package var rate: Double?
    package var durationSeconds: Double?
    package var warmUpSeconds: Double?
    package var timeoutMilliseconds: Double?
    package var candidatesLeast: Int?
    package var candidatesMost: Int?
    package var version: String?
    package var startedUnixMilliseconds: Int?
  }

  /// Over time: columns of one length, a row for each interval.
  package struct Series: Sendable, Equatable {
    package var intervalSeconds: Double
    /// Of the intervals' starts, from the window's; below 0 in the warm-up.
    package var seconds: [Double]
    package var calls: [Int]
    package var inTime: [Int]
    package var missing: [Int]
    package var statuses: [Row]
    package var fidelities: [Row]
    package var p50: [Double?]
    package var p99: [Double?]
    /// The longest that was answered OK.
    package var longest: [Double?]
    /// The mean over the interval.
    package var inFlight: [Double]

    package struct Row: Sendable, Equatable {
      package var name: String
      package var counts: [Int]
    }
  }

  package struct Words: Sendable, Equatable {
    package var name: String
    package var text: String
  }

  package var setup: Setup
  package var offered: Double
  package var achieved: Double
  package var inTimeRate: Double?
  package var lagMilliseconds: Double?
  package var calls: Int
  package var statuses: [Entry]
  package var missing: Int
  package var timedOut: Int
  package var late: Int
  package var inTime: Int?
  package var fidelities: [Entry]
  package var latency: Percentiles
  package var service: Percentiles
  package var server: Server?
  package var generator: Generator?
  package var objectives: [Objective]
  /// For a status, the first words that came with it.
  package var texts: [Words]
  package var latencyLevels: [Level]
  package var serviceLevels: [Level]
  package var series: Series?
  /// What `--find-capacity` has found, calls a second.
  package var capacity: Double?
}

extension RunRecord {
  func count(_ status: String) -> Int { statuses.first { $0.name == status }?.count ?? 0 }
  func count(fidelity: String) -> Int { fidelities.first { $0.name == fidelity }?.count ?? 0 }

  /// Of the intended calls; nil when there was none.
  func share(_ count: Int?) -> Double? {
    guard let count, calls > 0 else { return nil }
    return Double(count) / Double(calls)
  }

  /// What was asked for, or what came of it where a file does not say.
  package var rate: Double { setup.rate ?? offered }
}
